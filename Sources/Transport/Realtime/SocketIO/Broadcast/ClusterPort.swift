public import JSON

/// The other servers of a cluster, as one server sees them. Without one a server is alone: nobody else is told, and
/// whoever asks the others has all answers at once, none.
///
/// What arrives from another server is handed to ``SocketIOServer/perform(_:namespace:)`` and
/// ``SocketIOServer/answer(_:namespace:timeout:)``. Any thread may call.
public protocol ClusterPort: Sendable {
    /// Tells every other server, never this one. Must not block; the commands of one thread arrive in their order.
    func send(_ command: ClusterCommand, namespace: String)

    /// Asks every other server and puts their answers together; at the deadline with those that came.
    func ask(_ question: ClusterQuestion, namespace: String, timeout: Duration) async -> ClusterAnswers

    /// This server has a namespace now, or has it no longer: told in their order, under a lock, so it must not block. A port that
    /// needs no telling has nothing to do.
    func opened(namespace: String)
    func closed(namespace: String)
}

extension ClusterPort {
    /// Nothing.
    public func opened(namespace: String) {}
    /// Nothing.
    public func closed(namespace: String) {}
}

/// What a server tells the others to do with their sockets of a namespace.
public enum ClusterCommand: Sendable, Hashable {
    case emit(String, [JSONValue], BroadcastTarget, EmitFlags)
    case join([String], BroadcastTarget)
    case leave([String], BroadcastTarget)
    case disconnect(closingSessions: Bool, BroadcastTarget)
    /// An event for the servers themselves (S25).
    case serverSideEmit(String, [JSONValue])
}

/// What a server asks the others.
public enum ClusterQuestion: Sendable, Hashable {
    /// Sends an event; the answers are the first arguments of the acknowledgements (S23).
    case emit(String, [JSONValue], BroadcastTarget, EmitFlags)
    case fetchSockets(BroadcastTarget)
    /// One answer a server (S25).
    case serverSideEmit(String, [JSONValue])
}

/// The answers of some servers to one question.
public struct ClusterAnswers: Sendable {
    /// One a client, or of `serverSideEmit` one a server.
    public var values: [JSONValue]
    /// What `fetchSockets` found.
    public var sockets: [SocketSnapshot]
    /// Clients, or for `serverSideEmit` servers, that have not answered.
    public var missing: Int

    /// No answers, unless given.
    public init(values: [JSONValue] = [], sockets: [SocketSnapshot] = [], missing: Int = 0) {
        self.values = values
        self.sockets = sockets
        self.missing = missing
    }
}
