internal import Accounting

/// Ledger rows and sums in and out of SQL.
enum LedgerStatements {
    private static let columns = """
        charge_id, kind, is_charge, lease, org, project, user_id, key_id, run, model, price_version, nano_usd, input_fresh, \
        input_cache_read, input_cache_write, output_visible, output_reasoning, requests, estimated, at, epoch, calls, slot
        """
    private static let selection = "\(columns)::int8"
    static let amounts = [
        "nano_usd", "input_fresh", "input_cache_read", "input_cache_write", "output_visible", "output_reasoning", "requests", "calls",
    ]

    // MARK: Append

    /// One statement, and so one transaction and one round trip: ids that are new, their rows, their sums.
    ///
    /// Rows of a sealed life are left out; the lock of its counters' row makes sealing wait for appends that were allowed before it.
    /// Locks are taken in one order by everybody (lives, ids, then sums, each sorted), so that two servers that carry the same rows wait
    /// for each other and never deadlock.
    private static let insertion = """
        WITH incoming AS MATERIALIZED (
            SELECT * FROM unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                $10::text[], $11::text[], $12::int8[], $13::int8[], $14::int8[], $15::int8[], $16::int8[], $17::int8[], $18::int8[],
                $19::bool[], $20::int8[], $21::int8[], $22::int8[], $23::int8[], $24::text[]) WITH ORDINALITY AS r (\(columns), counters, n)
        ), lives AS MATERIALIZED (
            SELECT org, number FROM epochs WHERE org IN (SELECT counters FROM incoming WHERE epoch > 0) ORDER BY org FOR SHARE
        ), fresh AS (
            INSERT INTO ledger_ids (charge_id)
            SELECT charge_id FROM incoming WHERE epoch = 0 OR (counters, epoch) IN (SELECT org, number FROM lives)
            ORDER BY charge_id COLLATE "C" ON CONFLICT DO NOTHING RETURNING charge_id
        ), added AS (
            INSERT INTO ledger (\(columns)) SELECT \(columns) FROM incoming JOIN fresh USING (charge_id) ORDER BY n
            RETURNING is_charge, org, project, user_id, key_id, slot, \(amounts.joined(separator: ", ")), at
        ), spent AS (
            SELECT org, project, user_id, key_id, slot,
                at - ((at % \(LedgerRanges.minute)) + \(LedgerRanges.minute)) % \(LedgerRanges.minute) AS at,
                \(amounts.map { "sum(\($0)) AS \($0)" }.joined(separator: ", "))
            FROM added WHERE is_charge GROUP BY 1, 2, 3, 4, 5, 6
        ), summed AS (
            \(summing(into: "ledger_sums", by: "scope, grain, bucket", of: "true"))
        ), slotted AS (
            \(summing(into: "slot_sums", by: "scope, grain, bucket, slot", of: "slot > 0"))
        )
        SELECT count(*) FROM fresh
        """

    private static func summing(into table: String, by key: String, of condition: String) -> String {
        let columns = key.replacing("bucket", with: "at - ((at % grain) + grain) % grain AS bucket")
        return """
            INSERT INTO \(table) AS s (\(key), \(amounts.joined(separator: ", ")))
            SELECT \(columns), \(amounts.map { "sum(\($0))" }.joined(separator: ", "))
            FROM spent CROSS JOIN LATERAL (VALUES ('org:' || org), ('project:' || org || '/' || project),
                ('user:' || org || '/' || project || '/' || user_id), ('key:' || key_id)) scopes (scope)
            CROSS JOIN (VALUES (\(LedgerRanges.minute)::int8), (\(LedgerRanges.day)::int8)) grains (grain)
            WHERE scope IS NOT NULL AND \(condition) GROUP BY \(key) ORDER BY \(key.replacing("scope", with: "scope COLLATE \"C\""))
            ON CONFLICT (\(key)) DO UPDATE SET \(amounts.map { "\($0) = s.\($0) + excluded.\($0)" }.joined(separator: ", "))
            """
    }

    /// - Parameter rows: no charge id twice.
    /// - Returns: how many rows were new.
    static func insert(_ rows: ArraySlice<LedgerRow>, _ connection: inout PostgresConnection) throws(PostgresError) -> Int {
        let paths = rows.map(\.attribution.path)
        let answer = try connection.query(
            insertion,
            [
                .texts(rows.map(\.chargeID)), .texts(rows.map(\.kind.rawValue)), .bools(rows.map(\.kind.isCharge)),
                .texts(rows.map(\.lease)), .orgs(paths.map(\.org)), .texts(paths.map(\.project)), .texts(paths.map(\.user)),
                .texts(paths.map(\.key)), .texts(rows.map(\.attribution.run)), .texts(rows.map(\.attribution.model)),
                .texts(rows.map(\.attribution.priceVersion)), .ints(rows.map(\.nanoUSD)), .ints(rows.map(\.usage.inputFresh)),
                .ints(rows.map(\.usage.inputCacheRead)), .ints(rows.map(\.usage.inputCacheWrite)),
                .ints(rows.map(\.usage.outputVisible)), .ints(rows.map(\.usage.outputReasoning)), .ints(rows.map(\.requests)),
                .bools(rows.map(\.estimated)), .ints(rows.map(\.at.rawValue)), .ints(rows.map(\.epoch)),
                .ints(rows.map(\.calls)), .ints(rows.map { Int64($0.slot) }), .texts(rows.map(\.counters.name)),
            ])
        return Int(try answer.first?.int(0) ?? 0)
    }

    static func makeDay(_ day: Int64, _ connection: inout PostgresConnection) throws(PostgresError) {
        try connection.query("SELECT ledger_make_day($1)", [.int(day)])
    }

    // MARK: Rows

    static func suspended(org: OrgID, limit: Int, _ connection: inout PostgresConnection) throws(PostgresError) -> [LedgerRow] {
        try connection.query(
            """
            SELECT \(selection) FROM ledger s WHERE org = $1 AND kind = 'suspense' AND NOT EXISTS (SELECT FROM ledger e
            WHERE e.run = s.run AND e.lease = s.lease AND e.org = s.org AND e.kind IN ('settle', 'resolve')) ORDER BY position LIMIT $2
            """, [.org(org), .int(Int64(limit))]
        ).map(decode)
    }

    static func rows(of lease: LeaseKey, run: String, _ connection: inout PostgresConnection) throws(PostgresError) -> [LedgerRow] {
        try connection.query(
            "SELECT \(selection) FROM ledger WHERE run = $1 AND lease = $2 AND org = $3",
            [.text(run), .text(lease.id), .org(lease.org.org)]
        ).map(decode)
    }

    /// The newest rows first, before `position`.
    static func page(
        _ scope: Scope?, before position: Int64, limit: Int, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> [(position: Int64, row: LedgerRow)] {
        let (condition, names) = scope.map { Self.condition($0, first: 3) } ?? ("true", [])
        return try connection.query(
            "SELECT \(selection), position FROM ledger WHERE position < $1 AND \(condition) ORDER BY position DESC LIMIT $2",
            [.int(position), .int(Int64(limit))] + names.map { .text($0) }
        ).map { row throws(PostgresError) in (try row.int(23), try decode(row)) }
    }

    /// The oldest rows first, after `position`. Bounds of time let the planner leave out whole days.
    static func rows(
        _ query: LedgerQuery, after position: Int64, limit: Int, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> [(position: Int64, row: LedgerRow)] {
        let (filter, matching) = condition(query, first: 3)
        return try connection.query(
            "SELECT \(selection), position FROM ledger WHERE position > $1 AND \(filter) ORDER BY position LIMIT $2",
            [.int(position), .int(Int64(limit))] + matching
        ).map { row throws(PostgresError) in (try row.int(23), try decode(row)) }
    }

    /// - Parameter first: the number of the first parameter.
    static func condition(_ query: LedgerQuery, first: Int) -> (sql: String, values: [PostgresValue]) {
        var filters = ["true"]
        var values: [PostgresValue] = []
        if let scope = query.scope {
            let (filter, names) = condition(scope, first: first)
            filters.append(filter)
            values += names.map { .text($0) }
        }
        for (filter, value) in [
            ("run =", query.run.map { PostgresValue.text($0) }), ("user_id =", query.user.map { .text($0) }),
            ("at >=", query.from.map { .int($0.rawValue) }), ("at <", query.to.map { .int($0.rawValue) }),
        ] {
            guard let value else { continue }
            filters.append("\(filter) $\(first + values.count)")
            values.append(value)
        }
        return (filters.joined(separator: " AND "), values)
    }

    static func condition(_ scope: Scope, first: Int) -> (sql: String, names: [String]) {
        switch scope {
        case .org(let org): ("org = $\(first)", [org.text])
        case .project(let org, let project): ("org = $\(first) AND project = $\(first + 1)", [org.text, project])
        case .user(let org, let project, let user):
            ("org = $\(first) AND project = $\(first + 1) AND user_id = $\(first + 2)", [org.text, project, user])
        case .key(let key): ("key_id = $\(first)", [key])
        }
    }

    private static func decode(_ row: PostgresRows.Row) throws(PostgresError) -> LedgerRow {
        guard let kind = LedgerRow.Kind(rawValue: try row.text(1)) else { throw .malformed("a ledger kind") }
        let (org, project, user, key) = (try row.org(4), try row.text(5), row.optionalText(6), row.optionalText(7))
        let path = try PostgresError.reading("a ledger row") { try TenancyPath(org: org, project: project, user: user, key: key) }
        return LedgerRow(
            chargeID: try row.text(0), kind: kind, lease: try row.text(3),
            attribution: Attribution(path: path, run: try row.text(8), model: try row.text(9), priceVersion: try row.text(10)),
            nanoUSD: try row.int(11),
            usage: UsageClasses(
                inputFresh: try row.int(12), inputCacheRead: try row.int(13), inputCacheWrite: try row.int(14),
                outputVisible: try row.int(15), outputReasoning: try row.int(16)),
            requests: try row.int(17), calls: try row.int(21), estimated: try row.bool(18), at: Milliseconds(try row.int(19)),
            epoch: try row.int(20), slot: Int(try row.int(22)))
    }
}
