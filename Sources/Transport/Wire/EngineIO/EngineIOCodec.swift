public import NIOCore

/// The text form of one Engine.IO packet: a type digit and data, or `b` and base64 (E11, E23, E28); and its binary form.
public enum EngineIOCodec {
    /// What revision 3 has before the data of a binary message, in place of a type digit (L4).
    package static let binaryMessageType: UInt8 = 4

    /// Decodes one WebSocket text message or one segment of a polling body.
    ///
    /// The caller guarantees UTF-8. `b` stands for binary on WebSockets too, for clients that force base64; in revision 3
    /// the type digit follows it, and only messages are binary (L3).
    public static func decode(text: ByteBuffer, revision: EngineIORevision = .four) throws(WireError) -> EngineIOPacket {
        guard let type = text.getInteger(at: text.readerIndex, as: UInt8.self) else { throw .emptyPacket }
        var payload = text
        payload.moveReaderIndex(forwardBy: 1)
        switch type {
        case UInt8(ascii: "4"): return .message(payload)
        case UInt8(ascii: "3"): return .pong(payload)
        case UInt8(ascii: "2"): return .ping(payload)
        case UInt8(ascii: "0"): return .open(payload)
        case UInt8(ascii: "1"): return try bare(.close, payload)
        case UInt8(ascii: "5"): return try bare(.upgrade, payload)
        case UInt8(ascii: "6"): return try bare(.noop, payload)
        case UInt8(ascii: "b"):
            if revision == .three {
                guard let inner = payload.readInteger(as: UInt8.self) else { throw .emptyPacket }
                guard inner == UInt8(ascii: "4") else { throw .unknownPacketType(inner) }
            }
            guard let data = Base64.decode(payload) else { throw .invalidBase64 }
            return .binary(data)
        default: throw .unknownPacketType(type)
        }
    }

    /// Decodes one WebSocket binary message: the data of a message, with its type before it in revision 3 (L4).
    public static func decode(binary: ByteBuffer, revision: EngineIORevision) throws(WireError) -> EngineIOPacket {
        guard revision == .three else { return .binary(binary) }
        var data = binary
        guard let type = data.readInteger(as: UInt8.self) else { throw .emptyPacket }
        guard type == binaryMessageType else { throw .unknownPacketType(type) }
        return .binary(data)
    }

    /// Appends the text form; binary becomes `b` and base64.
    public static func encode(_ packet: EngineIOPacket, into output: inout ByteBuffer) {
        output.writeInteger(typeByte(of: packet))
        switch packet {
        case .open(let payload), .ping(let payload), .pong(let payload), .message(let payload):
            output.writeImmutableBuffer(payload)
        case .binary(let payload):
            Base64.encode(payload, into: &output)
        case .close, .upgrade, .noop:
            break
        }
    }

    /// The length in bytes of the text form.
    public static func encodedLength(of packet: EngineIOPacket) -> Int {
        switch packet {
        case .open(let payload), .ping(let payload), .pong(let payload), .message(let payload): 1 + payload.readableBytes
        case .binary(let payload): 1 + Base64.encodedLength(of: payload.readableBytes)
        case .close, .upgrade, .noop: 1
        }
    }

    /// The first byte of the text form.
    public static func typeByte(of packet: EngineIOPacket) -> UInt8 {
        switch packet {
        case .open: UInt8(ascii: "0")
        case .close: UInt8(ascii: "1")
        case .ping: UInt8(ascii: "2")
        case .pong: UInt8(ascii: "3")
        case .message: UInt8(ascii: "4")
        case .upgrade: UInt8(ascii: "5")
        case .noop: UInt8(ascii: "6")
        case .binary: UInt8(ascii: "b")
        }
    }

    private static func bare(_ packet: EngineIOPacket, _ payload: ByteBuffer) throws(WireError) -> EngineIOPacket {
        guard payload.readableBytes == 0 else { throw .unexpectedPayload }
        return packet
    }
}
