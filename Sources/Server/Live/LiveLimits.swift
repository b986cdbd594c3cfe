internal import Accounting

/// Maximums of what servers say of their live runs, with their reasons.
enum LiveLimits {
    /// Rows of live runs in a server's report: at half a kilobyte each it stays a megabyte a second. The totals count all.
    static let rows = 2_000
    /// Organisations whose totals and minutes a report names; the rest is counted together, under no name.
    static let orgs = 200
    /// Minutes that `now` looks back.
    static let minutes = 60
    /// Windows of an organisation that a console watches: more are not looked at by anybody at once. The widest scopes come first.
    static let windows = 200
    /// Windows that are summed from the ledger in one round: those that no counters have loaded yet.
    static let sums = 20
    /// Up to so many live runs are looked at four times a second while somebody watches; more of them once a second.
    static let closelyWatchedRuns = 500
    /// Organisations that are watched at once; a console beyond it is sent away.
    static let watchedOrgs = 1_000
    /// How far back a stream's speed looks (ms): long enough not to flicker, short enough to follow.
    static let rateSpan: Int64 = 5_000
    /// A model that has been silent for so long (ms) is waited for.
    static let silence: Int64 = 2_000
    /// A report comes at least so often (ms), also when nothing happens.
    static let idleInterval: Int64 = 5_000
    /// Approvals that are counted; more are told as so many.
    static let approvals = 100
}
