internal import Accounting
internal import JSON
internal import Synchronization
internal import Traces
internal import Transport

/// Who is behind a socket, and how much of it is under way. A short `Mutex` guards both.
final class Caller: Sendable {
    private struct State {
        var principal: Principal
        /// Of an API key, by which it is looked up again; nil of a token.
        var keyHash: String?
        var requests = 0
    }

    private let state: Mutex<State>
    private let userSessionID: String?
    /// Where the handshake belongs in a trace; messages that say nothing belong there too.
    let trace: TraceContext?
    private let connectedAt = WallClock.now().rawValue

    init(principal: Principal, keyHash: String?, userSessionID: String?, trace: TraceContext? = nil) {
        self.trace = trace
        state = Mutex(State(principal: principal, keyHash: keyHash))
        self.userSessionID = userSessionID
    }

    var principal: Principal { state.withLock { $0.principal } }

    /// Goes on by another credential of the same tenant.
    func refresh(_ principal: Principal, keyHash: String?) { state.withLock { ($0.principal, $0.keyHash) = (principal, keyHash) } }

    /// Looks its credential up again: what it may do now, not when it came.
    ///
    /// - Throws: the refusal, when the key was revoked or blocked or has expired since, or the store cannot be asked.
    func recheck(_ authenticator: Authenticator) async throws(Authenticator.Failure) -> Principal {
        let (principal, hash) = state.withLock { ($0.principal, $0.keyHash) }
        guard let hash else { return principal }
        let now = try await authenticator.principal(forKeyHash: hash)
        // Unless another credential came meanwhile.
        state.withLock { if $0.keyHash == hash { $0.principal = now } }
        return now
    }

    /// Counts a request in.
    ///
    /// - Returns: false when too many wait already.
    func begin() -> Bool {
        state.withLock { state in
            guard state.requests < ChatNamespace.requestsPerSocketMax else { return false }
            state.requests += 1
            return true
        }
    }

    func end() { state.withLock { $0.requests -= 1 } }

    /// What `session_info` says.
    func info(_ socket: Socket) -> JSONValue {
        let principal = principal
        return [
            "session_id": .string(socket.id), "org": .string(principal.org.text), "tenant": .string(principal.org.text),
            "project": .string(principal.project),
            "user": principal.user.map { .string($0) } ?? .null, "roles": .array(principal.roles.map { .string($0) }),
            "connected_at": .integer(connectedAt), "user_session_id": userSessionID.map { .string($0) } ?? .null,
        ]
    }
}
