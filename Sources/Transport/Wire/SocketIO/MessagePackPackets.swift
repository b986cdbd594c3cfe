internal import JSON
internal import MessagePack
public import NIOCore

/// How the packets of a server are written (S9). All of its clients must use the same.
public enum PacketParser: String, Sendable, Hashable, CaseIterable {
    /// Text, with binary arguments as attachments: what every client has.
    case json
    /// Each packet as one binary message, as `socket.io-msgpack-parser` and python-socketio's `msgpack` have it.
    case msgpack
}

/// Socket.IO packets as MessagePack: a map of `type`, `nsp`, `data` and `id` in one binary message (S9).
///
/// Source: socket.io-msgpack-parser, whose checks these are, with those of S2, S3 and S6 beside them.
public enum MessagePackPackets {
    /// - Throws: ``WireError``, which is final for the connection (S4).
    public static func decode(_ message: ByteBuffer, limits: WireLimits = WireLimits()) throws(WireError) -> SocketIOPacket {
        let result = message.withUnsafeReadableBytes { bytes in
            Result { () throws(MessagePackError) in try MessagePackReader.read(bytes, limits: limits.json) }
        }
        guard case .success(.object(let object)) = result else { throw .invalidPayload }
        guard let type = object["type"]?.integerValue, let kind = SocketIOPacket.Kind(exactly: type) else {
            throw .unknownKind(UInt8(truncatingIfNeeded: object["type"]?.integerValue ?? -1))
        }
        guard let namespace = object["nsp"]?.stringValue, namespace.hasPrefix("/") else { throw .invalidPayload }
        guard namespace.utf8.count <= limits.namespaceBytes else { throw .namespaceTooLong }
        let id = try ackID(object["id"], of: kind)
        // `undefined` comes as a null.
        let data = object["data"] == .null ? nil : object["data"]
        switch (kind, data) {
        case (.connect, nil), (.connect, .object?), (.disconnect, nil), (.connectError, .string?), (.connectError, .object?),
            (.ack, .array?):
            break
        case (.event, .array(let arguments)?):
            switch arguments.first {
            case .string(let name)?: guard !SocketIOPacket.isReserved(eventName: name) else { throw .reservedEvent }
            case .integer?, .number?: break
            default: throw .invalidPayload
            }
        default: throw .invalidPayload
        }
        return SocketIOPacket(kind: kind, namespace: namespace, ackID: id, data: data)
    }

    private static func ackID(_ value: JSONValue?, of kind: SocketIOPacket.Kind) throws(WireError) -> UInt64? {
        switch value {
        case nil, .null?:
            guard kind != .ack else { throw .invalidAckID }
            return nil
        case .integer(let id)?:
            guard kind == .event || kind == .ack, let id = UInt64(exactly: id), id <= SocketIOPacket.maximumAckID else {
                throw .invalidAckID
            }
            return id
        default: throw .invalidAckID
        }
    }

    /// The kinds with attachments do not exist here: bytes stand in the data.
    public static func encode(_ packet: SocketIOPacket) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.beginMap(2 + (packet.data == nil ? 0 : 1) + (packet.ackID == nil ? 0 : 1))
        writer.value("type")
        writer.value(Int64(packet.kind.withoutAttachments.rawValue))
        if let data = packet.data {
            writer.value("data")
            writer.value(data)
        }
        writer.value("nsp")
        writer.value(packet.namespace)
        if let id = packet.ackID {
            writer.value("id")
            writer.value(Int64(clamping: id))
        }
        return writer.bytes
    }
}

extension SocketIOPacket.Kind {
    /// 0 to 4: the binary twins have no number in this parser.
    fileprivate init?(exactly type: Int64) {
        guard (0...4).contains(type) else { return nil }
        self.init(rawValue: UInt8(type))
    }

    fileprivate var withoutAttachments: SocketIOPacket.Kind {
        switch self {
        case .binaryEvent: .event
        case .binaryAck: .ack
        default: self
        }
    }
}
