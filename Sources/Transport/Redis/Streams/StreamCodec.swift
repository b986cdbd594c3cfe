internal import JSON
internal import MessagePack
internal import NIOCore
internal import Transport
internal import TransportWire

/// What stands in the stream, in the format of @socket.io/redis-streams-adapter 0.3: the fields `uid`, `nsp`, `type` and `data`, which
/// is JSON, or base64 of MessagePack when there are bytes in it.
///
/// Two things are ours, and read over by the others: the field `kdc`, by which a server knows its own entries, and entries of the
/// type 0 in a namespace that cannot be, which say something about the stream.
///
/// Source: socketio.md §3.4, §3.5.
enum StreamCodec {
    /// The types of messages that belong into the stream.
    private enum Kind: Int64 {
        case mark = 0
        case broadcast = 3
        case join, leave, disconnect
    }

    enum Mark: Sendable, Hashable {
        /// A server reads along from here.
        case start
        /// Something that was emitted before is missing.
        case gap
        /// An event for these is missing.
        case lost(BroadcastTarget, namespace: String)
        /// A socket has gone on at the server that says so.
        case taken(String)
    }

    enum Message: Sendable, Hashable {
        case command(ClusterCommand, namespace: String)
        case mark(Mark)
        /// A message that is not about sockets here: a heartbeat, a question.
        case other
    }

    struct Fields: Sendable, Hashable {
        let namespace: String
        let type: String
        let data: [UInt8]
    }

    /// The field by which a server knows its own entries.
    static let numberField = "kdc"
    /// Who wrote an entry, for the others: a publisher. A server's own name would make the adapter's version 0.2 wait for its
    /// answers, which do not come this way.
    static let writer = "emitter"
    /// Where marks are: names of namespaces begin with a slash.
    private static let markNamespace = "kdcube"

    // MARK: Writing

    static func fields(of command: ClusterCommand, namespace: String) -> Fields {
        switch command {
        case .emit(let event, let arguments, let target, let flags):
            let packet: JSONValue = ["type": 2, "data": .array([.string(event)] + arguments)]
            return fields(.broadcast, namespace, ["opts": opts(target, flags), "packet": packet])
        case .join(let rooms, let target): return fields(.join, namespace, ["opts": opts(target), "rooms": names(rooms)])
        case .leave(let rooms, let target): return fields(.leave, namespace, ["opts": opts(target), "rooms": names(rooms)])
        case .disconnect(let closes, let target):
            return fields(.disconnect, namespace, ["opts": opts(target), "close": .bool(closes)])
        case .serverSideEmit: preconditionFailure("this is for servers that are there now")
        }
    }

    static func fields(of mark: Mark) -> Fields {
        switch mark {
        case .start: fields(.mark, markNamespace, ["mark": "start"])
        case .gap: fields(.mark, markNamespace, ["mark": "gap"])
        case .lost(let target, let namespace):
            fields(.mark, markNamespace, ["mark": "lost", "nsp": .string(namespace), "opts": opts(target)])
        case .taken(let id): fields(.mark, markNamespace, ["mark": "taken", "sid": .string(id)])
        }
    }

    private static func fields(_ kind: Kind, _ namespace: String, _ data: JSONValue) -> Fields {
        Fields(namespace: namespace, type: String(kind.rawValue), data: text(data))
    }

    /// JSON, unless something in it is binary. What begins with a brace is JSON: base64 has none.
    private static func text(_ data: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(data)
        guard !writer.attachments.isEmpty else { return writer.bytes }
        return encode(data)
    }

    static func encode(_ value: JSONValue) -> [UInt8] {
        let packed = MessagePackWriter.bytes(of: value)
        var text = ByteBuffer()
        text.reserveCapacity(Base64.encodedLength(of: packed.count))
        Base64.encode(ByteBuffer(bytes: packed), into: &text)
        return Array(buffer: text)
    }

    private static func names(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }

    private static func opts(_ target: BroadcastTarget, _ flags: EmitFlags = EmitFlags()) -> JSONValue {
        var wishes = JSONObject()
        if flags.isVolatile { wishes["volatile"] = true }
        if !flags.compresses { wishes["compress"] = false }
        return ["rooms": names(target.rooms ?? []), "except": names(target.except), "flags": .object(wishes)]
    }

    // MARK: Reading

    /// How a server knows its entry again: its own name and number.
    static func signature(_ number: UInt64, uid: String) -> String { "\(uid) \(number)" }

    /// This server's own number of an entry; nil for one of another.
    static func number(of entry: StreamEntry, uid: String) -> UInt64? {
        guard let text = entry.fields[numberField], text.hasPrefix(uid + " ") else { return nil }
        return UInt64(text.dropFirst(uid.utf8.count + 1))
    }

    static func message(of entry: StreamEntry) throws(ClusterRefusal) -> Message {
        guard let namespace = entry.fields["nsp"], let type = entry.fields["type"].flatMap({ Int64($0) }) else { throw .shape }
        guard let kind = Kind(rawValue: type) else { return .other }
        let data = try value(entry.fields["data"] ?? "")
        guard case .object(let fields) = data else { throw .shape }
        let opts = fields["opts"] ?? .null
        switch kind {
        case .mark: return namespace == markNamespace ? try mark(fields, opts) : .other
        case .broadcast:
            // One that asks for answers, of an older adapter: its answers come another way.
            if let id = fields["requestId"], id != .null { return .other }
            let (event, arguments, _) = try ClusterDecoder.packet(fields["packet"] ?? .null)
            return .command(
                .emit(event, arguments, try ClusterDecoder.target(opts), try ClusterDecoder.flags(opts["flags"])), namespace: namespace)
        case .join:
            return .command(.join(try ClusterDecoder.names(fields["rooms"]), try ClusterDecoder.target(opts)), namespace: namespace)
        case .leave:
            return .command(.leave(try ClusterDecoder.names(fields["rooms"]), try ClusterDecoder.target(opts)), namespace: namespace)
        case .disconnect:
            return .command(
                .disconnect(closingSessions: fields["close"]?.boolValue ?? false, try ClusterDecoder.target(opts)), namespace: namespace)
        }
    }

    private static func mark(_ fields: JSONObject, _ opts: JSONValue) throws(ClusterRefusal) -> Message {
        switch fields["mark"]?.stringValue {
        case "start": return .mark(.start)
        case "gap": return .mark(.gap)
        case "lost":
            guard let namespace = fields["nsp"]?.stringValue else { throw .shape }
            return .mark(.lost(try ClusterDecoder.target(opts), namespace: namespace))
        case "taken":
            guard let id = fields["sid"]?.stringValue else { throw .shape }
            return .mark(.taken(id))
        default: return .other
        }
    }

    private static func value(_ text: String) throws(ClusterRefusal) -> JSONValue {
        guard text.utf8.count <= ClusterLimits.messageBytesMax else { throw .tooLong }
        guard text.utf8.first == UInt8(ascii: "{") else { return try decode(text) }
        guard let value = try? JSONValue(parsing: text, limits: ClusterLimits.json) else { throw .malformed }
        return value
    }

    static func decode(_ text: String) throws(ClusterRefusal) -> JSONValue {
        guard let packed = Base64.decode(ByteBuffer(string: text)) else { throw .malformed }
        let value = packed.withUnsafeReadableBytes { bytes in
            try? MessagePackReader.read(bytes, limits: ClusterLimits.json, dates: .text)
        }
        guard let value else { throw .malformed }
        return value
    }
}
