public import JSON
internal import NIOCore

/// A socket as it was at one moment, on whichever server it lives (S24).
public struct SocketSnapshot: Sendable {
    /// The socket's public id (S11).
    public let id: String
    /// What the client brought; from another server, what that told of it.
    public let handshake: Handshake
    /// The socket's own room is its id, and the first.
    public let rooms: [String]
    /// ``Socket/data`` at that moment.
    public let data: JSONObject

    /// A snapshot of these parts: for a ``ClusterPort``.
    public init(id: String, handshake: Handshake, rooms: [String], data: JSONObject) {
        self.id = id
        self.handshake = handshake
        self.rooms = rooms
        self.data = data
    }
}

/// A socket that `fetchSockets` found (S24). What is asked of it reaches the socket wherever it lives, and nobody if it
/// has gone.
public struct RemoteSocket: Sendable {
    /// What is known of the socket.
    public let snapshot: SocketSnapshot
    /// The socket as the only receiver.
    public let receiver: BroadcastOperator

    init(_ snapshot: SocketSnapshot, namespace: Namespace) {
        self.snapshot = snapshot
        receiver = namespace.to(snapshot.id)
    }

    /// The socket's public id (S11).
    public var id: String { snapshot.id }
    /// What the client brought.
    public var handshake: Handshake { snapshot.handshake }
    /// The rooms that it was in, its own first.
    public var rooms: [String] { snapshot.rooms }
    /// ``Socket/data`` at that moment.
    public var data: JSONObject { snapshot.data }

    /// Sends an event to the socket, wherever it lives.
    public func emit(_ event: String, _ arguments: [JSONValue] = []) { receiver.emit(event, arguments) }
    /// Makes the socket join rooms.
    public func join(_ rooms: String...) { receiver.socketsJoin(rooms) }
    /// Makes the socket leave rooms.
    public func leave(_ rooms: String...) { receiver.socketsLeave(rooms) }
    /// Disconnects the socket from the namespace; with `closingSession` its session is closed too (S16).
    public func disconnect(closingSession: Bool = false) { receiver.disconnectSockets(closingSessions: closingSession) }
}
