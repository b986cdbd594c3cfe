/// Maximums of decisions and idempotency keys, with their reasons.
public enum DecisionLimits {
    /// Bytes of an id, of a run and of a call's id: those of model providers have less than 64.
    public static let idBytes = 128
    /// Bytes of a tool's name, a rule and a code. Names of tools have at most 64; what an agent made up is longer and is cut.
    public static let nameBytes = 256
    /// Bytes of a message: a sentence or three.
    public static let messageBytes = 1_024
    /// Hexadecimal digits of a digest: SHA-512 at most.
    public static let digestDigits = 128
    /// Bytes of arguments that are kept as text; of longer ones only the digest is. With them 256 rows are 2 MiB.
    public static let argumentsBytes = 8 << 10
    /// Bytes of what a call is about: an address of a thing, or its number.
    public static let subjectBytes = 1_024
    /// Bytes of what a decision rests on. A session of some hundred steps fits; with it a batch of 256 rows is 10 MiB at the worst.
    public static let detailsBytes = 32 << 10
    /// Roles of a caller: more is no set of roles but a mistake.
    public static let roles = 100

    /// Rows of one append: what one transaction holds up the others for stays in milliseconds.
    public static let batchRows = 256
    /// Decisions that wait for the next transaction, and as many outcomes. At 1 KiB each this is 4 MiB; whoever comes after them
    /// would wait for 16 transactions, and is refused instead.
    public static let waitingRows = 4_096
    /// Decisions of one page.
    public static let page = 200
    /// Decisions of one page of a replay, which nobody reads: 44 MiB at the worst.
    public static let replayPage = 1_000
    /// Calls of a session that one look reads. More than a supervisor believes of a session.
    public static let sessionCalls = 10_000
    /// Rows that the store in memory takes: it is for tests and trials.
    public static let memoryRows = 100_000
}

public enum IdempotencyLimits {
    /// Bytes of a key: a UUID, a digest, or the name of an order.
    public static let keyBytes = 128
    /// Keys of one caller that are kept at once: one in 17 seconds, a whole day long.
    public static let keys = 5_000
    /// Bytes of one outcome: what a tool may return.
    public static let outcomeBytes = 1 << 20
    /// Bytes of all outcomes of one caller. A call that is under way counts as ``outcomeBytes``, so that its outcome has a place.
    public static let callerBytes = 64 << 20
    /// How long a key is kept after its claim has run out (ms): 24 hours. Whoever repeats a call later means another one.
    public static let retention = Milliseconds(86_400_000)
    /// How long a claim may be (ms): 24 hours, longer than any tool may take.
    public static let claim = Milliseconds(86_400_000)
    /// Keys that were kept long enough and that one begin removes. Each begin adds one, so the rest grows less, and 16 MiB of outcomes
    /// are gone in milliseconds.
    public static let pruned = 16
    /// Keys that the store in memory takes of all callers.
    public static let memoryKeys = 100_000
}
