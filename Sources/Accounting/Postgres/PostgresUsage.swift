public import Accounting

/// Reads usage from Postgres: budgets and the ledger's sums. The counters are in Redis, so nothing is held here.
public struct PostgresUsage: UsageStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func usage(of scope: Scope, now: Milliseconds) async throws(PostgresError) -> ScopeUsage {
        try await database.read { (connection) throws(PostgresError) in
            try connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") { (connection) throws(PostgresError) in
                var windows: [WindowSnapshot] = []
                for budget in try PostgresBudgets.list(scope, &connection) {
                    let ref = budget.window(at: now)
                    let sum = try LedgerStatements.sum(scope, model: budget.model, from: ref.start, to: ref.end, &connection)
                    windows.append(
                        WindowSnapshot(key: ref.key, cap: ref.cap, used: sum.amounts[ref.key.unit], held: 0, suspense: 0, end: ref.end))
                }
                let totals = try LedgerStatements.sum(scope, from: Milliseconds(.min), to: Milliseconds(.max), &connection)
                return ScopeUsage(scope: scope, windows: windows, totals: totals)
            }
        }
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
