internal import NIOCore
internal import Supervisor

/// One MCP server of the catalog: connected when first asked, and again when its connection was lost.
actor MCPServer {
    private enum State {
        case idle
        case starting(Task<Result<Connected, ToolFailure>, Never>)
        case connected(Connected)
        case shutDown
    }

    struct Connected: Sendable {
        let client: MCPClient
        let transport: any MCPTransport
    }

    private let definition: MCPDefinition.Server
    private let group: any EventLoopGroup
    private let outbound: Outbound
    private let log: @Sendable (String) -> Void
    private let now: @Sendable () -> ContinuousClock.Instant
    private var state = State.idle
    private var backoff = RestartBackoff()
    /// Lost connections that are still being closed. Bounded by the backoff, which starts no more than a few in that time.
    private var closings: [Int: Task<Void, Never>] = [:]
    private var lastClosing = 0

    /// - Parameter log: takes what a child says on its standard error, and how it ended.
    init(
        _ definition: MCPDefinition.Server, group: any EventLoopGroup, outbound: Outbound, log: @escaping @Sendable (String) -> Void,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.definition = definition
        self.group = group
        self.outbound = outbound
        self.log = log
        self.now = now
    }

    /// The live connection, or a new one. Calls that come meanwhile share it.
    ///
    /// - Throws: ``ToolFailure`` without effect while it may not be started again yet, and when it does not start.
    func client() async throws(ToolFailure) -> MCPClient {
        if case .connected(let connected) = state, connected.client.isClosed {
            backoff.ended(at: now(), didWork: connected.client.hasAnswered)
            state = .idle
            close(connected.transport)
        }
        let starting: Task<Result<Connected, ToolFailure>, Never>
        switch state {
        case .connected(let connected): return connected.client
        case .starting(let task): starting = task
        case .shutDown: throw ToolFailure(.shutDown)
        case .idle:
            guard backoff.allowsStart(at: now()) else {
                throw ToolFailure(
                    code: "tool_unavailable", message: "the MCP server ended several times and will be started again later",
                    hadNoEffect: true)
            }
            starting = Task { await self.start() }
            state = .starting(starting)
        }
        return try await Self.value(of: starting).get().client
    }

    /// The connection was lost while it seemed to be there: do not use it again.
    func drop(_ client: MCPClient) {
        guard case .connected(let connected) = state, connected.client === client else { return }
        state = .idle
        close(connected.transport)
    }

    /// In the background: the caller does not wait, a shutdown does.
    private func close(_ transport: any MCPTransport) {
        lastClosing += 1
        let closing = lastClosing
        closings[closing] = Task {
            await transport.close()
            closings[closing] = nil
        }
    }

    func shutdown() async {
        let last = state
        state = .shutDown
        switch last {
        case .connected(let connected): await Self.end(connected)
        case .starting(let task):
            task.cancel()
            if case .success(let connected) = await task.value { await Self.end(connected) }
        case .idle, .shutDown: break
        }
        for closing in closings.values { await closing.value }
    }

    private static func end(_ connected: Connected) async {
        connected.client.closed(ToolFailure(.shutDown, hadNoEffect: false))
        await connected.transport.close()
    }

    private func start() async -> Result<Connected, ToolFailure> {
        let result = await connect()
        if case .starting = state {
            switch result {
            case .success(let connected): state = .connected(connected)
            case .failure:
                state = .idle
                backoff.ended(at: now(), didWork: false)
            }
        }
        return result
    }

    private func connect() async -> Result<Connected, ToolFailure> {
        let client = MCPClient()
        do throws(ToolFailure) {
            let transport: any MCPTransport =
                switch definition {
                case .command(let words, let environment):
                    try await StdioTransport.start(words, environment: environment, client: client, group: group, log: log)
                case .url(let address, let headers, let allowed, let inside):
                    StreamableHTTPTransport(
                        url: try Self.url(address), rules: HostRules(allowed: allowed, inside: inside), headers: headers,
                        outbound: outbound, client: client)
                }
            do {
                try await withDeadline(AdapterLimits.handshakeTimeout) { try await client.start(over: transport) }
                return .success(Connected(client: client, transport: transport))
            } catch {
                await transport.close()
                if let failure = error as? ToolFailure { throw failure }
                throw ToolFailure(
                    code: "mcp_handshake", message: "the MCP server did not finish the handshake in time", hadNoEffect: true)
            }
        } catch {
            // No tool was called yet, whatever became of the handshake.
            return .failure(ToolFailure(code: error.code, message: error.message, hadNoEffect: true, value: error.value))
        }
    }

    private static func url(_ text: String) throws(ToolFailure) -> WebURL {
        guard let url = WebURL(text) else {
            throw ToolFailure(code: "bad_definition", message: "the MCP server's url is no http or https address", hadNoEffect: true)
        }
        return url
    }

    /// The task's value, or at once a failure when the caller is cancelled: others may still wait for the task.
    private static func value(of task: Task<Result<Connected, ToolFailure>, Never>) async -> Result<Connected, ToolFailure> {
        let once = Once<Result<Connected, ToolFailure>>()
        Task { once.resume(await task.value) }
        return await withTaskCancellationHandler {
            await once.value()
        } onCancel: {
            once.resume(.failure(ToolFailure(.cancelled, hadNoEffect: true)))
        }
    }
}
