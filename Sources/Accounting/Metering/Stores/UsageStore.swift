/// What `kdcube usage` and `GET /v1/quota` show of one scope (contract.md §1).
public struct ScopeUsage: Sendable {
    public let scope: Scope
    /// The running window of each budget of the scope.
    public let windows: [WindowSnapshot]
    /// All that was ever charged.
    public let totals: LedgerSum

    public init(scope: Scope, windows: [WindowSnapshot], totals: LedgerSum) {
        self.scope = scope
        self.windows = windows
        self.totals = totals
    }
}

/// Reads usage beside a running server. Counters that are kept elsewhere are not seen: there the windows come from
/// ``CounterCommand/read(org:windows:)``.
public protocol UsageStore: Sendable {
    /// One consistent reading.
    func usage(of scope: Scope, now: Milliseconds) async throws -> ScopeUsage
    /// The running windows of these budgets, in their order: also of budgets that are not set.
    func windows(of budgets: [Budget], now: Milliseconds) async throws -> [WindowSnapshot]
    /// Every scope that has a budget or an org that was ever charged, widest first.
    func scopes() async throws -> [Scope]
}

extension Scope {
    /// Widest kind first, then by text.
    public static func areInOrder(_ left: Scope, _ right: Scope) -> Bool {
        let order = Kind.allCases
        let (first, second) = (order.firstIndex(of: left.kind) ?? 0, order.firstIndex(of: right.kind) ?? 0)
        return first == second ? left.text < right.text : first < second
    }
}
