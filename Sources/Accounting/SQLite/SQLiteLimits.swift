/// Every maximum of the embedded store, with its reason.
public enum SQLiteLimits {
    /// How long one process waits for another's transaction (seconds). The server's take milliseconds, a command line
    /// tool's as well; five seconds only pass when something is wrong.
    static let busySeconds = 5.0
    /// Commands that wait for the next transaction. At 300 bytes each this is three megabytes; beyond it the store says
    /// that it is overloaded.
    static let waitingCommands = 10_000
}
