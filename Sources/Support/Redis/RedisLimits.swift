/// The limits of the Redis client, each with its reason.
public enum RedisLimits {
    /// Commands that may wait for a reply on one connection, abandoned ones included. At 200,000 replies a second this is 20 ms of
    /// work: a longer queue only hides that Redis does not keep up.
    public static let outstandingMax = 4_096

    /// How long a caller waits for one reply, in milliseconds. A grant is prefetched well before a run needs it, so a second is late
    /// already; longer would make a refusal (503) feel like a hang.
    public static let deadlineMilliseconds: Int64 = 1_000

    /// When the oldest command has waited this many deadlines the connection is given up: replies come in order, so nothing behind it
    /// can arrive either, and a half-open TCP connection would otherwise live for ever.
    public static let stallDeadlines: Int64 = 3

    /// How long one TCP connect and the preparation after it (AUTH, SELECT, FUNCTION LOAD) may take, in milliseconds.
    public static let connectMilliseconds: Int64 = 2_000

    /// First and longest pause between two attempts to reconnect, in milliseconds. Half of each pause is random, so that a fleet does
    /// not come back in one wave.
    public static let backoffFirstMilliseconds: Int64 = 25
    public static let backoffLongestMilliseconds: Int64 = 1_000

    /// Bytes of an unfinished reply that are kept. The largest reply we ask for is a batch of ledger entries, well under 1 MiB.
    public static let replyBytesMax = 8 << 20

    /// Elements of one array in a reply. A batch of ledger entries has `outboxBatchMax`; a function's reply a few dozen.
    public static let replyElementsMax = 65_536

    /// Nesting of a reply. Ours reach 4 (stream → entries → entry → fields); hiredis itself refuses more than 7.
    public static let replyDepthMax = 7

    /// Bytes of one command. An `open` over a path of 16 windows is about 2 KiB.
    public static let commandBytesMax = 1 << 20

    /// Bytes of one message that a subscriber keeps; a longer one is skipped and reported. As much as a reply.
    public static let messageBytesMax = 8 << 20

    /// Subscriptions of one connection. A Socket.IO namespace has three, and a server at most 10,000 children of a dynamic one.
    public static let topicsMax = 65_536

    /// Topics of one SUBSCRIBE: with names of 300 bytes a command of 150 KiB.
    static let topicsPerCommandMax = 512

    /// How often a subscriber looks whether its connection is alive, in milliseconds, and after how many looks without a sign of life
    /// it is given up: 4 to 6 s, well before a question to other servers has timed out twice.
    static let subscriberTickMilliseconds: Int64 = 2_000
    static let subscriberSilentTicksMax = 3

    /// Nodes of a cluster that an address may name. One that is away takes up to ``connectMilliseconds`` and a deadline of the start, so
    /// a longer list would only keep a server from saying that it has no Redis; three are enough to find the others.
    package static let seedsMax = 16

    /// Times that one command is sent to another master of a cluster before it counts as unanswered.
    package static let redirectsMax = 4

    /// How often at most the map of slots is asked for while a master does not answer, in milliseconds.
    package static let slotsMilliseconds: Int64 = 100
}
