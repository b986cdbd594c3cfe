internal import AsyncHTTPClient
internal import EventStream
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import Supervisor
internal import Synchronization

/// An MCP server behind HTTP: each message is a POST, whose answer is one JSON text or a stream of events.
///
/// Hosts, addresses and sizes are those of every other outbound request; redirects are refused. A request is one task, which ends with
/// its answer, when it is forgotten, or at the longest time a tool may have. State is in a short `Mutex`.
///
/// Source: Model Context Protocol 2025-06-18, *Transports*, streamable HTTP. There is no stream of its own for what the server wants to
/// say outside of an answer, and a broken stream is not resumed.
final class StreamableHTTPTransport: MCPTransport {
    private struct State {
        var session: String?
        var version: String?
        var tasks: [Int: Task<Void, Never>] = [:]
        /// The number in ``tasks`` of the request with an id.
        var numbers: [Int64: Int] = [:]
        var next = 0
        var isClosed = false
    }

    private let url: WebURL
    private let rules: HostRules
    private let headers: HTTPHeaders
    private let secrets: Secrets
    private let outbound: Outbound
    private let client: MCPClient
    private let state = Mutex(State())

    /// The longest that a request is kept, whoever waits for it.
    private static let longest = SupervisorLimits.timeoutMax + AdapterLimits.handshakeTimeout
    /// Tasks at the same time: each call may have its request and the notice that it was cancelled.
    private static let tasksMax = 2 * AdapterLimits.callsPerServerMax + 8

    init(url: WebURL, rules: HostRules, headers: [NamedText], outbound: Outbound, client: MCPClient) {
        self.url = url
        self.rules = rules
        self.outbound = outbound
        self.client = client
        secrets = Secrets(headers: headers)
        var fields = HTTPHeaders()
        for header in headers where !HTTPCall.connectionHeaders.contains(header.name.lowercased()) {
            fields.add(name: header.name, value: header.value)
        }
        fields.replaceOrAdd(name: "accept", value: "application/json, text/event-stream")
        fields.replaceOrAdd(name: "accept-encoding", value: "identity")
        fields.replaceOrAdd(name: "content-type", value: "application/json")
        if !fields.contains(name: "user-agent") { fields.add(name: "user-agent", value: "kdcube") }
        self.headers = fields
    }

    // MARK: MCPTransport

    func send(_ message: [UInt8], _ purpose: MCPConnection.Purpose) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.tasks.count < Self.tasksMax else { return false }
            let number = state.next
            state.next += 1
            if case .request(let id) = purpose { state.numbers[id] = number }
            // The task cannot end before it is in the table: its end asks for this lock.
            state.tasks[number] = Task {
                await post(message, purpose)
                end(number, purpose)
            }
            return true
        }
    }

    private func end(_ number: Int, _ purpose: MCPConnection.Purpose) {
        state.withLock { state in
            state.tasks[number] = nil
            if case .request(let id) = purpose { state.numbers[id] = nil }
        }
    }

    func forget(id: Int64) {
        let task = state.withLock { state in state.numbers[id].flatMap { state.tasks[$0] } }
        task?.cancel()
    }

    func negotiated(version: String) { state.withLock { $0.version = version } }

    /// Ends the requests, and tells the server that the session is over.
    func close() async {
        let (tasks, goodbye) = state.withLock { state -> ([Task<Void, Never>], HTTPHeaders?) in
            guard !state.isClosed else { return ([], nil) }
            state.isClosed = true
            return (Array(state.tasks.values), state.session == nil ? nil : fields(state))
        }
        for task in tasks { task.cancel() }
        guard let goodbye else { return }
        let (outbound, url, rules) = (outbound, url, rules)
        let request = Outbound.Request(method: .DELETE, url: url, headers: goodbye, body: nil)
        // Best effort: a server may not allow it, and forgets the session by itself.
        try? await withDeadline(AdapterLimits.childGrace) {
            try await outbound.send(request, under: rules, deadline: .now() + .seconds(1)) { _ in }
        }
    }

    // MARK: One request

    private func fields(_ state: State) -> HTTPHeaders {
        var fields = headers
        if let session = state.session { fields.replaceOrAdd(name: "mcp-session-id", value: session) }
        if let version = state.version { fields.replaceOrAdd(name: "mcp-protocol-version", value: version) }
        return fields
    }

    private func post(_ message: [UInt8], _ purpose: MCPConnection.Purpose) async {
        let (headers, hadSession) = state.withLock { state in (self.fields(state), state.session != nil) }
        let request = Outbound.Request(method: .POST, url: url, headers: headers, body: message)
        do {
            try await outbound.send(request, under: rules, deadline: .now() + .nanoseconds(Self.longest.nanoseconds)) { response in
                try await take(response, to: purpose, hadSession: hadSession)
            }
            if purpose == .announcement { client.announced() }
        } catch {
            let failure = (error as? ToolFailure) ?? ToolFailure(Outbound.translated(error))
            settle(purpose, failure)
        }
    }

    private func settle(_ purpose: MCPConnection.Purpose, _ failure: ToolFailure) {
        let isLost = failure.code == Self.sessionLost
        // Only the request that met it was not made.
        let others = ToolFailure(code: "upstream_broken", message: failure.message)
        switch purpose {
        case .request(let id) where isLost: client.lost(id: id, failure, others: others)
        case .request(let id): client.failed(id: id, failure)
        case .announcement: client.closed(failure)
        case .other: if isLost { client.closed(others) }
        }
    }

    /// The code of a call that met a session which the server has forgotten: it was not made.
    static let sessionLost = "session_lost"

    private func take(_ response: HTTPClientResponse, to purpose: MCPConnection.Purpose, hadSession: Bool) async throws {
        let status = Int(response.status.code)
        guard (200..<300).contains(status) else {
            if status == 404, hadSession {
                throw ToolFailure(code: Self.sessionLost, message: "the MCP server has forgotten the session", hadNoEffect: true)
            }
            throw ToolFailure(
                code: "upstream_status", message: "the MCP server answered with status \(status)",
                value: ["status": .integer(Int64(status))])
        }
        if let session = response.headers.first(name: "mcp-session-id") { remember(session) }
        guard case .request(let id) = purpose else {
            _ = try await Outbound.collect(response.body, bytesMax: AdapterLimits.errorBodyBytesMax)
            return
        }
        let type = (response.headers.first(name: "content-type") ?? "").lowercased()
        if type.hasPrefix("text/event-stream") {
            try await readEvents(response.body, id)
        } else {
            client.received(try await Outbound.collect(response.body, bytesMax: AdapterLimits.messageBytesMax))
        }
        guard client.isPending(id: id) else { return }
        throw ToolFailure(code: "upstream_broken", message: "the MCP server ended its answer too early")
    }

    /// The first that a server gives counts; it is visible ASCII, as the protocol says, and short.
    private func remember(_ session: String) {
        guard session.utf8.count <= 1_024, session.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return }
        state.withLock { if $0.session == nil { $0.session = session } }
    }

    /// Until the answer was in it; what follows on the same stream is of no use to anybody.
    private func readEvents(_ body: HTTPClientResponse.Body, _ id: Int64) async throws {
        let most = AdapterLimits.messageBytesMax
        var parser = EventStreamParser(lineBytesMax: most, eventBytesMax: most)
        do {
            for try await buffer in body {
                var events: [ServerSentEvent] = []
                try buffer.withUnsafeReadableBytes { try parser.push($0, into: &events) }
                // What an MCP server says is in the data alone.
                for event in events where !event.data.isEmpty { client.received(event.data) }
                guard client.isPending(id: id) else { return }
            }
        } catch is EventStreamError {
            throw OutboundError.tooLarge
        } catch {
            throw Outbound.translated(error)
        }
    }
}
