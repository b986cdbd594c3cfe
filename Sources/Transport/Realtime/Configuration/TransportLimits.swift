internal import NIOCore

/// Limits that protect the process and that nobody had a reason to tune yet. What an operator tunes is in
/// ``TransportConfiguration``.
public enum TransportLimits {
    /// Sessions of a process. Polling sessions hold no descriptor, so nothing else bounds them: one that never polls
    /// lives `pingInterval + pingTimeout`.
    public static let sessionsMax = 200_000
    /// Namespaces that one session has joined or is joining. Ours has two; the rest is room for users of the library.
    public static let namespacesPerSessionMax = 16
    /// Bytes of the query behind a namespace, where a client of Socket.IO 2 has its credentials (L5): room for a token of
    /// 8 KiB with its escapes.
    public static let namespaceQueryBytesMax = 16 * 1024
    /// Rooms that one socket is in. A socket follows a few runs and conversations at a time.
    public static let roomsPerSocketMax = 1_000
    /// Bytes of a room's name, as Centrifuge bounds channel names.
    public static let roomNameBytesMax = 255
    /// Acknowledgements that a socket owes us at one time; a client that answers none fills this and no more.
    public static let acksPerSocketMax = 1_000
    /// From the end of a feed to the moment at which a drain may end the connection. Clients hand what they receive to tasks, and hear of
    /// the end of the connection at once: python-socketio's handlers would be told of it before the last events.
    static let feedRest = TimeAmount.milliseconds(200)
    /// Feeds of a socket: runs that it follows at one time.
    public static let feedsPerSocketMax = 256
    /// Bytes that a feed may write in one turn, so that one socket does not hold its event loop.
    public static let feedTurnBytesMax = 64 * 1024
    /// A session above this takes no more from feeds: NIO's high-water mark, so a feed is read when the kernel takes data.
    public static let highWaterBytes = 64 * 1024
    /// Parameters of a query string. Engine.IO has six; the rest belongs to the application.
    public static let queryParametersMax = 64
    /// Packets of a session that its rate limits drop before it is closed, unless it pauses. Each costs a parse: a client that has not
    /// understood a thousand refusals will not.
    public static let droppedPacketsMax = 1_000
    /// Parsed messages on their way from the connection's loop to the session's. Above it, the connection is not read.
    public static let inboundHopBytesMax = 256 * 1024
    /// Bytes of small frames that are gathered into one write.
    public static let corkBytesMax = 16 * 1024
    /// Bytes of a polling answer from which on it is compressed, as in the reference (E24): below, the head outweighs it.
    public static let compressionBytesMin = 1_024
    /// Bytes that are compressed on the event loop, which takes them less than a millisecond. More go to a thread.
    public static let compressionTurnBytesMax = 64 * 1024
    /// Bytes of frames that an event loop remembers with what they became when compressed, for the other members of a room.
    static let rememberedFrameBytesMax = 256 * 1024
    /// Bytes of the initial packet (E10), which every session is sent.
    public static let initialPacketBytesMax = 64 * 1024
    /// Bytes that the open packet and its separator take at most in a polling body.
    static let openPacketBytesMax = 256
    /// Fields that a header hook adds to an answer (E34): several times what cookies, policies and traces need.
    public static let hookFieldsMax = 32
    /// Bytes of one field of a hook: a cookie's, which browsers bound at 4,096.
    public static let hookFieldBytesMax = 4_096
    /// Bytes of all fields of a hook: proxies take 8 KiB of header, and the server's own fields need some of it.
    public static let hookBytesMax = 6 * 1024
    /// A session that is closing over polling waits this long for the poll that collects the close packet (E16).
    static let pollingCloseSeconds: Int64 = 30
    /// A WebSocket that was sent a close frame has this long to close its side.
    static let webSocketCloseSeconds: Int64 = 5
}
