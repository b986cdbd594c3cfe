public import Accounting
internal import GRDB

/// Reads usage beside a running server: budgets, the embedded counters where they are loaded, else the ledger.
public struct UsageQuery: UsageStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    /// One consistent reading. Counters in Redis are not seen: there the windows come from ``CounterCommand/read(org:windows:)``.
    public func usage(of scope: Scope, now: Milliseconds) async throws(EmbeddedDatabaseError) -> ScopeUsage {
        let budgets = try await BudgetTable(database).list(scope: scope)
        return try await database.read { db in
            ScopeUsage(
                scope: scope, windows: try Self.windows(of: budgets, now, db),
                totals: try LedgerRecord.sum(scope, from: Milliseconds(.min), to: Milliseconds(.max), db))
        }
    }

    public func windows(of budgets: [Budget], now: Milliseconds) async throws(EmbeddedDatabaseError) -> [WindowSnapshot] {
        try await database.read { db in try Self.windows(of: budgets, now, db) }
    }

    private static func windows(of budgets: [Budget], _ now: Milliseconds, _ db: Database) throws -> [WindowSnapshot] {
        var loaded: [WindowKey: WindowState] = [:]
        for scope in Set(budgets.map(\.scope)) {
            for window in try CounterRecord.windows(scope: scope, db) { loaded[window.key] = window }
        }
        return try budgets.map { budget in
            let ref = budget.window(at: now)
            if let window = loaded[ref.key], window.generation >= ref.generation {
                return WindowSnapshot(
                    key: ref.key, cap: ref.cap, used: window.used, held: window.held, suspense: window.suspense, end: ref.end)
            }
            let sum = try LedgerRecord.sum(budget.scope, model: budget.model, from: ref.start, to: ref.end, db)
            return WindowSnapshot(key: ref.key, cap: ref.cap, used: sum.amounts[ref.key.unit], held: 0, suspense: 0, end: ref.end)
        }
    }

    /// Every scope that has a budget or an org that was ever charged, widest first.
    public func scopes() async throws(EmbeddedDatabaseError) -> [Scope] {
        try await database.read { db in
            let charged = try Row.fetchAll(db, sql: "SELECT DISTINCT org FROM ledger").map { row in Scope.org(try row.org) }
            let limited = try String.fetchAll(db, sql: "SELECT DISTINCT scope FROM all_budgets").compactMap { try? Scope($0) }
            return Set(charged + limited).sorted(by: Scope.areInOrder)
        }
    }
}
