public import JSON
internal import NIOCore

/// A socket as it was at one moment, on whichever server it lives (S24).
public struct SocketSnapshot: Sendable {
    public let id: String
    public let handshake: Handshake
    /// The socket's own room is its id, and the first.
    public let rooms: [String]
    public let data: JSONObject

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
    public let snapshot: SocketSnapshot
    /// The socket as the only receiver.
    public let receiver: BroadcastOperator

    init(_ snapshot: SocketSnapshot, namespace: Namespace) {
        self.snapshot = snapshot
        receiver = namespace.to(snapshot.id)
    }

    public var id: String { snapshot.id }
    public var handshake: Handshake { snapshot.handshake }
    public var rooms: [String] { snapshot.rooms }
    public var data: JSONObject { snapshot.data }

    public func emit(_ event: String, _ arguments: [JSONValue] = []) { receiver.emit(event, arguments) }
    public func join(_ rooms: String...) { receiver.socketsJoin(rooms) }
    public func leave(_ rooms: String...) { receiver.socketsLeave(rooms) }
    public func disconnect(closingSession: Bool = false) { receiver.disconnectSockets(closingSessions: closingSession) }
}
