/// Which rows of the ledger are wanted. What is nil does not matter.
public struct LedgerQuery: Sendable, Hashable {
    public var scope: Scope?
    public var run: String?
    /// Whatever the project.
    public var user: String?
    /// Accounting time, inclusive.
    public var from: Milliseconds?
    /// Exclusive.
    public var to: Milliseconds?

    public init(scope: Scope? = nil, run: String? = nil, user: String? = nil, from: Milliseconds? = nil, to: Milliseconds? = nil) {
        self.scope = scope
        self.run = run
        self.user = user
        self.from = from
        self.to = to
    }
}

extension LedgerPages {
    /// Every row that matches, page by page in the order in which they were appended: memory for one page, however long the ledger is.
    ///
    /// Rows that another server appends meanwhile may or may not be among them.
    public func forEachPage<Failure: Error>(
        of query: LedgerQuery, limit: Int = StoreLimits.page, _ body: ([LedgerRow]) async throws(Failure) -> Void
    ) async throws {
        var position: Int64?
        repeat {
            let page = try await rows(query, after: position, limit: limit)
            if !page.rows.isEmpty { try await body(page.rows) }
            position = page.next
        } while position != nil
    }

    /// The charges and notes of one run, in order; at most ``StoreLimits/page``, which no run of sane length reaches.
    public func rows(ofRun run: String) async throws(LedgerStoreError) -> [LedgerRow] {
        try await rows(LedgerQuery(run: run), after: nil, limit: StoreLimits.page).rows
    }
}
