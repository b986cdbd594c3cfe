public import Accounting
internal import GRDB

/// The organisations, projects and users in the embedded database.
public struct TenantTable: TenantStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func find(_ scope: Scope) async throws(EmbeddedDatabaseError) -> TenantRecord? {
        let names = scope.tenantNames
        guard !names.isEmpty else { return nil }
        let condition = TenantStatement.columns(scope.kind).map { "\($0) = ?" }.joined(separator: " AND ")
        let sql = TenantStatement.selection(scope.kind, user: "user", where: condition, limit: "1")
        return try await database.read { db in
            try Row.fetchOne(db, sql: sql, arguments: StatementArguments(names)).flatMap { Self.decode($0, scope.kind) }
        }
    }

    public func list(
        _ kind: Scope.Kind, org: OrgID? = nil, project: String? = nil, after cursor: String? = nil, limit: Int = 100
    ) async throws(EmbeddedDatabaseError) -> [TenantRecord] {
        guard kind != .key else { return [] }
        let columns = TenantStatement.columns(kind)
        var (conditions, arguments) = (["TRUE"], [String]())
        for (column, name) in zip(["x.org", "x.project"], [org?.text, project]) {
            let column = column == "x.\(kind.rawValue)" ? "x.name" : column
            guard let name, columns.contains(column) else { continue }
            conditions.append("\(column) = ?")
            arguments.append(name)
        }
        if let cursor {
            let names = cursor.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            guard names.count == columns.count else { return [] }
            conditions.append("(\(columns.joined(separator: ", "))) > (\(names.map { _ in "?" }.joined(separator: ", ")))")
            arguments += names
        }
        let sql = TenantStatement.selection(
            kind, user: "user", where: conditions.joined(separator: " AND "), limit: String(min(max(1, limit), StoreLimits.page)))
        let values = StatementArguments(arguments)
        return try await database.read { db in
            try Row.fetchAll(db, sql: sql, arguments: values).compactMap { Self.decode($0, kind) }
        }
    }

    @discardableResult
    public func put(_ scope: Scope, name: NameChange, at: Milliseconds) async throws(EmbeddedDatabaseError) -> Bool {
        let names = scope.tenantNames
        precondition(!names.isEmpty, "a key is no tenant")
        return try await database.write { db in
            for depth in 1...names.count {
                let (table, columns) = [("orgs", 2), ("projects", 3), ("users", 4)][depth - 1]
                let marks = Array(repeating: "?", count: columns).joined(separator: ", ")
                try db.execute(
                    sql: "INSERT OR IGNORE INTO \(table) VALUES (\(marks))",
                    arguments: StatementArguments(names.prefix(depth)) + [at.rawValue])
            }
            let isNew = db.changesCount > 0
            switch name {
            case .keep: break
            case .remove: try db.execute(sql: "DELETE FROM tenant_names WHERE scope = ?", arguments: [scope.text])
            case .set(let text):
                try db.execute(sql: "INSERT OR REPLACE INTO tenant_names (scope, name) VALUES (?, ?)", arguments: [scope.text, text])
            }
            return isNew
        }
    }

    private static func decode(_ row: Row, _ kind: Scope.Kind) -> TenantRecord? {
        let depth = TenantStatement.columns(kind).count
        let names: [String] = (0..<depth).map { row[$0] }
        guard let scope = Scope(tenantNames: names) else { return nil }
        return TenantRecord(
            scope: scope, name: row[depth], createdAt: Milliseconds(row[depth + 1]), projects: row[depth + 2], keys: row[depth + 3])
    }
}
