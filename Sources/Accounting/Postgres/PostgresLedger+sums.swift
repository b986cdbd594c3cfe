public import Accounting

extension PostgresLedger: LedgerSums {
    public func runs(_ query: LedgerQuery, before position: Int64?, limit: Int) async throws(LedgerStoreError) -> RunChargesPage {
        let limit = min(max(1, limit), StoreLimits.page)
        let (filter, matching) = LedgerStatements.condition(query, first: 3)
        let sql = """
            SELECT run, org, project, user_id, key_id, model, sum(nano_usd)::int8, sum(input_fresh)::int8, sum(input_cache_read)::int8,
                sum(input_cache_write)::int8, sum(output_visible)::int8, sum(output_reasoning)::int8, sum(requests)::int8,
                bool_or(estimated), min(at), max(at), max(position), sum(calls)::int8
            FROM ledger WHERE is_charge AND \(filter) GROUP BY run, org, project, user_id, key_id, model
            HAVING max(position) < $1 ORDER BY max(position) DESC LIMIT $2
            """
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                let rows = try connection.query(sql, [.int(position ?? .max), .int(Int64(limit))] + matching)
                    .map { row throws(PostgresError) in (charges: try Self.charges(row), newest: try row.int(16)) }
                return RunChargesPage(runs: rows.map(\.charges), next: rows.count == limit ? rows.last?.newest : nil)
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func days(_ query: LedgerQuery) async throws(LedgerStoreError) -> [DayCharges] {
        let (filter, matching) = LedgerStatements.condition(query, first: 2)
        let sql = """
            SELECT at / 86400000, key_id, user_id, model, sum(nano_usd)::int8 FROM ledger WHERE is_charge AND \(filter)
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2 NULLS FIRST, 3 NULLS FIRST, 4 LIMIT $1
            """
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try connection.query(sql, [.int(Int64(StoreLimits.dayCharges + 1))] + matching).map { row throws(PostgresError) in
                    DayCharges(
                        day: Milliseconds(try row.int(0) * LedgerRanges.day), key: row.optionalText(1), user: row.optionalText(2),
                        model: try row.text(3), nanoUSD: try row.int(4))
                }
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    public func spend(_ query: SpendQuery) async throws(LedgerStoreError) -> [SpendCell] {
        let (filter, matching) = LedgerStatements.condition(LedgerQuery(scope: query.scope, from: query.from, to: query.to), first: 2)
        let sql = SpendStatement.sql(query.by, step: "$1", user: "user_id", key: "key_id", where: filter)
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try connection.query(sql, [.int(query.step.length.rawValue)] + matching).map { row throws(PostgresError) in
                    SpendCell(
                        name: row.optionalText(0), at: Milliseconds(try row.int(1)), sum: try LedgerStatements.decodeSum(row, first: 2))
                }
            }
        } catch {
            throw LedgerStoreError(error)
        }
    }

    private static func charges(_ row: PostgresRows.Row) throws(PostgresError) -> RunCharges {
        let (org, project, user, key) = (try row.org(1), try row.text(2), row.optionalText(3), row.optionalText(4))
        let path = try PostgresError.reading("a ledger row") { try TenancyPath(org: org, project: project, user: user, key: key) }
        let usage = UsageClasses(
            inputFresh: try row.int(7), inputCacheRead: try row.int(8), inputCacheWrite: try row.int(9), outputVisible: try row.int(10),
            outputReasoning: try row.int(11))
        return RunCharges(
            attribution: Attribution(path: path, run: try row.text(0), model: try row.text(5), priceVersion: ""),
            sum: LedgerSum(nanoUSD: try row.int(6), usage: usage, requests: try row.int(12), calls: try row.int(17)),
            estimated: try row.bool(13),
            first: Milliseconds(try row.int(14)), last: Milliseconds(try row.int(15)))
    }
}
