/// Every maximum of the embedded store, with its reason.
public enum SQLiteLimits {
    /// How long one process waits for another's transaction (seconds). The server's take milliseconds, a command line
    /// tool's as well; five seconds only pass when something is wrong.
    static let busySeconds = 5.0
    /// Commands that wait for the next transaction. At 300 bytes each this is three megabytes; beyond it the store says
    /// that it is overloaded.
    static let waitingCommands = 10_000
    /// Rows that a list returns at most.
    public static let page = 500
    /// Bytes of a user's text or an answer that are kept: more than any model's context.
    public static let turnBytes = 4 << 20
    /// Turns that are kept of one conversation; the oldest go first.
    public static let turnsPerConversation = 1_000
}
