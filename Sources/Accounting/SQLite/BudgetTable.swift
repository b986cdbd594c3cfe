public import Accounting
internal import GRDB

/// The budgets. Every change raises a version that never falls, so that a counter store can tell old from new.
public struct BudgetTable: BudgetStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func set(_ budget: Budget, by author: Budget.Owner) async throws(EmbeddedDatabaseError) -> Budget? {
        try await database.write { db in
            let current = try Self.find(budget, db)
            if let current, !current.mayChange(by: author) { return nil }
            let owner = budget.owner(by: author)
            if let current, current.limit == budget.limit, current.zone == budget.zone {
                return current.owner == owner ? current : try Self.give(current, to: owner, db)
            }
            let version = try Self.nextVersion(db)
            let changed = try Budget(
                scope: budget.scope, model: budget.model, unit: budget.unit, period: budget.period, zone: budget.zone,
                limit: budget.limit, version: version, generation: budget.nextGeneration(after: current, version: version),
                owner: owner)
            let (table, column, value) = Self.place(budget.model)
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO \(table) (scope, \(column)unit, period, amount, version, generation, zone, owner)
                    VALUES (?,\(column.isEmpty ? "" : "?,")?,?,?,?,?,?,?)
                    """,
                arguments: [changed.scope.text] + value + [
                    changed.unit.rawValue, changed.period.rawValue, changed.limit, changed.version,
                    changed.generation, changed.zone?.name ?? "", changed.owner.rawValue,
                ])
            return changed
        }
    }

    public func remove(
        scope: Scope, model: String?, unit: MeterUnit, period: Period, by author: Budget.Owner
    ) async throws(EmbeddedDatabaseError) -> BudgetRemoval {
        try await database.write { db in
            let known = try Self.find(Budget(scope: scope, model: model, unit: unit, period: period, limit: 0), db)
            guard let known else { return .absent }
            guard known.mayChange(by: author) else { return .kept }
            let (table, column, value) = Self.place(model)
            try db.execute(
                sql: "DELETE FROM \(table) WHERE scope = ? AND unit = ? AND period = ?\(column.isEmpty ? "" : " AND model = ?")",
                arguments: [scope.text, unit.rawValue, period.rawValue] + value)
            return .removed
        }
    }

    /// All budgets by scope, or those of one scope.
    public func list(scope: Scope? = nil) async throws(EmbeddedDatabaseError) -> [Budget] {
        try await database.read { db in
            let filter = scope == nil ? "" : "WHERE scope = ?"
            let arguments = scope.map { StatementArguments([$0.text]) } ?? StatementArguments()
            return try Row.fetchAll(
                db, sql: "SELECT * FROM all_budgets \(filter) ORDER BY scope, model, unit, period", arguments: arguments
            )
            .map(Self.decode)
        }
    }

    public func page(org: OrgID?, after: BudgetName?, limit: Int) async throws(EmbeddedDatabaseError) -> [Budget] {
        var conditions = ["TRUE"]
        var arguments: [String] = []
        if let org {
            conditions.append(BudgetStatement.isOf("?1"))
            arguments.append(org.text)
        }
        if let after {
            let first = arguments.count + 1
            conditions.append("(scope, model, unit, period) > (?\(first), ?\(first + 1), ?\(first + 2), ?\(first + 3))")
            arguments += after.parts
        }
        let sql = """
            SELECT * FROM all_budgets WHERE \(conditions.joined(separator: " AND ")) ORDER BY scope, model, unit, period
            LIMIT \(min(max(1, limit), StoreLimits.page))
            """
        let values = StatementArguments(arguments)
        return try await database.read { db in try Row.fetchAll(db, sql: sql, arguments: values).map(Self.decode) }
    }

    public func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> BudgetReading {
        do {
            return try await database.read { try Self.reading(path, edition: Self.edition($0), $0) }
        } catch {
            throw BudgetDirectoryError(error.description)
        }
    }

    public func budgets(for path: TenancyPath, changedSince known: Int64) async throws(BudgetDirectoryError) -> BudgetReading? {
        do {
            return try await database.read { db in
                // One transaction: what is read belongs to the edition that is read.
                let edition = try Self.edition(db)
                return edition == known ? nil : try Self.reading(path, edition: edition, db)
            }
        } catch {
            throw BudgetDirectoryError(error.description)
        }
    }

    private static func edition(_ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(sql: "SELECT value FROM counter WHERE name = 'budget edition'")
        guard let edition = try Int64.fetchOne(statement) else { throw EmbeddedDatabaseError.failed("no budget edition") }
        return edition
    }

    private static func reading(_ path: TenancyPath, edition: Int64, _ db: Database) throws -> BudgetReading {
        let statement = try db.cachedStatement(
            sql: "SELECT unit, period, amount, version, generation, model, zone, owner FROM all_budgets WHERE scope = ?")
        var budgets: [Budget] = []
        for scope in path.scopes {
            let rows = try Row.fetchCursor(statement, arguments: [scope.text])
            // By position: looking columns up by name and parsing the scope that was asked for cost more than the query.
            while let row = try rows.next() {
                guard let unit = MeterUnit(rawValue: row[0]), let period = Period(rawValue: row[1]) else {
                    throw EmbeddedDatabaseError.failed("unreadable budget")
                }
                budgets.append(
                    try Budget(
                        scope: scope, model: Self.model(row[5]), unit: unit, period: period, zone: Self.zone(row[6], of: scope.text),
                        limit: row[2], version: row[3], generation: row[4], owner: Self.owner(row[7])))
            }
        }
        let newest = try Int64.fetchOne(try db.cachedStatement(sql: "SELECT value FROM counter WHERE name = 'budgets'"))
        return BudgetReading(budgets: budgets, edition: edition, newest: newest ?? 0)
    }

    private static func find(_ budget: Budget, _ db: Database) throws -> Budget? {
        try Row.fetchOne(
            db, sql: "SELECT * FROM all_budgets WHERE scope = ? AND unit = ? AND period = ? AND model = ?",
            arguments: [budget.scope.text, budget.unit.rawValue, budget.period.rawValue, budget.model ?? ""]
        ).map(decode)
    }

    /// Budgets of one model have a table of their own: the release before them does not see it, and goes on with its own.
    private static func place(_ model: String?) -> (table: String, column: String, value: StatementArguments) {
        model.map { ("model_budgets", "model, ", [$0]) } ?? ("budgets", "", StatementArguments())
    }

    /// Another owner of the same limit: the counters have nothing to learn.
    private static func give(_ budget: Budget, to owner: Budget.Owner, _ db: Database) throws -> Budget {
        let (table, column, value) = place(budget.model)
        try db.execute(
            sql: "UPDATE \(table) SET owner = ? WHERE scope = ? AND unit = ? AND period = ?\(column.isEmpty ? "" : " AND model = ?")",
            arguments: [owner.rawValue, budget.scope.text, budget.unit.rawValue, budget.period.rawValue] + value)
        return try Budget(
            scope: budget.scope, model: budget.model, unit: budget.unit, period: budget.period, zone: budget.zone, limit: budget.limit,
            version: budget.version, generation: budget.generation, owner: owner)
    }

    /// A word of a newer release is nobody's to change here but the operator's.
    private static func owner(_ column: String) -> Budget.Owner { Budget.Owner(rawValue: column) ?? .operator }

    private static func model(_ column: String) -> String? { column.isEmpty ? nil : column }

    /// - Throws: ``EmbeddedDatabaseError`` for a zone that this release does not know: a newer one set it.
    private static func zone(_ column: String, of scope: String) throws -> CalendarZone? {
        do { return try CalendarZone.named(column) } catch {
            throw EmbeddedDatabaseError.failed(BudgetError.unknownZone(column, of: scope))
        }
    }

    private static func nextVersion(_ db: Database) throws -> Int64 {
        let sql = "INSERT INTO counter VALUES ('budgets', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
        guard let version = try Int64.fetchOne(db, sql: sql) else { throw EmbeddedDatabaseError.failed("no version") }
        return version
    }

    private static func decode(_ row: Row) throws -> Budget {
        guard let unit = MeterUnit(rawValue: row["unit"]), let period = Period(rawValue: row["period"]) else {
            throw EmbeddedDatabaseError.failed("unreadable budget")
        }
        return try Budget(
            scope: Scope(row["scope"]), model: model(row["model"]), unit: unit, period: period, zone: zone(row["zone"], of: row["scope"]),
            limit: row["amount"], version: row["version"], generation: row["generation"], owner: owner(row["owner"]))
    }
}
