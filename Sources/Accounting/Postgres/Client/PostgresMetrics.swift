/// What a call of the database is for.
public enum PostgresCall: String, Sendable, CaseIterable {
    /// A question.
    case read
    /// A change in a transaction.
    case write
    /// A batch of ledger rows.
    case append

    /// How long one may take in all.
    var milliseconds: Int64 { self == .read ? PostgresLimits.readMilliseconds : PostgresLimits.writeMilliseconds }
}

/// Where the database counts what it does. Called from its threads and with its lock held; must not wait.
public protocol PostgresMetrics: Sendable {
    /// How many connections are open now; none while Postgres takes no new one, because those that are idle then are likely dead and
    /// nobody has found out.
    func connectionsChanged(open: Int)
    /// A connection that had been lost was made again.
    func reconnected()
    /// Calls that wait for a connection now.
    func waitingChanged(_ count: Int)
    /// A call that had a connection has ended, well or not; `duration` holds its wait for one.
    func ended(_ call: PostgresCall, after duration: Duration)
}
