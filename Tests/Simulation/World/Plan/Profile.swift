/// Which kinds of trouble a world may have. A seed picks one of ``all`` unless told otherwise.
public struct Profile: Sendable {
    public let name: String
    /// Of 1,000 requests, replies: how many are lost; how many requests arrive twice; how many are very late.
    var lostRequests: Int64 = 0
    var lostReplies: Int64 = 0
    var doubled: Int64 = 0
    var late: Int64 = 0
    /// How many of each fault at most; each seed has between none and that many.
    var crashes: Int64 = 0
    var pauses: Int64 = 0
    var clockJumps: Int64 = 0
    var storeClockJumps: Int64 = 0
    var storeOutages: Int64 = 0
    var ledgerOutages: Int64 = 0
    var directoryOutages: Int64 = 0
    /// Caps that go up or down.
    var capChanges: Int64 = 0
    /// Budgets that are added, removed, or removed and made again.
    var budgetChanges: Int64 = 0
    /// Of 1,000 runs: the upstream reports something else than it sent.
    var liars: Int64 = 0
    /// Of 1,000 runs: ended by the client or by an operator.
    var interrupted: Int64 = 0
    /// Windows are short and roll while runs stream.
    var rolls = false
    /// The store comes back with an older state, or with none.
    var storeLosses: Int64 = 0
    /// Counters that are made anew from the ledger while streams go on.
    var rebuilds: Int64 = 0

    /// Each org's counters are split over several slots.
    var isSplit = false

    public static let all: [Profile] = [
        Profile(name: "calm", interrupted: 100),
        Profile(name: "rolls", interrupted: 100, rolls: true),
        Profile(name: "network", lostRequests: 60, lostReplies: 80, doubled: 80, late: 60, interrupted: 150),
        Profile(name: "crash", lostReplies: 20, crashes: 3, interrupted: 100),
        Profile(name: "pause", doubled: 20, pauses: 3, interrupted: 100),
        Profile(name: "clocks", pauses: 1, clockJumps: 4, storeClockJumps: 2, rolls: true),
        Profile(name: "outage", storeOutages: 3, ledgerOutages: 3, directoryOutages: 2, interrupted: 100),
        Profile(name: "budgets", lostReplies: 20, capChanges: 6, interrupted: 100),
        Profile(name: "directory", budgetChanges: 4, interrupted: 100),
        Profile(name: "added", lostReplies: 20, doubled: 20, late: 20, ledgerOutages: 1, budgetChanges: 16, interrupted: 100, rolls: true),
        Profile(
            name: "addedloss", lostReplies: 20, crashes: 1, budgetChanges: 12, interrupted: 100, rolls: true, storeLosses: 2, rebuilds: 1),
        Profile(name: "liars", lostReplies: 20, liars: 700, interrupted: 200),
        Profile(name: "loss", interrupted: 100, storeLosses: 2),
        Profile(
            name: "losses", lostRequests: 30, lostReplies: 40, doubled: 30, late: 20, crashes: 2, pauses: 1, storeOutages: 1,
            ledgerOutages: 2, capChanges: 2, interrupted: 100, storeLosses: 4, rebuilds: 1),
        Profile(name: "slots", interrupted: 100, isSplit: true),
        Profile(name: "slot-caps", lostReplies: 30, doubled: 60, late: 40, capChanges: 4, interrupted: 100, isSplit: true),
        Profile(
            name: "slot-losses", lostRequests: 30, lostReplies: 40, doubled: 30, late: 20, crashes: 2, pauses: 1, storeOutages: 1,
            ledgerOutages: 1, capChanges: 2, interrupted: 100, storeLosses: 2, rebuilds: 1, isSplit: true),
        Profile(
            name: "everything", lostRequests: 30, lostReplies: 40, doubled: 40, late: 30, crashes: 2, pauses: 2, clockJumps: 2,
            storeClockJumps: 1, storeOutages: 2, ledgerOutages: 2, directoryOutages: 1, capChanges: 3, budgetChanges: 2, liars: 200,
            interrupted: 200, rolls: true, storeLosses: 1),
    ]

    public static func named(_ name: String) -> Profile? { all.first { $0.name == name } }
}
