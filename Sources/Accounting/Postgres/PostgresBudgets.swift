public import Accounting

/// The budgets in Postgres. Changes are made one after another, under the lock of the row that counts them.
///
/// Nothing is cached: a budget that another server or a command has changed binds the next run at once.
public struct PostgresBudgets: BudgetStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func set(_ budget: Budget, by author: Budget.Owner) async throws(PostgresError) -> Budget? {
        try await database.write { (connection) throws(PostgresError) in
            try connection.query("SELECT value FROM counter WHERE name = 'budgets' FOR UPDATE")
            let key: [PostgresValue] = [
                .text(budget.scope.text), .text(budget.unit.rawValue), .text(budget.period.rawValue), .text(budget.model ?? ""),
            ]
            let current = try Self.find(key, &connection)
            if let current, !current.mayChange(by: author) { return nil }
            let owner = budget.owner(by: author)
            if let current, current.limit == budget.limit, current.zone == budget.zone {
                guard current.owner != owner else { return current }
                return try Self.give(current, key, to: owner, &connection)
            }
            let version = try Self.raiseVersion(&connection)
            let changed = try PostgresError.reading("a budget") {
                try Budget(
                    scope: budget.scope, model: budget.model, unit: budget.unit, period: budget.period, zone: budget.zone,
                    limit: budget.limit, version: version, generation: budget.nextGeneration(after: current, version: version),
                    owner: owner)
            }
            let values: [PostgresValue] = [
                .int(changed.limit), .int(changed.version), .int(changed.generation), .text(changed.zone?.name ?? ""),
                .text(changed.owner.rawValue),
            ]
            if budget.model == nil {
                try connection.query(
                    """
                    INSERT INTO budgets (scope, unit, period, amount, version, generation, zone, owner)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                    ON CONFLICT (scope, unit, period) DO UPDATE SET \(Self.update)
                    """, key.dropLast() + values)
            } else {
                try connection.query(
                    """
                    INSERT INTO model_budgets (scope, unit, period, model, amount, version, generation, zone, owner)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (scope, model, unit, period) DO UPDATE SET \(Self.update)
                    """, key + values)
            }
            return changed
        }
    }

    public func remove(
        scope: Scope, model: String?, unit: MeterUnit, period: Period, by author: Budget.Owner
    ) async throws(PostgresError) -> BudgetRemoval {
        try await database.write { (connection) throws(PostgresError) in
            try connection.query("SELECT value FROM counter WHERE name = 'budgets' FOR UPDATE")
            let name: [PostgresValue] = [.text(scope.text), .text(unit.rawValue), .text(period.rawValue), .text(model ?? "")]
            guard let known = try Self.find(name, &connection) else { return .absent }
            guard known.mayChange(by: author) else { return .kept }
            // The count is raised for a removal too: readers compare it.
            _ = try Self.raiseVersion(&connection)
            let key: [PostgresValue] = [.text(scope.text), .text(unit.rawValue), .text(period.rawValue)]
            if let model {
                try connection.query(
                    "DELETE FROM model_budgets WHERE scope = $1 AND unit = $2 AND period = $3 AND model = $4", key + [.text(model)])
            } else {
                try connection.query("DELETE FROM budgets WHERE scope = $1 AND unit = $2 AND period = $3", key)
            }
            return .removed
        }
    }

    public func list(scope: Scope? = nil) async throws(PostgresError) -> [Budget] {
        try await database.read { (connection) throws(PostgresError) in try Self.list(scope, &connection) }
    }

    static func list(_ scope: Scope?, _ connection: inout PostgresConnection) throws(PostgresError) -> [Budget] {
        try connection.query(
            "SELECT \(columns) FROM all_budgets WHERE $1::text IS NULL OR scope = $1 ORDER BY scope, model, unit, period",
            [.text(scope?.text)]
        ).map(decode)
    }

    public func page(org: OrgID?, after: BudgetName?, limit: Int) async throws(PostgresError) -> [Budget] {
        let parts: [String?] = after?.parts ?? [nil, nil, nil, nil]
        return try await database.read { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT \(Self.columns) FROM all_budgets WHERE ($1::text IS NULL OR \(BudgetStatement.isOf("$1")))
                AND ($2::text IS NULL OR (scope, model, unit, period) > ($2, $3, $4, $5)) ORDER BY scope, model, unit, period LIMIT $6
                """, [.org(org)] + parts.map { .text($0) } + [.int(Int64(min(max(1, limit), StoreLimits.page)))]
            ).map(Self.decode)
        }
    }

    public func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> BudgetReading {
        guard let reading = try await reading(path, unless: nil) else { throw BudgetDirectoryError("no budget edition") }
        return reading
    }

    public func budgets(for path: TenancyPath, changedSince edition: Int64) async throws(BudgetDirectoryError) -> BudgetReading? {
        try await reading(path, unless: edition)
    }

    /// One statement, so what is read belongs to the edition that is read. The count's row is there with no budget, too.
    private func reading(_ path: TenancyPath, unless known: Int64?) async throws(BudgetDirectoryError) -> BudgetReading? {
        let scopes = path.scopes.map(\.text)
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                let rows = try connection.query(
                    """
                    SELECT \(Self.columns), c.value FROM counter c
                    LEFT JOIN all_budgets ON scope = ANY ($1) AND c.value IS DISTINCT FROM $2 WHERE c.name = 'budgets'
                    ORDER BY array_position($1, scope), model, unit, period
                    """, [.texts(scopes), .int(known)])
                guard let edition = try rows.first?.int(9) else { throw .malformed("no budget edition") }
                guard edition != known else { return nil }
                let budgets = try rows.map { row throws(PostgresError) in row.optionalText(0) == nil ? nil : try Self.decode(row) }
                return BudgetReading(budgets: budgets.compactMap { $0 }, edition: edition, newest: edition)
            }
        } catch {
            throw BudgetDirectoryError(error.description)
        }
    }

    private static let columns = "scope, unit, period, amount, version, generation, model, zone, owner"
    private static let update =
        "amount = excluded.amount, version = excluded.version, generation = excluded.generation, zone = excluded.zone, "
        + "owner = excluded.owner"

    /// - Parameter key: scope, unit, period and model.
    private static func find(_ key: [PostgresValue], _ connection: inout PostgresConnection) throws(PostgresError) -> Budget? {
        try connection.query(
            "SELECT \(columns) FROM all_budgets WHERE scope = $1 AND unit = $2 AND period = $3 AND model = $4", key
        ).map(decode).first
    }

    /// Another owner of the same limit: the counters have nothing to learn.
    private static func give(
        _ budget: Budget, _ key: [PostgresValue], to owner: Budget.Owner, _ connection: inout PostgresConnection
    ) throws(PostgresError) -> Budget? {
        if budget.model == nil {
            try connection.query(
                "UPDATE budgets SET owner = $4 WHERE scope = $1 AND unit = $2 AND period = $3", key.dropLast() + [.text(owner.rawValue)])
        } else {
            try connection.query(
                "UPDATE model_budgets SET owner = $5 WHERE scope = $1 AND unit = $2 AND period = $3 AND model = $4",
                key + [.text(owner.rawValue)])
        }
        return try find(key, &connection)
    }

    private static func raiseVersion(_ connection: inout PostgresConnection) throws(PostgresError) -> Int64 {
        let row = try connection.query("UPDATE counter SET value = value + 1 WHERE name = 'budgets' RETURNING value").first
        guard let row else { throw .malformed("no budget edition") }
        return try row.int(0)
    }

    private static func decode(_ row: PostgresRows.Row) throws(PostgresError) -> Budget {
        let (scope, amount, version, generation) = (try row.text(0), try row.int(3), try row.int(4), try row.int(5))
        let (model, zoneName) = (try row.text(6), try row.text(7))
        // A word of a newer release is nobody's to change here but the operator's.
        let owner = Budget.Owner(rawValue: try row.text(8)) ?? .operator
        let zone: CalendarZone?
        // A newer release set it.
        do { zone = try CalendarZone.named(zoneName) } catch { throw .malformed(BudgetError.unknownZone(zoneName, of: scope)) }
        guard let unit = MeterUnit(rawValue: try row.text(1)), let period = Period(rawValue: try row.text(2)) else {
            throw .malformed("a budget")
        }
        return try PostgresError.reading("a budget") {
            try Budget(
                scope: Scope(scope), model: model.isEmpty ? nil : model, unit: unit, period: period, zone: zone, limit: amount,
                version: version, generation: generation, owner: owner)
        }
    }
}
