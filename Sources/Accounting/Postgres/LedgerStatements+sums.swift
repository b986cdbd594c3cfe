internal import Accounting

/// Sums of charges: from the sums that are kept by scope and time, and from the rows where those do not fit.
extension LedgerStatements {
    private static let totals = amounts.map { "coalesce(sum(\($0)), 0)::int8" }.joined(separator: ", ")

    static func sum(
        _ scope: Scope, model: String? = nil, from: Milliseconds, to: Milliseconds, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> LedgerSum {
        let parts = parts(scope, model: model, from: from, to: to, sums: "ledger_sums", columns: amounts)
        let answer = try connection.query("SELECT \(totals) FROM (\(parts.sql)) parts", parts.values)
        guard let row = answer.first else { throw .malformed("no sum") }
        return try decodeSum(row, first: 0)
    }

    /// By slot. Slot 0 is left out when its charges add up to nothing: it has no sums of its own to tell that from no charges.
    static func sums(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> [Int: LedgerSum] {
        let parts = parts(scope, model: model, from: from, to: to, sums: "sums_by_slot", columns: ["slot"] + amounts)
        let answer = try connection.query("SELECT slot::int8, \(totals) FROM (\(parts.sql)) parts GROUP BY slot", parts.values)
        var sums: [Int: LedgerSum] = [:]
        for (slot, sum) in try answer.map({ row throws(PostgresError) in (Int(try row.int(0)), try decodeSum(row, first: 1)) })
        where slot > 0 || sum != LedgerSum() {
            sums[slot] = sum
        }
        return sums
    }

    /// What adds up to the charges of a span.
    private static func parts(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds, sums: String, columns: [String]
    ) -> (sql: String, values: [PostgresValue]) {
        let list = columns.joined(separator: ", ")
        if let model {
            // Sums are kept for all models together. What one model's window has used is added up when the window is loaded.
            let (condition, names) = condition(scope, first: 4)
            return (
                "SELECT \(list) FROM ledger WHERE is_charge AND model = $1 AND at >= $2 AND at < $3 AND \(condition)",
                [.text(model), .int(from.rawValue), .int(to.rawValue)] + names.map { .text($0) }
            )
        }
        let ranges = LedgerRanges(from: from, to: to)
        let buckets = "SELECT \(list) FROM \(sums) WHERE scope = $1 AND"
        var parts = [
            "\(buckets) grain = \(LedgerRanges.day) AND bucket >= $2 AND bucket < $3",
            "\(buckets) grain = \(LedgerRanges.minute) AND (bucket >= $4 AND bucket < $5 OR bucket >= $6 AND bucket < $7)",
        ]
        var bounds = [ranges.days] + ranges.minutes
        var names: [String] = []
        // The plan of a question about whole minutes, which nearly all are, does not know the partitions.
        if ranges.rows.contains(where: { !$0.isEmpty }) {
            let filter = Self.condition(scope, first: 12)
            names = filter.names
            parts.append(
                "SELECT \(list) FROM ledger WHERE is_charge AND \(filter.sql) AND (at >= $8 AND at < $9 OR at >= $10 AND at < $11)")
            bounds += ranges.rows
        }
        return (
            parts.joined(separator: " UNION ALL "),
            [.text(scope.text)] + bounds.flatMap { [.int($0.lowerBound), .int($0.upperBound)] } + names.map { .text($0) }
        )
    }

    static func decodeSum(_ row: PostgresRows.Row, first: Int) throws(PostgresError) -> LedgerSum {
        LedgerSum(
            nanoUSD: try row.int(first),
            usage: UsageClasses(
                inputFresh: try row.int(first + 1), inputCacheRead: try row.int(first + 2), inputCacheWrite: try row.int(first + 3),
                outputVisible: try row.int(first + 4), outputReasoning: try row.int(first + 5)),
            requests: try row.int(first + 6), calls: try row.int(first + 7))
    }
}
