public import Accounting

/// The API keys in Postgres, and the orgs, projects and users that they brought about.
public struct PostgresKeys: KeyStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func create(_ key: APIKey, hash: String) async throws(PostgresError) {
        try await database.write { (connection) throws(PostgresError) in
            let (org, project, at) = (
                PostgresValue.org(key.org), PostgresValue.text(key.project), PostgresValue.int(key.createdAt.rawValue)
            )
            try connection.query("INSERT INTO orgs VALUES ($1, $2) ON CONFLICT DO NOTHING", [org, at])
            try connection.query("INSERT INTO projects VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", [org, project, at])
            if let user = key.user {
                try connection.query("INSERT INTO users VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", [org, project, .text(user), at])
            }
            try connection.query(
                """
                INSERT INTO keys (id, hash, org, project, user_id, roles, on_cut, created_at, revoked_at, identity, kind, account)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                """,
                [
                    .text(key.id), .text(hash), org, project, .text(key.user), .text(key.roles.joined(separator: " ")),
                    .text(key.onCut.rawValue), at, .int(key.revokedAt?.rawValue), .text(key.identity),
                    .text(key.kind.rawValue), .text(key.account == key.id ? nil : key.account),
                ])
            if key.settings != KeySettings() { try Self.write(key.settings, of: key.id, &connection) }
        }
    }

    public func active(hash: String) async throws(PostgresError) -> APIKey? {
        try await database.read { (connection) throws(PostgresError) in
            try connection.query("\(Self.selection) WHERE hash = $1 AND revoked_at IS NULL", [.text(hash)]).map(Self.decode).first
        }
    }

    public func find(hash: String) async throws(PostgresError) -> APIKey? {
        try await database.read { (connection) throws(PostgresError) in
            try connection.query("\(Self.selection) WHERE hash = $1", [.text(hash)]).map(Self.decode).first
        }
    }

    public func find(id: String) async throws(PostgresError) -> APIKey? {
        try await database.read { (connection) throws(PostgresError) in
            try connection.query("\(Self.selection) WHERE id = $1", [.text(id)]).map(Self.decode).first
        }
    }

    public func list(
        _ filter: KeyFilter = KeyFilter(), at now: Milliseconds, after cursor: String? = nil, limit: Int = 100
    ) async throws(PostgresError) -> [APIKey] {
        let limit = min(max(1, limit), StoreLimits.page)
        let state = KeyConditions.sql(filter.state, now: "$6")
        return try await database.read { (connection) throws(PostgresError) in
            try connection.query(
                """
                \(Self.selection) WHERE id > $1 AND ($2::text IS NULL OR org = $2) AND ($3::text IS NULL OR project = $3)
                AND ($4::text IS NULL OR user_id = $4) AND $6::int8 IS NOT NULL AND \(state) ORDER BY id LIMIT $5
                """,
                [
                    .text(cursor ?? ""), .org(filter.org), .text(filter.project), .text(filter.user), .int(Int64(limit)),
                    .int(now.rawValue),
                ]
            ).map(Self.decode)
        }
    }

    public func used(_ uses: [String: Milliseconds]) async throws(PostgresError) {
        guard !uses.isEmpty else { return }
        // In one order everywhere, so that two servers wait for each other and never deadlock.
        let sorted = uses.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.prefix(StoreLimits.page)
        _ = try await database.write { (connection) throws(PostgresError) in
            try connection.query(
                """
                INSERT INTO key_uses (key_id, used_at) SELECT * FROM unnest($1::text[], $2::int8[])
                ON CONFLICT (key_id) DO UPDATE SET used_at = greatest(key_uses.used_at, excluded.used_at)
                """, [.texts(sorted.map(\.key)), .ints(sorted.map(\.value.rawValue))])
        }
    }

    public func revoke(id: String, author: String, at: Milliseconds) async throws(PostgresError) -> Bool {
        try await database.write { (connection) throws(PostgresError) in
            let revoked = try connection.query(
                "UPDATE keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", [.text(id), .int(at.rawValue)])
            guard revoked.affected > 0 else { return false }
            try PostgresRevocations.add(.scope(.key(id)), org: nil, author: author, at: at, &connection)
            return true
        }
    }

    @discardableResult
    public func change(
        _ id: String, _ change: @escaping @Sendable (inout KeySettings) -> Void
    ) async throws(PostgresError) -> (before: APIKey, after: APIKey)? {
        try await database.write { (connection) throws(PostgresError) in
            // A statement of its own: the one that waited for the lock would read the settings as they were before.
            try connection.query("SELECT FROM keys WHERE id = $1 FOR UPDATE", [.text(id)])
            let found = "\(Self.selection) WHERE id = $1"
            guard let before = try connection.query(found, [.text(id)]).map(Self.decode).first else { return nil }
            var settings = before.settings
            change(&settings)
            try Self.write(settings, of: id, &connection)
            return try connection.query(found, [.text(id)]).map(Self.decode).first.map { (before, $0) }
        }
    }

    public func orgs() async throws(PostgresError) -> [OrgID] {
        try await database.read { (connection) throws(PostgresError) in
            try connection.query("SELECT name FROM orgs ORDER BY name").map { row throws(PostgresError) in try row.org(0) }
        }
    }

    private static let selection = """
        SELECT id, org, project, user_id, roles, on_cut, created_at, revoked_at, alias, models, metadata, expires_at, blocked,
            on_disconnect, identity, kind, used_at, account
        FROM keys LEFT JOIN key_settings ON key_settings.key_id = id LEFT JOIN key_uses ON key_uses.key_id = id
        """

    private static func write(_ settings: KeySettings, of id: String, _ connection: inout PostgresConnection) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO key_settings (key_id, alias, models, metadata, expires_at, blocked, on_disconnect)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (key_id) DO UPDATE SET alias = excluded.alias, models = excluded.models, metadata = excluded.metadata,
                expires_at = excluded.expires_at, blocked = excluded.blocked, on_disconnect = excluded.on_disconnect
            """,
            [
                .text(id), .text(settings.alias), .text(settings.models.joined(separator: "\n")), .text(settings.metadata),
                .int(settings.expiresAt?.rawValue), .bool(settings.isBlocked), .text(settings.onDisconnect?.rawValue),
            ])
    }

    private static func settings(_ row: PostgresRows.Row) throws(PostgresError) -> KeySettings {
        var settings = KeySettings()
        guard let models = row.optionalText(9) else { return settings }
        settings.alias = row.optionalText(8)
        settings.models = models.split(separator: "\n").map(String.init)
        settings.metadata = try row.text(10)
        settings.expiresAt = try row.optionalInt(11).map { Milliseconds($0) }
        settings.isBlocked = try row.bool(12)
        settings.onDisconnect = row.optionalText(13).flatMap(KeySettings.OnDisconnect.init)
        return settings
    }

    private static func decode(_ row: PostgresRows.Row) throws(PostgresError) -> APIKey {
        let (id, org, project, user) = (try row.text(0), try row.org(1), try row.text(2), row.optionalText(3))
        let (roles, onCut) = (try row.text(4), try row.text(5))
        let (createdAt, revokedAt) = (try row.int(6), try row.optionalInt(7))
        let (settings, identity) = (try settings(row), row.optionalText(14))
        let (kind, usedAt) = (APIKey.Kind(rawValue: try row.text(15)) ?? .person, try row.optionalInt(16))
        let account = row.optionalText(17)
        return try PostgresError.reading("a key") {
            try APIKey(
                id: id, org: org, project: project, user: user, roles: roles.split(separator: " ").map(String.init),
                onCut: APIKey.OnCut(rawValue: onCut) ?? .error, createdAt: Milliseconds(createdAt),
                revokedAt: revokedAt.map { Milliseconds($0) }, settings: settings, identity: identity, kind: kind,
                lastUsedAt: usedAt.map { Milliseconds($0) }, account: account)
        }
    }
}
