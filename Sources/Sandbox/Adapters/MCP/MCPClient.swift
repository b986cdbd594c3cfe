internal import JSON
internal import Supervisor
internal import Synchronization

/// Carries the messages of one ``MCPClient``.
protocol MCPTransport: Sendable {
    /// Takes a message to be sent, in order. Called with the client's lock held: it neither waits nor calls the client back.
    ///
    /// - Returns: false when too much waits already, or the transport is closed.
    func send(_ message: [UInt8], _ purpose: MCPConnection.Purpose) -> Bool
    /// Nobody waits for the answer to this message any longer. As ``send(_:_:)``.
    func forget(id: Int64)
    func negotiated(version: String)
    /// Ends it, within moments. Idempotent.
    func close() async
}

/// One connection to an MCP server: several calls at once, each waited for by its task.
///
/// The machine and the table of waiting tasks are in one short `Mutex`; tasks are resumed outside it.
final class MCPClient: Sendable {
    private struct Waiter: Sendable {
        let once: Once<Result<MCPConnection.Reply, ToolFailure>>
        let told: @Sendable (JSONObject) -> Void
    }

    private struct State {
        var connection = MCPConnection()
        var waiters: [Int64: Waiter] = [:]
        var transport: (any MCPTransport)?
        var announcement: Once<Bool>?
        var hasAnswered = false
    }

    private let state = Mutex(State())

    var isClosed: Bool { state.withLock { $0.connection.isClosed } }
    /// Whether something was answered after the handshake: the server works.
    var hasAnswered: Bool { state.withLock { $0.hasAnswered } }
    func isPending(id: Int64) -> Bool { state.withLock { $0.connection.isPending(id: id) } }

    // MARK: What the owner asks

    /// The handshake, to its end.
    func start(over transport: any MCPTransport) async throws(ToolFailure) {
        let announcement = Once<Bool>()
        state.withLock {
            $0.transport = transport
            $0.announcement = announcement
        }
        _ = try await perform { connection throws(ToolFailure) in connection.initialize() }
        let isAnnounced = await withTaskCancellationHandler {
            await announcement.value()
        } onCancel: {
            announcement.resume(false)
        }
        guard isAnnounced else {
            throw ToolFailure(code: "mcp_handshake", message: "the MCP server closed during the handshake", hadNoEffect: true)
        }
    }

    /// The names of the server's tools.
    func tools() async throws(ToolFailure) -> [String] {
        let reply = try await perform { connection throws(ToolFailure) in try connection.listTools() }
        guard case .tools(let names) = reply else { return [] }
        return names
    }

    /// The result of one call. Cancelling the task tells the server.
    func call(
        tool: String, arguments: JSONObject, told: @escaping @Sendable (JSONObject) -> Void = { _ in }
    ) async throws(ToolFailure) -> JSONObject {
        let reply = try await perform(told: told) { connection throws(ToolFailure) in
            try connection.call(tool: tool, arguments: arguments)
        }
        guard case .result(let result) = reply else { return JSONObject() }
        return result
    }

    private func perform(
        told: @escaping @Sendable (JSONObject) -> Void = { _ in },
        _ begin: (inout MCPConnection) throws(ToolFailure) -> (token: Int64, [MCPConnection.Action])
    ) async throws(ToolFailure) -> MCPConnection.Reply {
        let once = Once<Result<MCPConnection.Reply, ToolFailure>>()
        let begun = state.withLock { state -> Result<(Int64, Effects), ToolFailure> in
            do throws(ToolFailure) {
                let (token, actions) = try begin(&state.connection)
                state.waiters[token] = Waiter(once: once, told: told)
                return .success((token, act(actions, &state)))
            } catch {
                return .failure(error)
            }
        }
        let (token, effects) = try begun.get()
        effects.run()
        return try await withTaskCancellationHandler {
            await once.value()
        } onCancel: {
            cancel(token)
        }.get()
    }

    private func cancel(_ token: Int64) {
        let (waiter, effects) = state.withLock { state in
            let waiter = state.waiters.removeValue(forKey: token)
            let id = state.connection.pendingID(token: token)
            let effects = act(state.connection.cancel(token: token), &state)
            if let id { state.transport?.forget(id: id) }
            return (waiter, effects)
        }
        effects.run()
        waiter?.once.resume(.failure(ToolFailure(.cancelled)))
    }

    // MARK: What the transport tells

    func received(_ message: [UInt8]) { apply { $0.receive(message) } }

    /// No answer will come to this message.
    func failed(id: Int64, _ failure: ToolFailure) { apply { $0.fail(id: id, failure) } }

    /// In one step: whoever hears of it first, closes the rest.
    func lost(id: Int64, _ failure: ToolFailure, others: ToolFailure) {
        apply { $0.lose(id: id, failure, others: others) }
        state.withLock { $0.announcement }?.resume(false)
    }

    func closed(_ failure: ToolFailure) {
        apply { $0.close(failure) }
        state.withLock { $0.announcement }?.resume(false)
    }

    /// `notifications/initialized` is on its way, before anything that is sent from now on.
    func announced() { state.withLock { $0.announcement }?.resume(true) }

    private func apply(_ change: (inout MCPConnection) -> [MCPConnection.Action]) {
        let effects = state.withLock { state in act(change(&state.connection), &state) }
        effects.run()
    }

    /// What is done once the lock is open.
    private struct Effects: Sendable {
        var answers: [(Waiter, Result<MCPConnection.Reply, ToolFailure>)] = []
        var news: [(Waiter, JSONObject)] = []
        var closes: (any MCPTransport)?

        func run() {
            for (waiter, progress) in news { waiter.told(progress) }
            for (waiter, result) in answers { waiter.once.resume(result) }
            if let closes { Task { await closes.close() } }
        }
    }

    private func act(_ actions: [MCPConnection.Action], _ state: inout State) -> Effects {
        var effects = Effects()
        var rest = actions[...]
        while let action = rest.popFirst() {
            switch action {
            case .send(let message, let purpose):
                guard state.transport?.send(message, purpose) != true else { continue }
                // A peer that does not read is gone; what was not sent had no effect, but of the others nobody knows.
                let failure = ToolFailure(code: "upstream_broken", message: "the MCP server does not read what it is sent")
                rest += state.connection.close(failure)
                effects.closes = state.transport
            case .negotiated(let version): state.transport?.negotiated(version: version)
            case .answered(let token, let result):
                if case .success(let reply) = result, reply != .initialized { state.hasAnswered = true }
                if let waiter = state.waiters.removeValue(forKey: token) { effects.answers.append((waiter, result)) }
            case .progress(let token, let news):
                if let waiter = state.waiters[token] { effects.news.append((waiter, news)) }
            case .giveUp: effects.closes = state.transport
            }
        }
        return effects
    }
}
