internal import Synchronization

/// Where a process writes down what it spends from its leases, so that whoever comes after it can settle them to the token.
///
/// A lease is posted before it is opened and noted before each token is forwarded: what is on the board is never less than what a client
/// received. The board outlives its process, not its machine.
public protocol LeaseBoard: Sendable {
    /// Where the board has no room the lease is spent without evidence, and the board says so until its note is removed.
    func post(_ claim: LeaseClaim) -> any LeaseNote

    /// True when nothing is on it: its process may leave.
    var isEmpty: Bool { get }
}

/// The place of one lease on a board. ``note(_:)`` is called by one task at a time.
public protocol LeaseNote: Sendable {
    /// Overwrites what was noted before. Takes no longer than writing to memory.
    func note(_ progress: LeaseProgress)
    /// The lease is settled, or was never opened.
    func remove()
}

/// What changes of a lease while it is spent.
public struct LeaseProgress: Sendable, Hashable {
    /// Of the last command that the lease's holder has made.
    public var sequence: Int64
    /// All that was granted since it was opened.
    public var granted: Amounts
    /// All that was taken from it, by the holder's own count.
    public var spent: Spent

    public init(sequence: Int64 = 0, granted: Amounts = .zero, spent: Spent = .zero) {
        self.sequence = sequence
        self.granted = granted
        self.spent = spent
    }
}

/// What a process left behind.
public struct LeftBehind: Sendable {
    public let holder: LeaseHolder
    public let leases: [(claim: LeaseClaim, progress: LeaseProgress)]
    /// False when some of its leases had no room on the board: then nobody can answer for it in full.
    public let isComplete: Bool

    public init(holder: LeaseHolder, leases: [(claim: LeaseClaim, progress: LeaseProgress)], isComplete: Bool) {
        self.holder = holder
        self.leases = leases
        self.isComplete = isComplete
    }
}

extension Accountant {
    /// Settles what a dead process of this machine held, by what it had noted, and leaves in its place. May be repeated.
    ///
    /// A call of a tool that was reserved and not decided may have happened or not, and nobody can tell: it stays in suspense, and the dead
    /// process is waited for as one that cannot be answered for in full.
    ///
    /// - Returns: false when a store did not answer: try again later.
    public func settle(_ left: LeftBehind) async -> Bool {
        // Whoever speaks for a dead process speaks after it.
        let orgs = Set(left.leases.map(\.claim.lease.org)).sorted()
        for org in orgs where root != nil && state.withLock({ $0.lives[org] == nil }) {
            guard await recover(org: org) else { return false }
        }
        let lives = state.withLock { $0.lives }
        let successor = LeaseHolder(node: holder.node, fence: max(holder.fence, left.holder.fence + 1))
        var isComplete = left.isComplete
        for (claim, progress) in left.leases {
            let isCall = claim.attribution.tool != nil
            guard !isCall || progress.sequence > 0 else {
                isComplete = false
                continue
            }
            var spent = progress.spent
            spent.estimated = spent.estimated || !isCall
            let command = SettleLease(
                lease: claim.lease, holder: successor, sequence: progress.sequence + AccountingLimits.successorSteps, spent: spent)
            var claim = claim
            claim.granted = progress.granted
            claim.settle(spent)
            if case .failed = await trySettle(PendingSettlement(command: command, claim: claim)) { return false }
        }
        guard isComplete, let root else { return true }
        // Counters that lost data meanwhile may have lost a settlement that no ledger has.
        for org in orgs {
            guard let present = await flush(org: org), present == lives[org] else { return false }
        }
        do { try await root.leave(left.holder) } catch { return false }
        return true
    }
}
