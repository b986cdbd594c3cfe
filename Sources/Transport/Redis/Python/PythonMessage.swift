internal import JSON
internal import NIOCore
internal import Transport
internal import TransportWire

/// What python-socketio's managers publish on their one channel, as JSON since 5.14: read alone, so that Python programs with
/// `RedisManager(write_only=True)` reach the sockets here.
///
/// Before 5.14 it was a pickle, which nobody can read without running it: refused (attack 18). Callbacks go to the server that set them,
/// so `callback` is nobody's here, and the acknowledgement that an `emit` asks for is not asked of clients.
enum PythonMessage {
    /// - Returns: nil for a message that is for others.
    static func read(_ bytes: ByteBuffer) throws(ClusterRefusal) -> (ClusterCommand, namespace: String)? {
        guard bytes.readableBytes <= ClusterLimits.messageBytesMax else { throw .tooLong }
        let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self)
        // PROTO, with which every pickle since protocol 2 begins.
        guard first != 0x80 else { throw .pickle }
        let value = bytes.withUnsafeReadableBytes { try? JSONValue(parsing: $0, limits: ClusterLimits.json) }
        guard let value else { throw .malformed }
        guard case .object(let fields) = value, let method = fields["method"]?.stringValue else { throw .shape }
        let namespace = fields["namespace"]?.stringValue ?? "/"
        switch method {
        case "emit": return (try emit(fields), namespace)
        case "disconnect":
            return (.disconnect(closingSessions: false, BroadcastTarget(rooms: [try ClusterDecoder.name(fields["sid"])])), namespace)
        case "enter_room":
            let socket = BroadcastTarget(rooms: [try ClusterDecoder.name(fields["sid"])])
            return (.join([try ClusterDecoder.name(fields["room"])], socket), namespace)
        case "leave_room":
            let socket = BroadcastTarget(rooms: [try ClusterDecoder.name(fields["sid"])])
            return (.leave([try ClusterDecoder.name(fields["room"])], socket), namespace)
        case "close_room":
            let room = try ClusterDecoder.name(fields["room"])
            return (.leave([room], BroadcastTarget(rooms: [room])), namespace)
        case "callback": return nil
        default: throw .unknownType
        }
    }

    private static func emit(_ fields: JSONObject) throws(ClusterRefusal) -> ClusterCommand {
        guard let event = fields["event"]?.stringValue else { throw .shape }
        guard !SocketIOPacket.isReserved(eventName: event) else { throw .reservedEvent }
        var data = fields["data"] ?? .null
        if fields["binary"] == true { data = try withBytes(data) }
        // A tuple is several arguments, and `None` alone is none.
        let arguments: [JSONValue]
        switch data {
        case .null, .array([.null]): arguments = []
        case .array(let elements): arguments = elements
        default: arguments = [data]
        }
        let rooms = try ClusterDecoder.names(fields["room"])
        let target = BroadcastTarget(rooms: rooms.isEmpty ? nil : rooms, except: try ClusterDecoder.names(fields["skip_sid"]))
        return .emit(event, arguments, target, EmitFlags())
    }

    /// `[data with placeholders, base64, …]`.
    private static func withBytes(_ data: JSONValue) throws(ClusterRefusal) -> JSONValue {
        guard case .array(let parts) = data, let tree = parts.first, parts.count - 1 <= WireLimits().attachments else { throw .shape }
        var attachments: [[UInt8]] = []
        for part in parts.dropFirst() {
            guard let text = part.stringValue, let bytes = Base64.decode(ByteBuffer(string: text)) else { throw .shape }
            attachments.append([UInt8](bytes.readableBytesView))
        }
        do { try SocketIOPlaceholder.check(tree, count: attachments.count) } catch { throw .shape }
        return SocketIOPlaceholder.fill(tree, from: attachments)
    }
}
