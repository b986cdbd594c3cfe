/// The limits of the counters in Redis and of their outbox, each with its reason.
public enum CounterLimits {
    /// Ledger entries read and written in one batch: SQLite and Postgres are both at their best between 100 and 500 rows.
    public static let outboxBatchMax = 256

    /// Paths of live leases that a store remembers. A forgotten one costs its next command a second round trip, nothing else; live
    /// streams of one process are far fewer.
    public static let knownLeasesMax = 100_000

    /// Leases that one reap of one org suspends at most: the next comes soon, and an event loop must not be held up by a mass death.
    static let reapBatchMax = 128
    static let reapBatchesMax = 8

    /// How long the outbox rests when nothing happened, in milliseconds: the age of a row in the ledger, seen from `usage`.
    static let outboxIdleMilliseconds: Int64 = 20

    /// How often all orgs are looked at, not only those that this process moved amounts in, in milliseconds.
    static let outboxSweepMilliseconds: Int64 = 2_000

    /// After this long without an acknowledgement rows are taken over from the consumer that read them, in milliseconds. Longer than
    /// any healthy commit; taking over too early only appends rows twice, which the ledger ignores.
    public static let outboxClaimMilliseconds: Int64 = 10_000

    /// First and longest pause after a failed append or read, in milliseconds.
    static let outboxRetryMilliseconds: ClosedRange<Int64> = 50...1_000

    /// Largest integer that Lua's doubles hold exactly: 2^53.
    static let exactInteger: Int64 = 1 << 53
}
