/// What a process has to say of a lease that its counters have forgotten.
public struct LeaseClaim: Sendable, Hashable {
    public let lease: LeaseKey
    public let attribution: Attribution
    public let path: [WindowRef]
    /// All that was granted since it was opened, as far as this process knows.
    public var granted: Amounts

    public init(lease: LeaseKey, attribution: Attribution, path: [WindowRef], granted: Amounts) {
        self.lease = lease
        self.attribution = attribution
        self.path = path
        self.granted = granted
    }

    /// Nothing more will be spent: the rest may have been freed already, and others may have it.
    mutating func settle(_ spent: Spent) { granted = granted.lowerBound(spent.amounts).upperBound(.zero) }
}

/// What became of a claim.
enum ClaimOutcome: Sendable {
    /// The store has the lease.
    case known
    /// The ledger has its last charge: nothing is missing.
    case settled
    /// Not now, or never: a store did not answer, or refused.
    case failed
}

/// A settlement that the store has not taken yet; ``Accountant/run()`` brings it home.
package struct PendingSettlement: Sendable {
    package let command: SettleLease
    /// Nil for an opening that was never answered: nothing was spent from it, so nobody misses it.
    let claim: LeaseClaim?
    /// Set for an opening that was given up: until then (monotonic) it may still reach the store, after its settlement.
    var mayOpenUntil: Milliseconds?
    /// Its place on the board, for as long as it is not settled.
    var note: (any LeaseNote)?

    /// For the board: what it will have come to.
    var progress: LeaseProgress {
        LeaseProgress(sequence: command.sequence, granted: claim?.granted ?? .zero, spent: command.spent)
    }
}

/// A settlement that is not known to be in the ledger, and how far it has come.
struct OpenSettlement: Sendable {
    enum Phase: Sendable, Hashable {
        /// Somebody waits for it, or has still to say what it is: a call of a tool that was reserved.
        case underway
        /// Left to ``Accountant/run()``.
        case postponed
        /// The counters have taken it in this life, and may lose it yet.
        case settled(Epoch)
    }

    var settlement: PendingSettlement
    var phase: Phase
}
