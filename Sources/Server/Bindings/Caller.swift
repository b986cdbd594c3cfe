internal import Accounting
internal import JSON
internal import Synchronization
internal import Traces
internal import Transport

/// Who is behind a socket, and how much of it is under way. A short `Mutex` guards both.
final class Caller: Sendable {
    private struct State {
        var principal: Principal
        var requests = 0
    }

    private let state: Mutex<State>
    private let userSessionID: String?
    /// Where the handshake belongs in a trace; messages that say nothing belong there too.
    let trace: TraceContext?
    private let connectedAt = WallClock.now().rawValue

    init(principal: Principal, userSessionID: String?, trace: TraceContext? = nil) {
        self.trace = trace
        state = Mutex(State(principal: principal))
        self.userSessionID = userSessionID
    }

    var principal: Principal { state.withLock { $0.principal } }

    func refresh(_ principal: Principal) { state.withLock { $0.principal = principal } }

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
            "session_id": .string(socket.id), "org": .string(principal.org), "tenant": .string(principal.org),
            "project": .string(principal.project),
            "user": principal.user.map { .string($0) } ?? .null, "roles": .array(principal.roles.map { .string($0) }),
            "connected_at": .integer(connectedAt), "user_session_id": userSessionID.map { .string($0) } ?? .null,
        ]
    }
}
