public import JSON
internal import RedisClient

/// The limits of a cluster on one Redis, each with its reason.
public enum ClusterLimits {
    /// Bytes of one message, to and from other servers; a longer one is neither sent nor read. Whoever has more to say should store it
    /// and send where it is.
    public static let messageBytesMax = RedisLimits.messageBytesMax
    /// Bytes of messages on their way to Redis. Beyond it Redis does not keep up, and what waits would only come late.
    public static let sendingBytesMax = 32 << 20
    /// Depth and members as for clients (`JSONLimits`): what arrives is sent on to them.
    public static let json = JSONLimits()
    /// Rooms that one message names: ten times what one socket may be in.
    public static let roomsMax = 10_000
    /// Questions of this server that wait for others: each holds the answers that came.
    public static let questionsMax = 1_024
    /// Questions of other servers that are being answered.
    public static let answeringMax = 256
    /// Events of other servers for this one that wait for their handler.
    public static let serverSideQueueMax = 1_024
    /// Bytes of the answers that one question keeps. Those beyond it count as missing.
    public static let answerBytesMax = 64 << 20
    /// The longest that a broadcast of another server waits for acknowledgements here, whatever it says.
    public static let ackSeconds: Int64 = 600
    /// How often the servers are counted again while some have not answered, in milliseconds: one that has died is not waited for.
    public static let recountMilliseconds: Int64 = 500
    /// Servers that are remembered as down, to be left out while Redis still counts their connections.
    public static let downMax = 64
}
