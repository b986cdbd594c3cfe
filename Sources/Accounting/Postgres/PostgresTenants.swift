public import Accounting

/// The organisations, projects and users in Postgres.
public struct PostgresTenants: TenantStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func find(_ scope: Scope) async throws(PostgresError) -> TenantRecord? {
        let names = scope.tenantNames
        guard !names.isEmpty else { return nil }
        let condition = TenantStatement.columns(scope.kind).enumerated().map { "\($1) = $\($0 + 1)" }.joined(separator: " AND ")
        let sql = TenantStatement.selection(scope.kind, user: "user_id", where: condition, limit: "1")
        return try await database.read { (connection) throws(PostgresError) in
            try connection.query(sql, names.map { .text($0) }).map { row throws(PostgresError) in try Self.decode(row, scope.kind) }.first
        }
    }

    public func list(
        _ kind: Scope.Kind, org: OrgID? = nil, project: String? = nil, after cursor: String? = nil, limit: Int = 100
    ) async throws(PostgresError) -> [TenantRecord] {
        guard kind != .key else { return [] }
        let columns = TenantStatement.columns(kind)
        var names: [String?] = columns.map { _ in nil }
        if let cursor {
            names = cursor.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
            guard names.count == columns.count else { return [] }
        }
        // The same text whatever is asked for: one prepared statement for each kind.
        var conditions = ["$1::text IS NULL OR \(columns[0]) = $1"]
        if columns.count > 1 { conditions.append("$2::text IS NULL OR \(columns[1]) = $2") }
        let marks = columns.indices.map { "$\(columns.count == 1 ? 2 : $0 + 3)" }
        conditions.append("\(marks[0])::text IS NULL OR (\(columns.joined(separator: ", "))) > (\(marks.joined(separator: ", ")))")
        let last = "$\((columns.count == 1 ? 1 : 2) + columns.count + 1)"
        let sql = TenantStatement.selection(
            kind, user: "user_id", where: conditions.map { "(\($0))" }.joined(separator: " AND "), limit: last)
        let values: [PostgresValue] =
            (columns.count == 1 ? [.org(org)] : [.org(org), .text(project)]) + names.map { .text($0) }
            + [.int(Int64(min(max(1, limit), StoreLimits.page)))]
        return try await database.read { (connection) throws(PostgresError) in
            try connection.query(sql, values).map { row throws(PostgresError) in try Self.decode(row, kind) }
        }
    }

    @discardableResult
    public func put(_ scope: Scope, name: NameChange, at: Milliseconds) async throws(PostgresError) -> Bool {
        let names = scope.tenantNames
        precondition(!names.isEmpty, "a key is no tenant")
        return try await database.write { (connection) throws(PostgresError) in
            var isNew = false
            for depth in 1...names.count {
                let table = ["orgs", "projects", "users"][depth - 1]
                let marks = (1...depth + 1).map { "$\($0)" }.joined(separator: ", ")
                let added = try connection.query(
                    "INSERT INTO \(table) VALUES (\(marks)) ON CONFLICT DO NOTHING",
                    names.prefix(depth).map { .text($0) } + [.int(at.rawValue)])
                isNew = added.affected > 0
            }
            switch name {
            case .keep: break
            case .remove: try connection.query("DELETE FROM tenant_names WHERE scope = $1", [.text(scope.text)])
            case .set(let text):
                try connection.query(
                    "INSERT INTO tenant_names VALUES ($1, $2) ON CONFLICT (scope) DO UPDATE SET name = excluded.name",
                    [.text(scope.text), .text(text)])
            }
            return isNew
        }
    }

    private static func decode(_ row: PostgresRows.Row, _ kind: Scope.Kind) throws(PostgresError) -> TenantRecord {
        let depth = TenantStatement.columns(kind).count
        var names: [String] = []
        for index in 0..<depth { names.append(try row.text(index)) }
        guard let scope = Scope(tenantNames: names) else { throw .malformed("a tenant") }
        return TenantRecord(
            scope: scope, name: row.optionalText(depth), createdAt: Milliseconds(try row.int(depth + 1)),
            projects: Int(try row.int(depth + 2)), keys: Int(try row.int(depth + 3)))
    }
}
