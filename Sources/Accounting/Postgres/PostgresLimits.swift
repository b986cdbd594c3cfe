/// The limits of the Postgres client, each with its reason.
public enum PostgresLimits {
    /// Connections of one process, each with a thread of its own because libpq waits. One may be busy with a batch of ledger
    /// rows while others answer questions about keys and budgets; a fleet of 25 servers stays at Postgres' default of 100.
    static let connections = 4

    /// Calls that wait for a thread. At 5,000 calls a second this is most of a second: a longer queue only hides that Postgres
    /// does not keep up.
    static let waitingMax = 4_096

    /// How long one call may take in all, waiting for a thread included (milliseconds). Questions stand between a client and
    /// its first token; a batch of rows may have to wait for a busy disk.
    static let readMilliseconds: Int64 = 2_000
    static let writeMilliseconds: Int64 = 10_000

    /// How long a connection may take to be made, and a migration of an existing ledger (milliseconds).
    static let connectMilliseconds: Int64 = 3_000
    static let migrationMilliseconds: Int64 = 120_000

    /// First and longest pause between two attempts to connect (milliseconds). Half of each pause is random, so that a fleet
    /// does not come back in one wave.
    static let backoffFirstMilliseconds: Int64 = 50
    static let backoffLongestMilliseconds: Int64 = 1_000

    /// Repeats of a transaction that lost to another one (serialization failure, deadlock).
    static let conflictRetries = 4

    /// Rows of one append statement. Larger batches gain little and hold the sums of their scopes for longer.
    static let appendRows = 1_000

    /// Days of which a process remembers that the ledger has a partition. Forgetting costs one look each.
    static let knownDays = 4_096

    /// Statements that a connection keeps prepared. The code has about a hundred and fifty, some of which come in as many forms as a
    /// question has; what comes beyond is planned each time.
    static let preparedStatements = 512

    /// Bytes of one answer that are copied out. A page of 200 turns of 8 MiB each cannot be served in one piece anyway.
    static let answerBytesMax = 64 << 20
}
