public import JSON

/// The bounds of everything that the Engine.IO and Socket.IO codecs read from a peer.
///
/// The length of one WebSocket message has its own bound in ``WebSocketLimits``; the length of one polling body is
/// bounded by the HTTP front before it gets here.
public struct WireLimits: Sendable, Hashable {
    /// Packets in one polling body (E26). The body's length is the real bound; this one stops a megabyte of two-byte
    /// packets from becoming half a million dispatches. Stock clients stay far below it.
    public var pollingPackets: Int
    /// Binary attachments of one Socket.IO packet (S5, attack 11). The reference parser's default.
    public var attachments: Int
    /// Bytes that the attachments of one packet may hold together while the packet waits for the rest of them
    /// (attack 11): ten messages of the default payload limit, which is what the reference allows.
    public var attachmentBytes: Int
    /// UTF-8 bytes of a namespace (attack 24). Longer names only serve to fill tables.
    public var namespaceBytes: Int
    /// Bounds of every JSON payload (attack 25). Together with the message limit they bound the tree.
    public var json: JSONLimits

    public init(
        pollingPackets: Int = 1_000, attachments: Int = 10, attachmentBytes: Int = 10_000_000, namespaceBytes: Int = 255,
        json: JSONLimits = JSONLimits()
    ) {
        self.pollingPackets = pollingPackets
        self.attachments = attachments
        self.attachmentBytes = attachmentBytes
        self.namespaceBytes = namespaceBytes
        self.json = json
    }
}
