/// One life of an org's counters.
///
/// Counters that may lose what they acknowledged (a Redis that restarts, fails over or is flushed) say so by another
/// ``incarnation``. Before they decide anything again the durable root seals the life that ended and numbers the new one;
/// ledger rows of an older number are refused from then on, so what the ledger holds of it is final.
public struct Epoch: Sendable, Hashable {
    /// Grows by one with every life; 0 where counters lose nothing.
    public let number: Int64
    /// Names the process that has the data, for instance Redis' `run_id`; empty where counters lose nothing.
    public let incarnation: String

    public init(number: Int64, incarnation: String) {
        self.number = number
        self.incarnation = incarnation
    }

    public static let embedded = Epoch(number: 0, incarnation: "")
}

/// How far the rebuild after a loss has come for one org.
public struct EpochState: Sendable, Hashable {
    public let epoch: Epoch
    /// True when every process that may have held a lease in an earlier life has brought its leases into this one. Until
    /// then all that the root released and nobody has accounted for counts as spent (``WindowState/unaccounted``).
    public var isCleared: Bool

    public init(epoch: Epoch, isCleared: Bool) {
        self.epoch = epoch
        self.isCleared = isCleared
    }
}

/// A lease of an earlier life that its holder brings into the current one.
public struct AssertLease: Sendable, Hashable {
    public let lease: LeaseKey
    public let holder: LeaseHolder
    public let attribution: Attribution
    public let path: [WindowRef]
    /// What was granted to the lease so far and is not in the ledger: consumed or not, it is held again.
    public let held: Amounts
    /// What the ledger has of the lease. Sealed: no row of an earlier life can be added to it.
    public let spent: Spent
    /// Of the last command that the holder takes for decided.
    public let sequence: Int64
    public let ttl: Milliseconds

    public init(
        lease: LeaseKey, holder: LeaseHolder, attribution: Attribution, path: [WindowRef], held: Amounts, spent: Spent, sequence: Int64,
        ttl: Milliseconds = AccountingLimits.leaseTTL
    ) {
        self.lease = lease
        self.holder = holder
        self.attribution = attribution
        self.path = path
        self.held = held
        self.spent = spent
        self.sequence = sequence
        self.ttl = ttl
    }
}
