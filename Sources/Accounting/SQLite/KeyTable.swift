public import Accounting
internal import GRDB

/// The API keys, and the orgs, projects and users that they brought about.
public struct KeyTable: KeyStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    /// Stores a key under the SHA-256 of its secret (lower-case hex). Org, project and user are made when they are new.
    public func create(_ key: APIKey, hash: String) async throws(EmbeddedDatabaseError) {
        try await database.write { db in
            let at = key.createdAt.rawValue
            try db.execute(sql: "INSERT OR IGNORE INTO orgs VALUES (?, ?)", arguments: [key.org, at])
            try db.execute(sql: "INSERT OR IGNORE INTO projects VALUES (?, ?, ?)", arguments: [key.org, key.project, at])
            if let user = key.user {
                try db.execute(sql: "INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?)", arguments: [key.org, key.project, user, at])
            }
            try db.execute(
                sql: """
                    INSERT INTO keys (id, hash, org, project, user, roles, on_cut, created_at, revoked_at, identity, kind, account)
                    VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
                    """,
                arguments: [
                    key.id, hash, key.org, key.project, key.user, key.roles.joined(separator: " "), key.onCut.rawValue, at,
                    key.revokedAt?.rawValue, key.identity, key.kind.rawValue, key.account == key.id ? nil : key.account,
                ])
            if key.settings != KeySettings() { try Self.write(key.settings, of: key.id, db) }
        }
    }

    /// The key with this hash that is not revoked.
    public func active(hash: String) async throws(EmbeddedDatabaseError) -> APIKey? {
        try await database.read { db in
            try Row.fetchOne(db, sql: "\(Self.selection) WHERE hash = ? AND revoked_at IS NULL", arguments: [hash]).map(Self.decode)
        }
    }

    public func find(hash: String) async throws(EmbeddedDatabaseError) -> APIKey? {
        try await database.read { db in
            try Row.fetchOne(db, sql: "\(Self.selection) WHERE hash = ?", arguments: [hash]).map(Self.decode)
        }
    }

    public func find(id: String) async throws(EmbeddedDatabaseError) -> APIKey? {
        try await database.read { db in
            try Row.fetchOne(db, sql: "\(Self.selection) WHERE id = ?", arguments: [id]).map(Self.decode)
        }
    }

    public func list(
        _ filter: KeyFilter = KeyFilter(), at now: Milliseconds, after cursor: String? = nil, limit: Int = 100
    ) async throws(EmbeddedDatabaseError) -> [APIKey] {
        let limit = min(max(1, limit), StoreLimits.page)
        return try await database.read { db in
            var (conditions, arguments) = (["id > ?1", KeyConditions.sql(filter.state, now: "?2")], StatementArguments())
            arguments += [cursor ?? "", now.rawValue, limit]
            for (column, name) in [("org", filter.org?.text), ("project", filter.project), ("user", filter.user)] {
                guard let name else { continue }
                arguments += [name]
                conditions.append("\(column) = ?\(3 + conditions.count - 1)")
            }
            // Both are always named, whatever the state asks for.
            let sql = "\(Self.selection) WHERE ?2 IS NOT NULL AND \(conditions.joined(separator: " AND ")) ORDER BY id LIMIT ?3"
            return try Row.fetchAll(db, sql: sql, arguments: arguments).map(Self.decode)
        }
    }

    public func used(_ uses: [String: Milliseconds]) async throws(EmbeddedDatabaseError) {
        guard !uses.isEmpty else { return }
        try await database.write { db in
            let statement = try db.cachedStatement(
                sql: """
                    INSERT INTO key_uses (key_id, used_at) VALUES (?, ?)
                    ON CONFLICT (key_id) DO UPDATE SET used_at = max(used_at, excluded.used_at)
                    """)
            for (id, at) in uses.prefix(StoreLimits.page) { try statement.execute(arguments: [id, at.rawValue]) }
        }
    }

    /// - Returns: false when there is no such key, or it was revoked before.
    public func revoke(id: String, author: String, at: Milliseconds) async throws(EmbeddedDatabaseError) -> Bool {
        try await database.write { db in
            try db.execute(sql: "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", arguments: [at.rawValue, id])
            guard db.changesCount > 0 else { return false }
            try RevocationTable.add(.scope(.key(id)), org: nil, author: author, at: at, db)
            return true
        }
    }

    @discardableResult
    public func change(
        _ id: String, _ change: @escaping @Sendable (inout KeySettings) -> Void
    ) async throws(EmbeddedDatabaseError) -> (before: APIKey, after: APIKey)? {
        try await database.write { db in
            func find() throws -> APIKey? {
                try Row.fetchOne(db, sql: "\(Self.selection) WHERE id = ?", arguments: [id]).map(Self.decode)
            }
            guard let before = try find() else { return nil }
            var settings = before.settings
            change(&settings)
            try Self.write(settings, of: id, db)
            return try find().map { (before, $0) }
        }
    }

    private static let selection =
        "SELECT * FROM keys LEFT JOIN key_settings ON key_settings.key_id = keys.id LEFT JOIN key_uses ON key_uses.key_id = keys.id"

    private static func write(_ settings: KeySettings, of id: String, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO key_settings (key_id, alias, models, metadata, expires_at, blocked, on_disconnect)
                VALUES (?,?,?,?,?,?,?)
                """,
            arguments: [
                id, settings.alias, settings.models.joined(separator: "\n"), settings.metadata, settings.expiresAt?.rawValue,
                settings.isBlocked, settings.onDisconnect?.rawValue,
            ])
    }

    private static func settings(_ row: Row) -> KeySettings {
        var settings = KeySettings()
        guard let models: String = row["models"] else { return settings }
        settings.models = models.split(separator: "\n").map(String.init)
        settings.alias = row["alias"]
        settings.metadata = row["metadata"]
        let expiresAt: Int64? = row["expires_at"]
        settings.expiresAt = expiresAt.map { Milliseconds($0) }
        settings.isBlocked = row["blocked"]
        let onDisconnect: String? = row["on_disconnect"]
        settings.onDisconnect = onDisconnect.flatMap(KeySettings.OnDisconnect.init)
        return settings
    }

    /// Every org that ever had a key.
    public func orgs() async throws(EmbeddedDatabaseError) -> [OrgID] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT name AS org FROM orgs ORDER BY name").map { row in try row.org }
        }
    }

    private static func decode(_ row: Row) throws -> APIKey {
        let roles: String = row["roles"]
        let revokedAt: Int64? = row["revoked_at"]
        let usedAt: Int64? = row["used_at"]
        return try APIKey(
            id: row["id"], org: try row.org, project: row["project"], user: row["user"],
            roles: roles.split(separator: " ").map(String.init), onCut: APIKey.OnCut(rawValue: row["on_cut"]) ?? .error,
            createdAt: Milliseconds(row["created_at"]), revokedAt: revokedAt.map { Milliseconds($0) },
            settings: settings(row), identity: row["identity"], kind: APIKey.Kind(rawValue: row["kind"]) ?? .person,
            lastUsedAt: usedAt.map { Milliseconds($0) }, account: row["account"])
    }
}
