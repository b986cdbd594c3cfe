public import Accounting

/// Reads usage from Postgres: budgets and the ledger's sums. The counters are in Redis, so nothing is held here.
public struct PostgresUsage: UsageStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func usage(of scope: Scope, now: Milliseconds) async throws(PostgresError) -> ScopeUsage {
        try await database.read { (connection) throws(PostgresError) in
            try connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") { (connection) throws(PostgresError) in
                let windows = try Self.windows(of: PostgresBudgets.list(scope, &connection), now, &connection)
                let totals = try LedgerStatements.sum(scope, from: Milliseconds(.min), to: Milliseconds(.max), &connection)
                return ScopeUsage(scope: scope, windows: windows, totals: totals)
            }
        }
    }

    public func windows(of budgets: [Budget], now: Milliseconds) async throws(PostgresError) -> [WindowSnapshot] {
        try await database.read { (connection) throws(PostgresError) in
            try connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") { (connection) throws(PostgresError) in
                try Self.windows(of: budgets, now, &connection)
            }
        }
    }

    private static func windows(
        of budgets: [Budget], _ now: Milliseconds, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> [WindowSnapshot] {
        var windows: [WindowSnapshot] = []
        for budget in budgets {
            let ref = budget.window(at: now)
            let sum = try LedgerStatements.sum(budget.scope, model: budget.model, from: ref.start, to: ref.end, &connection)
            windows.append(
                WindowSnapshot(key: ref.key, cap: ref.cap, used: sum.amounts[ref.key.unit], held: 0, suspense: 0, end: ref.end))
        }
        return windows
    }

    public func scopes() async throws(PostgresError) -> [Scope] {
        try await database.read { (connection) throws(PostgresError) in
            let found = try connection.query(
                """
                SELECT scope FROM all_budgets UNION
                SELECT scope FROM ledger_sums WHERE grain = \(LedgerRanges.day) AND scope >= 'org:' AND scope < 'org;'
                """
            ).map { row throws(PostgresError) in try row.text(0) }
            return found.compactMap { try? Scope($0) }.sorted(by: Scope.areInOrder)
        }
    }
}
