/// A part of the ledger.
public struct LedgerPage: Sendable {
    public let rows: [LedgerRow]
    /// Pass it as `before` or `after` for the next page; nil at the end.
    public let next: Int64?

    public init(rows: [LedgerRow], next: Int64?) {
        self.rows = rows
        self.next = next
    }
}

/// A ledger that can be read row by row, for lists and exports.
public protocol LedgerPages: LedgerStore {
    /// The newest rows first; of one scope if given. At most ``StoreLimits/page``.
    func page(_ scope: Scope?, before position: Int64?, limit: Int) async throws(LedgerStoreError) -> LedgerPage

    /// The notes of leases of `org` that were suspended and that nobody has settled since: the oldest first, at most
    /// ``StoreLimits/page``.
    func suspended(org: OrgID) async throws(LedgerStoreError) -> [LedgerRow]

    /// The oldest rows first, of those that match. At most ``StoreLimits/page``.
    func rows(_ query: LedgerQuery, after position: Int64?, limit: Int) async throws(LedgerStoreError) -> LedgerPage
}

extension LedgerStore {
    /// All that was ever charged to `scope`.
    public func total(_ scope: Scope) async throws(LedgerStoreError) -> LedgerSum {
        try await sum(scope, from: Milliseconds(.min), to: Milliseconds(.max))
    }
}
