internal import JSON
internal import Transport

/// A broadcast as it travels: the array `[uid, packet, opts]`.
struct ClusterBroadcast: Sendable, Hashable {
    /// The server that sent it; `emitter` for an external publisher.
    var uid: String
    var namespace: String
    var event: String
    var arguments: [JSONValue]
    var target: BroadcastTarget
    var flags: EmitFlags
}

/// What one server asks of the others, or tells them.
struct ClusterRequest: Sendable, Hashable {
    /// The types' numbers on the wire.
    enum Kind: Int64, Sendable {
        case sockets, allRooms, join, leave, disconnect, fetch, serverSideEmit, broadcast, clientCount, ack
    }

    enum Body: Sendable, Hashable {
        /// The ids of the sockets in these rooms.
        case sockets(BroadcastTarget)
        case allRooms
        /// A command about sockets. In the old form it names one socket, and whoever has it answers.
        case command(ClusterCommand, socket: String?)
        case fetch(BroadcastTarget)
        case serverSideEmit(String, [JSONValue])
        /// A broadcast that is to be acknowledged; the time is what its sender waits.
        case broadcast(String, [JSONValue], BroadcastTarget, EmitFlags, milliseconds: Int64?)
    }

    /// Nil for an external publisher.
    var uid: String?
    /// Nil when nobody waits for an answer.
    var id: String?
    var body: Body
}

/// An answer to a ``ClusterRequest``.
struct ClusterResponse: Sendable, Hashable {
    enum Body: Sendable, Hashable {
        /// Of a look-up: ids, or whole sockets.
        case sockets([JSONValue])
        case rooms([String])
        /// Done, with nothing to say.
        case done
        case serverSideEmit(JSONValue)
        case clientCount(Int)
        case ack(JSONValue)
    }

    var id: String
    var body: Body
}

/// Why a message was not acted on. Nothing of it is kept in the error: it may be anybody's.
enum ClusterRefusal: String, Error, Sendable, Hashable, CaseIterable {
    /// No MessagePack or JSON within the limits.
    case malformed
    /// A value that this kind of message does not have.
    case shape
    case tooLong = "too_long"
    /// An event that belongs to the protocol (S3).
    case reservedEvent = "reserved_event"
    case unknownType = "unknown_type"
    /// A pickle of Python: to read one is to run it (attack 18).
    case pickle
    /// More than this server does at one time.
    case overloaded
}
