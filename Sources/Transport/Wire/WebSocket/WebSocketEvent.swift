public import NIOCore

/// One whole thing that a WebSocket peer said.
public enum WebSocketEvent: Sendable, Equatable {
    /// A text message; the bytes are valid UTF-8.
    case text(ByteBuffer)
    case binary(ByteBuffer)
    /// A compressed message as it came: to be expanded (RFC 7692 §7.2.2), and text to be validated only then.
    case deflated(ByteBuffer, isText: Bool)
    /// To be answered with a pong of the same payload, before anything that is sent later (§5.5.2).
    case ping(ByteBuffer)
    case pong(ByteBuffer)
    /// The last event of a connection. The code is nil when the peer gave none.
    case close(code: UInt16?, reason: String)
}

/// The opcodes of RFC 6455 §5.2.
public enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Control frames are short, whole, and may stand between the fragments of a message (§5.5).
    public var isControl: Bool { rawValue & 0x8 != 0 }
}

/// Which side of the connection the parser reads for.
public enum WebSocketRole: Sendable {
    /// Reads a client's frames, which must be masked.
    case server
    /// Reads a server's frames, which must not be masked.
    case client
}
