public import NIOCore

/// One Engine.IO packet (E11). What is said of the heartbeat's direction is revision 4's; in revision 3 it is the client
/// that pings (L2). Payloads are slices of what was received.
public enum EngineIOPacket: Sendable, Equatable {
    /// Server to client, first of a session: the JSON of ``OpenPayload`` (E9).
    case open(ByteBuffer)
    /// Either side ends the session (E15, E16).
    case close
    /// Server to client: the heartbeat, empty. Client to server: the upgrade probe, `probe` (E12, E30).
    case ping(ByteBuffer)
    /// The answer to a ping, with the same payload.
    case pong(ByteBuffer)
    /// A text message. The bytes are valid UTF-8.
    case message(ByteBuffer)
    /// A binary message.
    case binary(ByteBuffer)
    /// Client to server: use the new transport from now on (E30).
    case upgrade
    /// Server to client: answers a poll that has nothing to bring (E30).
    case noop
}

extension EngineIOPacket {
    /// The payload of the probe that precedes an upgrade (E30).
    public static let probe = ByteBuffer(staticString: "probe")
}
