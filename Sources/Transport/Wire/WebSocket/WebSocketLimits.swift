/// The bounds of what one WebSocket peer may send.
public struct WebSocketLimits: Sendable, Hashable {
    /// Bytes of one message, checked on the declared length of a frame before any of it is buffered, and on the running
    /// total of fragments (attack 12). The default is the `maxPayload` that Engine.IO announces (E9).
    public var messageBytes: Int
    /// Frames of one message (attack 16). Browsers fragment at 100 KiB or so, and stock clients not at all; a message
    /// of the default limit in 4,096 frames still has frames of 244 bytes.
    public var fragments: Int

    public init(messageBytes: Int = 1_000_000, fragments: Int = 4_096) {
        self.messageBytes = messageBytes
        self.fragments = fragments
    }
}
