/// Maximums of what is kept for policies: counts, approvals, versions and switches; with their reasons.
public enum PolicyStoreLimits {
    /// Takes of one reservation: a call satisfies some rules, and each has some limits. Beyond it the policies are a mistake.
    public static let takes = 64
    /// Ids of which one reading asks.
    public static let ids = 1_000
    /// How long a reservation is known after it was made (ms): seven days, longer than any call waits for its end. After that it is not
    /// given back, and its name is as good as new.
    public static let reservationRetention = Milliseconds(7 * 86_400_000)
    /// Reservations, and counts of windows that are over, that one reservation removes. Each adds one of the former and few of the latter.
    public static let pruned = 8
    /// Rows of each kind that a store in memory takes: it is for tests and trials.
    public static let memoryRows = 100_000

    /// Bytes of an approval's record: a call's arguments as people see them, and who has said what.
    public static let approvalBytes = 64 << 10
    /// Approvals of one page.
    public static let approvalPage = 200
    /// Bytes of a word for an approval's state.
    public static let stateBytes = 32

    /// Bytes of one version of the policies, all files: a thousand files of 5 KiB.
    public static let versionBytes = 5 << 20
    /// Versions of one list.
    public static let versionPage = 200

    /// Tools that ever had a switch: five times the largest catalogue.
    public static let switches = 5_000
    /// Bytes of who switched and why.
    public static let reasonBytes = 1_024
}
