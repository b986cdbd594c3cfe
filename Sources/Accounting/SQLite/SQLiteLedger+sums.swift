public import Accounting
internal import GRDB

extension SQLiteLedger: LedgerSums {
    public func runs(_ query: LedgerQuery, before position: Int64?, limit: Int) async throws(LedgerStoreError) -> RunChargesPage {
        let limit = min(max(1, limit), StoreLimits.page)
        let (filter, matching) = LedgerRecord.condition(query)
        let sql = """
            SELECT run, org, project, user, key, model, sum(nano_usd) AS nano_usd, sum(input_fresh) AS input_fresh,
                sum(input_cache_read) AS input_cache_read, sum(input_cache_write) AS input_cache_write,
                sum(output_visible) AS output_visible, sum(output_reasoning) AS output_reasoning, sum(requests) AS requests,
                sum(calls) AS calls,
                max(estimated) AS estimated, min(at) AS first, max(at) AS last, max(position) AS newest
            FROM ledger WHERE is_charge AND \(filter) GROUP BY run, org, project, user, key, model
            HAVING newest < ? ORDER BY newest DESC LIMIT ?
            """
        do {
            return try await database.read { db in
                let rows = try Row.fetchAll(db, sql: sql, arguments: matching + [position ?? Int64.max, limit])
                return RunChargesPage(runs: try rows.map(Self.charges), next: rows.count == limit ? rows.last?["newest"] : nil)
            }
        } catch {
            throw .failed(error.description)
        }
    }

    public func days(_ query: LedgerQuery) async throws(LedgerStoreError) -> [DayCharges] {
        let (filter, matching) = LedgerRecord.condition(query)
        let sql = """
            SELECT at / 86400000 AS day, key, user, model, sum(nano_usd) AS nano_usd FROM ledger WHERE is_charge AND \(filter)
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT ?
            """
        do {
            return try await database.read { db in
                try Row.fetchAll(db, sql: sql, arguments: matching + [StoreLimits.dayCharges + 1]).map { row in
                    let day: Int64 = row["day"]
                    return DayCharges(
                        day: Milliseconds(day * 86_400_000), key: row["key"], user: row["user"], model: row["model"],
                        nanoUSD: row["nano_usd"])
                }
            }
        } catch {
            throw .failed(error.description)
        }
    }

    /// Every org of the ledger, from one to the next by the index of org and time, which so serves a question about all of them too.
    private static let orgs = """
        WITH RECURSIVE names (org) AS (
            SELECT min(org) FROM ledger UNION ALL SELECT (SELECT min(org) FROM ledger WHERE org > names.org) FROM names WHERE org IS NOT NULL
        ) SELECT org FROM names WHERE org IS NOT NULL
        """

    public func spend(_ query: SpendQuery) async throws(LedgerStoreError) -> [SpendCell] {
        let (filter, matching) = LedgerRecord.condition(LedgerQuery(scope: query.scope, from: query.from, to: query.to))
        let more = query.scope == nil ? " AND org IN (\(Self.orgs))" : ""
        let sql = SpendStatement.sql(query.by, step: String(query.step.length.rawValue), user: "user", key: "key", where: filter + more)
        do {
            return try await database.read { db in
                try Row.fetchAll(db, sql: sql, arguments: matching).map { row in
                    SpendCell(name: row[0], at: Milliseconds(row[1]), sum: LedgerRecord.decodeSum(row, first: 2))
                }
            }
        } catch {
            throw .failed(error.description)
        }
    }

    private static func charges(_ row: Row) throws -> RunCharges {
        let path = try TenancyPath(org: row.org, project: row["project"], user: row["user"], key: row["key"])
        let usage = UsageClasses(
            inputFresh: row["input_fresh"], inputCacheRead: row["input_cache_read"], inputCacheWrite: row["input_cache_write"],
            outputVisible: row["output_visible"], outputReasoning: row["output_reasoning"])
        return RunCharges(
            attribution: Attribution(path: path, run: row["run"], model: row["model"], priceVersion: ""),
            sum: LedgerSum(nanoUSD: row["nano_usd"], usage: usage, requests: row["requests"], calls: row["calls"]),
            estimated: row["estimated"],
            first: Milliseconds(row["first"]), last: Milliseconds(row["last"]))
    }
}
