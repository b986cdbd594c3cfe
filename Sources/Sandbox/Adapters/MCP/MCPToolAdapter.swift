internal import JSON
internal import NIOCore
internal import Supervisor
internal import Synchronization

/// Makes the calls of tools that MCP servers have. Tools with the same server definition share one connection.
///
/// A server that the catalog does not name any longer is closed when its last call is over. The table of servers is in a short `Mutex`.
final class MCPToolAdapter: ToolAdapter {
    private let group: any EventLoopGroup
    private let outbound: Outbound
    private let log: @Sendable (String, String) -> Void
    private struct Known {
        let server: MCPServer
        /// Calls and checks under way.
        var uses = 0
    }

    private struct State {
        var servers: [MCPDefinition.Server: Known] = [:]
        /// Nil before anybody has said so: then all are.
        var named: Set<MCPDefinition.Server>?
        /// Servers that are being closed. Bounded by those that may be open: each was one.
        var closings: [Int: Task<Void, Never>] = [:]
        var lastClosing = 0
        var isShutDown = false

        func isUnused(_ definition: MCPDefinition.Server) -> Bool {
            guard let named, !named.contains(definition) else { return false }
            return servers[definition]?.uses == 0
        }
    }

    private let state = Mutex(State())

    init(group: any EventLoopGroup, outbound: Outbound, log: @escaping @Sendable (String, String) -> Void) {
        self.group = group
        self.outbound = outbound
        self.log = log
    }

    func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue {
        guard case .mcp(let definition) = call.definition.adapter else {
            throw ToolFailure(code: "internal", message: "this tool is not of an MCP server", hadNoEffect: true)
        }
        return try await self.call(
            definition, arguments: call.arguments, outputBytes: call.definition.outputBytes, deadline: call.deadline, told: call.told)
    }

    func call(
        _ definition: MCPDefinition, arguments: JSONObject, outputBytes: Int, deadline: Duration,
        told: @escaping @Sendable (ToolNews) -> Void
    ) async throws(ToolFailure) -> JSONValue {
        let server = try use(definition.server)
        defer { leave(definition.server) }
        let secrets = Secrets(definition.server)
        return try await Self.bounded(deadline, secrets) {
            let result = try await Self.result(of: definition.tool, arguments, server) { told(.progress(secrets.redacted($0))) }
            return secrets.redacted(try MCPMessage.value(of: result, bytesMax: outputBytes))
        }
    }

    /// Whether the server starts and has the tool.
    ///
    /// - Throws: ``ToolFailure`` that says what is missing.
    func check(_ definition: MCPDefinition) async throws(ToolFailure) {
        let server = try use(definition.server)
        defer { leave(definition.server) }
        let names = try await Self.bounded(AdapterLimits.handshakeTimeout, Secrets(definition.server)) {
            try await server.client().tools()
        }
        guard names.contains(definition.tool) else {
            let known = shown(names.sorted().joined(separator: ", "))
            throw ToolFailure(
                code: "unknown_tool", message: "the MCP server has no tool \(definition.tool); it has: \(known)", hadNoEffect: true)
        }
    }

    /// Closes the servers that are not among these, each when its last call is over.
    func keep(_ named: Set<MCPDefinition.Server>) {
        state.withLock { state in
            state.named = named
            for definition in Array(state.servers.keys) where state.isUnused(definition) { close(definition, &state) }
        }
    }

    /// Ends all connections and children.
    func shutdown() async {
        let (servers, closings) = state.withLock { state in
            state.isShutDown = true
            defer { (state.servers, state.closings) = ([:], [:]) }
            return (state.servers.values.map(\.server), Array(state.closings.values))
        }
        await withTaskGroup(of: Void.self) { group in
            for server in servers { group.addTask { await server.shutdown() } }
            for closing in closings { group.addTask { await closing.value } }
        }
    }

    private func use(_ definition: MCPDefinition.Server) throws(ToolFailure) -> MCPServer {
        try state.withLock { state throws(ToolFailure) in
            guard !state.isShutDown else { throw ToolFailure(.shutDown) }
            if let known = state.servers[definition] {
                state.servers[definition]?.uses += 1
                return known.server
            }
            guard state.servers.count < AdapterLimits.serversMax else {
                throw ToolFailure(code: "tool_unavailable", message: "too many MCP servers", hadNoEffect: true)
            }
            let (name, log) = (definition.shownName, log)
            let server = MCPServer(definition, group: group, outbound: outbound) { log(name, $0) }
            state.servers[definition] = Known(server: server, uses: 1)
            return server
        }
    }

    private func leave(_ definition: MCPDefinition.Server) {
        state.withLock { state in
            state.servers[definition]?.uses -= 1
            if state.isUnused(definition) { close(definition, &state) }
        }
    }

    /// In the background: whoever changes the catalog does not wait for a child to end, a shutdown does.
    private func close(_ definition: MCPDefinition.Server, _ state: inout State) {
        guard let known = state.servers.removeValue(forKey: definition) else { return }
        state.lastClosing += 1
        let number = state.lastClosing
        state.closings[number] = Task {
            await known.server.shutdown()
            self.state.withLock { $0.closings[number] = nil }
        }
    }

    /// A session that the server forgot, as it does when it restarts, is opened anew, once: the call was not made.
    private static func result(
        of tool: String, _ arguments: JSONObject, _ server: MCPServer, _ told: @escaping @Sendable (JSONObject) -> Void
    ) async throws(ToolFailure) -> JSONObject {
        let client = try await server.client()
        do {
            return try await client.call(tool: tool, arguments: arguments, told: told)
        } catch {
            guard error.code == StreamableHTTPTransport.sessionLost else { throw error }
            await server.drop(client)
        }
        return try await server.client().call(tool: tool, arguments: arguments, told: told)
    }

    private static func bounded<Value: Sendable>(
        _ limit: Duration, _ secrets: Secrets, _ body: @escaping @Sendable () async throws -> Value
    ) async throws(ToolFailure) -> Value {
        do {
            return try await withDeadline(limit, body)
        } catch let failure as ToolFailure {
            throw ToolFailure(
                code: failure.code, message: secrets.redacted(failure.message), hadNoEffect: failure.hadNoEffect,
                isTimeout: failure.isTimeout, value: failure.value.map { secrets.redacted($0) })
        } catch {
            throw ToolFailure(Outbound.translated(error))
        }
    }
}

extension MCPDefinition.Server {
    /// The command or the address, bounded. Secrets belong into the environment and the headers, not here.
    fileprivate var shownName: String {
        switch self {
        case .command(let words, _): shown(words.joined(separator: " "), bytesMax: 200)
        case .url(let address, _, _, _): shown(String(address.prefix { $0 != "?" }), bytesMax: 200)
        }
    }
}

extension Secrets {
    init(_ server: MCPDefinition.Server) {
        switch server {
        case .command(_, let environment): self.init(environment: environment)
        case .url(_, let headers, _, _): self.init(headers: headers)
        }
    }
}
