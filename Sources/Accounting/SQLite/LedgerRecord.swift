internal import Accounting
internal import GRDB

/// Ledger rows in and out of SQL.
enum LedgerRecord {
    private static let columns = """
        charge_id, kind, is_charge, lease, org, project, user, key, run, model, price_version, nano_usd, input_fresh, \
        input_cache_read, input_cache_write, output_visible, output_reasoning, requests, estimated, at, epoch, slot, calls
        """

    /// Leaves out what is there already, and rows of a life of their counters that was sealed.
    ///
    /// - Returns: how many rows were new.
    static func insert(_ rows: [LedgerRow], _ db: Database) throws -> Int {
        var sealed: [CounterSlot: Int64] = [:]
        for name in Set(rows.map(\.counters)) { sealed[name] = try EpochRecord.current(name, db)?.epoch.number ?? 0 }
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO ledger (\(columns)) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (charge_id) DO NOTHING
                """)
        var inserted = 0
        // The embedded counters' rows have epoch 0 and lose nothing, whatever Redis went through before them.
        for row in rows where row.epoch == 0 || row.epoch == sealed[row.counters] {
            let path = row.attribution.path
            try statement.execute(arguments: [
                row.chargeID, row.kind.rawValue, row.kind.isCharge, row.lease, path.org, path.project, path.user, path.key,
                row.attribution.run, row.attribution.model, row.attribution.priceVersion, row.nanoUSD, row.usage.inputFresh,
                row.usage.inputCacheRead, row.usage.inputCacheWrite, row.usage.outputVisible, row.usage.outputReasoning, row.requests,
                row.estimated, row.at.rawValue, row.epoch, row.slot, row.calls,
            ])
            inserted += db.changesCount
        }
        return inserted
    }

    static func sum(_ scope: Scope, model: String? = nil, from: Milliseconds, to: Milliseconds, _ db: Database) throws -> LedgerSum {
        let (charges, arguments) = charges(scope, model: model, from: from, to: to)
        let row = try Row.fetchOne(db, sql: "SELECT \(totals) \(charges)", arguments: arguments)
        return row.map { decodeSum($0, first: 0) } ?? LedgerSum()
    }

    /// By slot.
    static func sums(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds, _ db: Database) throws -> [Int: LedgerSum] {
        let (charges, arguments) = charges(scope, model: model, from: from, to: to)
        let rows = try Row.fetchAll(db, sql: "SELECT slot, \(totals) \(charges) GROUP BY slot", arguments: arguments)
        return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], decodeSum($0, first: 1)) })
    }

    private static let totals = """
        sum(nano_usd), sum(input_fresh), sum(input_cache_read), sum(input_cache_write), sum(output_visible), \
        sum(output_reasoning), sum(requests), sum(calls)
        """

    private static func charges(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds
    ) -> (sql: String, arguments: StatementArguments) {
        var (filter, names) = condition(scope)
        if let model {
            filter += " AND model = ?"
            names.append(model)
        }
        let span: StatementArguments = [from.rawValue, to.rawValue]
        return ("FROM ledger WHERE is_charge AND at >= ? AND at < ? AND \(filter)", span + StatementArguments(names))
    }

    static func decodeSum(_ row: Row, first: Int) -> LedgerSum {
        func value(_ index: Int) -> Int64 { row[first + index] ?? 0 }
        return LedgerSum(
            nanoUSD: value(0),
            usage: UsageClasses(
                inputFresh: value(1), inputCacheRead: value(2), inputCacheWrite: value(3), outputVisible: value(4),
                outputReasoning: value(5)),
            requests: value(6), calls: value(7))
    }

    static func condition(_ scope: Scope) -> (sql: String, names: [String]) {
        switch scope {
        case .org(let org): ("org = ?", [org.text])
        case .project(let org, let project): ("org = ? AND project = ?", [org.text, project])
        case .user(let org, let project, let user): ("org = ? AND project = ? AND user = ?", [org.text, project, user])
        case .key(let key): ("key = ?", [key])
        }
    }

    /// The newest rows first, before `position` if given.
    static func page(_ scope: Scope?, before position: Int64?, limit: Int, _ db: Database) throws -> [(position: Int64, row: LedgerRow)] {
        let (filter, names) = scope.map(condition) ?? ("1", [])
        let sql = "SELECT position, \(columns) FROM ledger WHERE position < ? AND \(filter) ORDER BY position DESC LIMIT ?"
        let arguments: StatementArguments = [position ?? Int64.max]
        let rows = try Row.fetchAll(db, sql: sql, arguments: arguments + StatementArguments(names) + [limit])
        return try rows.map { (position: $0["position"], row: try decode($0)) }
    }

    static func suspended(org: OrgID, limit: Int, _ db: Database) throws -> [LedgerRow] {
        let sql = """
            SELECT \(columns) FROM ledger s WHERE org = ? AND kind = 'suspense' AND NOT EXISTS (SELECT 1 FROM ledger e
            WHERE e.run = s.run AND e.lease = s.lease AND e.org = s.org AND e.kind IN ('settle', 'resolve')) ORDER BY position LIMIT ?
            """
        return try Row.fetchAll(db, sql: sql, arguments: [org, limit]).map(decode)
    }

    static func rows(of lease: LeaseKey, run: String, _ db: Database) throws -> [LedgerRow] {
        let sql = "SELECT \(columns) FROM ledger WHERE run = ? AND lease = ? AND org = ?"
        return try Row.fetchAll(db, sql: sql, arguments: [run, lease.id, lease.org.org]).map(decode)
    }

    /// The oldest rows first, after `position` if given.
    static func rows(_ query: LedgerQuery, after position: Int64?, limit: Int, _ db: Database) throws -> [(position: Int64, row: LedgerRow)]
    {
        let (filter, matching) = condition(query)
        let arguments: StatementArguments = [position ?? Int64.min]
        let sql = "SELECT position, \(columns) FROM ledger WHERE position > ? AND \(filter) ORDER BY position LIMIT ?"
        return try Row.fetchAll(db, sql: sql, arguments: arguments + matching + [limit])
            .map { (position: $0["position"], row: try decode($0)) }
    }

    static func condition(_ query: LedgerQuery) -> (sql: String, arguments: StatementArguments) {
        var filters = ["1"]
        var arguments = StatementArguments()
        if let scope = query.scope {
            let (filter, names) = condition(scope)
            filters.append(filter)
            arguments += StatementArguments(names)
        }
        if let run = query.run {
            filters.append("run = ?")
            arguments += [run]
        }
        if let user = query.user {
            filters.append("user = ?")
            arguments += [user]
        }
        if let from = query.from {
            filters.append("at >= ?")
            arguments += [from.rawValue]
        }
        if let to = query.to {
            filters.append("at < ?")
            arguments += [to.rawValue]
        }
        return (filters.joined(separator: " AND "), arguments)
    }

    private static func decode(_ row: Row) throws -> LedgerRow {
        guard let kind = LedgerRow.Kind(rawValue: row["kind"]) else { throw EmbeddedDatabaseError.failed("unknown ledger kind") }
        let path = try TenancyPath(org: row.org, project: row["project"], user: row["user"], key: row["key"])
        return LedgerRow(
            chargeID: row["charge_id"], kind: kind, lease: row["lease"],
            attribution: Attribution(path: path, run: row["run"], model: row["model"], priceVersion: row["price_version"]),
            nanoUSD: row["nano_usd"],
            usage: UsageClasses(
                inputFresh: row["input_fresh"], inputCacheRead: row["input_cache_read"], inputCacheWrite: row["input_cache_write"],
                outputVisible: row["output_visible"], outputReasoning: row["output_reasoning"]),
            requests: row["requests"], calls: row["calls"], estimated: row["estimated"], at: Milliseconds(row["at"]), epoch: row["epoch"],
            slot: row["slot"])
    }
}
