/// An immutable row of the ledger: one charge, or a note about one.
///
/// `at` is the accounting time: the time of the command, but never past the end of the windows that granted the amount.
/// Sums of rows over a window's span therefore equal what the window counts.
public struct LedgerRow: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Consumption while the run goes on.
        case commit
        /// The last difference of a lease, of either sign, on its holder's word.
        case settle
        /// Like `settle`, for a lease that was in suspense.
        case resolve
        /// A correction by an operator.
        case adjust
        /// A note, no charge: the part of a commit or settlement that was above what was held.
        case overrun
        /// A note, no charge: what a dead holder's lease still held.
        case suspense

        /// True when the row's amounts count as used.
        public var isCharge: Bool { self != .overrun && self != .suspense }
    }

    /// `<lease>:<sequence>:<kind>`: the same command always makes the same id, so a row may be written twice.
    public let chargeID: String
    public let kind: Kind
    public let lease: String
    public let attribution: Attribution
    public let nanoUSD: Int64
    /// In notes all tokens stand under `outputVisible`.
    public let usage: UsageClasses
    public let requests: Int64
    public let calls: Int64
    public let estimated: Bool
    public let at: Milliseconds
    /// ``Epoch/number`` of the counters that made the row.
    public let epoch: Int64
    /// ``CounterSlot/index`` of these counters.
    public let slot: Int

    public init(
        chargeID: String, kind: Kind, lease: String, attribution: Attribution, nanoUSD: Int64, usage: UsageClasses,
        requests: Int64, calls: Int64 = 0, estimated: Bool, at: Milliseconds, epoch: Int64 = 0, slot: Int = 0
    ) {
        self.chargeID = chargeID
        self.kind = kind
        self.lease = lease
        self.attribution = attribution
        self.nanoUSD = nanoUSD
        self.usage = usage
        self.requests = requests
        self.calls = calls
        self.estimated = estimated
        self.at = at
        self.epoch = epoch
        self.slot = slot
    }

    /// The counters that made it: whose lives decide whether the ledger takes it.
    public var counters: CounterSlot { CounterSlot(org: attribution.path.org, index: slot) }

    public var amounts: Amounts { Amounts(nanoUSD: nanoUSD, usage: usage, requests: requests, calls: calls) }
}
