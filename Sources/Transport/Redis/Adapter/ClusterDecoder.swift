internal import JSON
internal import MessagePack
internal import NIOCore
internal import Transport
internal import TransportWire

/// Reads the messages of @socket.io/redis-adapter and @socket.io/redis-emitter, and of those who write like them.
///
/// Lenient where other emitters differ without meaning something else: absent, null and empty stand for "none", and a room that is a
/// number is its text. Everything else is a ``ClusterRefusal``.
enum ClusterDecoder {
    /// Nil for a message of the newer adapters, whose channels have the same names: those are maps.
    static func broadcast(_ bytes: ByteBuffer) throws(ClusterRefusal) -> ClusterBroadcast? {
        let value = try self.value(bytes)
        if case .object = value { return nil }
        guard case .array(let parts) = value, parts.count >= 3, let uid = parts[0].stringValue else { throw .shape }
        let (event, arguments, namespace) = try packet(parts[1])
        return ClusterBroadcast(
            uid: uid, namespace: namespace ?? "/", event: event, arguments: arguments, target: try target(parts[2]),
            flags: try flags(parts[2]["flags"]))
    }

    static func request(_ bytes: ByteBuffer) throws(ClusterRefusal) -> ClusterRequest {
        guard case .object(let fields) = try value(bytes), let type = fields["type"]?.integerValue else { throw .shape }
        guard let kind = ClusterRequest.Kind(rawValue: type) else { throw .unknownType }
        return ClusterRequest(uid: fields["uid"]?.stringValue, id: fields["requestId"]?.stringValue, body: try body(kind, fields))
    }

    static func response(_ bytes: ByteBuffer) throws(ClusterRefusal) -> ClusterResponse {
        guard case .object(let fields) = try value(bytes), let id = fields["requestId"]?.stringValue else { throw .shape }
        return ClusterResponse(id: id, body: try answer(fields))
    }

    // MARK: Parts

    private static func value(_ bytes: ByteBuffer) throws(ClusterRefusal) -> JSONValue {
        guard bytes.readableBytes <= ClusterLimits.messageBytesMax else { throw .tooLong }
        let isJSON = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) == UInt8(ascii: "{")
        let value = bytes.withUnsafeReadableBytes { bytes -> JSONValue? in
            isJSON
                ? try? JSONValue(parsing: bytes, limits: ClusterLimits.json)
                : try? MessagePackReader.read(bytes, limits: ClusterLimits.json, dates: .text)
        }
        guard let value else { throw .malformed }
        return value
    }

    private static func body(_ kind: ClusterRequest.Kind, _ fields: JSONObject) throws(ClusterRefusal) -> ClusterRequest.Body {
        switch kind {
        case .sockets: return .sockets(BroadcastTarget(rooms: try rooms(fields["rooms"])))
        case .allRooms: return .allRooms
        case .join, .leave: return try roomCommand(kind, fields)
        case .disconnect:
            let closes = fields["close"]?.boolValue ?? false
            guard let opts = fields["opts"], opts != .null else {
                let id = try name(fields["sid"])
                return .command(.disconnect(closingSessions: closes, BroadcastTarget(rooms: [id])), socket: id)
            }
            return .command(.disconnect(closingSessions: closes, try target(opts)), socket: nil)
        case .fetch: return .fetch(try target(fields["opts"] ?? .null))
        case .serverSideEmit:
            let (event, arguments) = try event(fields["data"])
            return .serverSideEmit(event, arguments)
        case .broadcast:
            let (event, arguments, _) = try packet(fields["packet"] ?? .null)
            let opts = fields["opts"] ?? .null
            return .broadcast(
                event, arguments, try target(opts), try flags(opts["flags"]), milliseconds: opts["flags"]?["timeout"]?.integerValue)
        case .clientCount, .ack: throw .unknownType
        }
    }

    private static func roomCommand(_ kind: ClusterRequest.Kind, _ fields: JSONObject) throws(ClusterRefusal) -> ClusterRequest.Body {
        let rooms: [String]
        let target: BroadcastTarget
        let socket: String?
        if let opts = fields["opts"], opts != .null {
            (rooms, target, socket) = (try names(fields["rooms"]), try self.target(opts), nil)
        } else {
            let id = try name(fields["sid"])
            (rooms, target, socket) = ([try name(fields["room"])], BroadcastTarget(rooms: [id]), id)
        }
        return .command(kind == .join ? .join(rooms, target) : .leave(rooms, target), socket: socket)
    }

    private static func answer(_ fields: JSONObject) throws(ClusterRefusal) -> ClusterResponse.Body {
        switch fields["type"]?.integerValue.flatMap(ClusterRequest.Kind.init(rawValue:)) {
        case .serverSideEmit: return .serverSideEmit(fields["data"] ?? .null)
        case .clientCount:
            guard let count = fields["clientCount"]?.integerValue, (0...Int64(Int32.max)).contains(count) else { throw .shape }
            return .clientCount(Int(count))
        case .ack: return .ack(fields["packet"] ?? .null)
        default: break
        }
        if let sockets = fields["sockets"]?.arrayValue { return .sockets(sockets) }
        if let rooms = fields["rooms"] { return .rooms(try names(rooms)) }
        return .done
    }

    /// `{type, data, nsp}`.
    static func packet(_ value: JSONValue) throws(ClusterRefusal) -> (String, [JSONValue], namespace: String?) {
        guard case .object(let fields) = value else { throw .shape }
        // An event, or, by older emitters, one with binary arguments.
        guard let type = fields["type"]?.integerValue, type == 2 || type == 5 else { throw .unknownType }
        let (event, arguments) = try event(fields["data"])
        return (event, arguments, fields["nsp"]?.stringValue)
    }

    private static func event(_ data: JSONValue?) throws(ClusterRefusal) -> (String, [JSONValue]) {
        guard case .array(let parts)? = data, let name = parts.first?.stringValue else { throw .shape }
        guard !SocketIOPacket.isReserved(eventName: name) else { throw .reservedEvent }
        return (name, Array(parts.dropFirst()))
    }

    /// `{rooms, except}`: no rooms means all sockets. What is no object means nothing: it must not come to mean everybody.
    static func target(_ opts: JSONValue) throws(ClusterRefusal) -> BroadcastTarget {
        guard case .object = opts else { throw .shape }
        return BroadcastTarget(rooms: try rooms(opts["rooms"]), except: try names(opts["except"]))
    }

    private static func rooms(_ value: JSONValue?) throws(ClusterRefusal) -> [String]? {
        let names = try names(value)
        return names.isEmpty ? nil : names
    }

    static func flags(_ value: JSONValue?) throws(ClusterRefusal) -> EmitFlags {
        EmitFlags(isVolatile: value?["volatile"]?.boolValue ?? false, compresses: value?["compress"]?.boolValue ?? true)
    }

    static func names(_ value: JSONValue?) throws(ClusterRefusal) -> [String] {
        switch value {
        case nil, .null?, .string("")?: return []
        case .array(let elements)?:
            guard elements.count <= ClusterLimits.roomsMax else { throw .shape }
            var names: [String] = []
            for element in elements { names.append(try name(element)) }
            return names
        case .some(let single): return [try name(single)]
        }
    }

    static func name(_ value: JSONValue?) throws(ClusterRefusal) -> String {
        guard let text = value?.stringValue ?? value?.numberText else { throw .shape }
        return text
    }
}
