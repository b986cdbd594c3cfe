/// The limits of recovery over a stream, each with its reason.
public enum StreamLimits {
    /// Entries that Redis keeps unless the configuration says otherwise: the default of the option `maxLen` of the others' adapter.
    public static let entriesMax = 10_000
    /// Bytes of the data of one entry. A read brings ``readCount`` of them; an event that is larger goes by publish and subscribe.
    static let entryBytesMax = 1 << 20
    /// Entries of one read: the others' `readCount`. With entries of the largest size 64 MiB.
    static let readCount = 64
    /// How long one read waits for entries, in milliseconds. After it a gap is told, and what was given up is noticed.
    static let blockMilliseconds: Int64 = 1_000
    /// How long after it the reply may come: beyond it the connection is taken for dead.
    static let replyMilliseconds: Int64 = 2_000
    /// Commands of this server that wait to be read again, and their bytes. A stream that is read again takes a millisecond: this is
    /// some seconds of the work of a busy server. Beyond it the stream is not kept up with.
    static let pendingMax = 8_192
    static let pendingBytesMax = 32 << 20
    /// How long a socket that comes back waits until its mark is read, in milliseconds.
    static let takeMilliseconds: Int64 = 5_000
    /// Sockets that wait to be kept, each once, and how many of them are on their way.
    static let sessionsWaitingMax = 65_536
    static let sessionsOnTheWayMax = 512
    /// Pause before sockets that could not be kept are tried again, in milliseconds.
    static let sessionRetryMilliseconds: Int64 = 500
    /// Bytes of a kept socket: its data and a thousand rooms with long names, in base64.
    static let sessionBytesMax = 1 << 20
    /// Pause after a fault, in milliseconds.
    static let pauseMilliseconds: Int64 = 200
    /// How long the end of the process waits for what is still to be kept, in milliseconds.
    static let farewellMilliseconds: Int64 = 2_000
}
