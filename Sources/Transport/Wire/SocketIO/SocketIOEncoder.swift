import JSON
public import NIOCore

/// A packet ready for Engine.IO: one text message, then its attachments as binary messages (S1).
public struct EncodedSocketIOPacket: Sendable, Equatable {
    public var text: ByteBuffer
    public var attachments: [ByteBuffer]

    public init(text: ByteBuffer, attachments: [ByteBuffer] = []) {
        self.text = text
        self.attachments = attachments
    }
}

/// Writes Socket.IO packets, byte for byte as the reference does.
///
/// Reserved event names (S3) are the caller's check, ``SocketIOPacket/isReserved(eventName:)``: the encoder also
/// serves the load generator, which sends what it likes.
public enum SocketIOEncoder {
    /// Encodes a packet; EVENT and ACK become their binary twins when the data holds bytes (S8). Bytes have no meaning
    /// in the other kinds.
    public static func encode(_ packet: SocketIOPacket) -> EncodedSocketIOPacket {
        var writer = JSONWriter()
        if let data = packet.data { writer.value(data) }
        let attachments = writer.attachments
        let kind: SocketIOPacket.Kind =
            switch packet.kind {
            case .event, .binaryEvent: attachments.isEmpty ? .event : .binaryEvent
            case .ack, .binaryAck: attachments.isEmpty ? .ack : .binaryAck
            default: packet.kind
            }
        var text = header(
            kind: kind, attachments: attachments.count, namespace: packet.namespace, ackID: packet.ackID,
            reserving: writer.bytes.count)
        text.writeBytes(writer.bytes)
        return EncodedSocketIOPacket(text: text, attachments: attachments.map { ByteBuffer(bytes: $0) })
    }

    /// Builds the text of an EVENT without a tree: `name` is quoted here, the arguments are JSON texts already.
    public static func event(
        namespace: String = "/", ackID: UInt64? = nil, name: String, argumentsJSON arguments: [UInt8]...
    ) -> ByteBuffer {
        event(namespace: namespace, ackID: ackID, name: name, argumentsJSON: arguments)
    }

    /// Builds the text of an EVENT without a tree: `name` is quoted here, the arguments are JSON texts already.
    public static func event(
        namespace: String = "/", ackID: UInt64? = nil, name: String, argumentsJSON arguments: [[UInt8]]
    ) -> ByteBuffer {
        var length = name.utf8.count + 4
        for argument in arguments { length += argument.count + 1 }
        var text = header(kind: .event, attachments: 0, namespace: namespace, ackID: ackID, reserving: length)
        text.writeInteger(UInt8(ascii: "["))
        writeQuoted(name, into: &text)
        for argument in arguments {
            text.writeInteger(UInt8(ascii: ","))
            text.writeBytes(argument)
        }
        text.writeInteger(UInt8(ascii: "]"))
        return text
    }

    private static func writeQuoted(_ name: String, into text: inout ByteBuffer) {
        let needsEscape = name.utf8.contains { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
        if needsEscape {
            text.writeBytes(JSONValue.string(name).jsonBytes)
        } else {
            text.writeInteger(UInt8(ascii: "\""))
            text.writeString(name)
            text.writeInteger(UInt8(ascii: "\""))
        }
    }

    /// Everything before the JSON, in a buffer with room for `length` bytes of it.
    private static func header(
        kind: SocketIOPacket.Kind, attachments: Int, namespace: String, ackID: UInt64?, reserving length: Int
    ) -> ByteBuffer {
        let isMain = namespace == "/"
        // One type digit, up to 16 digits of an ack id, and a few of the attachment count.
        var text = ByteBufferAllocator().buffer(capacity: length + (isMain ? 24 : namespace.utf8.count + 25))
        text.writeInteger(UInt8(ascii: "0") + kind.rawValue)
        if kind == .binaryEvent || kind == .binaryAck {
            writeDecimal(UInt64(attachments), into: &text)
            text.writeInteger(UInt8(ascii: "-"))
        }
        if !isMain {
            text.writeString(namespace)
            text.writeInteger(UInt8(ascii: ","))
        }
        if let ackID { writeDecimal(ackID, into: &text) }
        return text
    }

    private static func writeDecimal(_ number: UInt64, into text: inout ByteBuffer) {
        text.writeString(String(number))
    }
}
