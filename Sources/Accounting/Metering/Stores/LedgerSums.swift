/// What one run was charged for one model, within the span of a query.
public struct RunCharges: Sendable, Hashable {
    /// ``Attribution/priceVersion`` is empty: a run's charges may be of several.
    public let attribution: Attribution
    public let sum: LedgerSum
    /// True when any of the charges is.
    public let estimated: Bool
    /// Accounting time of the first and the last charge.
    public let first: Milliseconds
    public let last: Milliseconds

    public init(attribution: Attribution, sum: LedgerSum, estimated: Bool, first: Milliseconds, last: Milliseconds) {
        self.attribution = attribution
        self.sum = sum
        self.estimated = estimated
        self.first = first
        self.last = last
    }
}

public struct RunChargesPage: Sendable {
    public let runs: [RunCharges]
    /// Pass it as `before` for the next page; nil at the end.
    public let next: Int64?

    public init(runs: [RunCharges], next: Int64?) {
        self.runs = runs
        self.next = next
    }
}

/// What a key was charged for a user's runs of one model in one day of UTC.
public struct DayCharges: Sendable, Hashable {
    /// The day's beginning.
    public let day: Milliseconds
    public let key: String?
    public let user: String?
    public let model: String
    public let nanoUSD: Int64

    public init(day: Milliseconds, key: String?, user: String?, model: String, nanoUSD: Int64) {
        self.day = day
        self.key = key
        self.user = user
        self.model = model
        self.nanoUSD = nanoUSD
    }
}

/// A ledger that adds its charges up, for reports. What is asked for without a span of time or a run costs a reading of all its rows.
public protocol LedgerSums: LedgerPages {
    /// The runs with the newest charges first; at most ``StoreLimits/page``.
    func runs(_ query: LedgerQuery, before position: Int64?, limit: Int) async throws(LedgerStoreError) -> RunChargesPage

    /// The oldest day first; at most ``StoreLimits/dayCharges``, and one more where there are more.
    func days(_ query: LedgerQuery) async throws(LedgerStoreError) -> [DayCharges]

    /// The cells of a report, the oldest step first; none where nothing was charged.
    func spend(_ query: SpendQuery) async throws(LedgerStoreError) -> [SpendCell]
}
