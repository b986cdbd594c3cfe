public import Accounting

/// What users want remembered, in Postgres.
public struct PostgresUserMemory: UserMemoryStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func set(_ user: UserHandle, _ key: UserMemoryKey, _ value: UserMemoryValue, at: Milliseconds) async throws(UserMemoryError) {
        let names = Self.names(user)
        let isKept = try await write { (connection) throws(PostgresError) in
            // Writers of one user take turns, so that the number of keys is exact.
            try connection.query(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                [.text("kdcube.memory/\(user.org)/\(user.project)/\(user.user)")])
            let others = try connection.query(
                "SELECT count(*) FROM user_memory WHERE org = $1 AND project = $2 AND user_id = $3 AND key <> $4", names + [.text(key.text)]
            )
            guard try others.first?.int(0) ?? 0 < KnowledgeLimits.memoryKeys else { return false }
            try connection.query(
                """
                INSERT INTO user_memory VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (org, project, user_id, key)
                DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
                """, names + [.text(key.text), .text(value.text), .int(at.rawValue)])
            return true
        }
        guard isKept else { throw .tooManyKeys }
    }

    public func get(_ user: UserHandle, _ key: UserMemoryKey) async throws(UserMemoryError) -> UserMemoryValue? {
        let values = Self.names(user) + [.text(key.text)]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT value FROM user_memory WHERE org = $1 AND project = $2 AND user_id = $3 AND key = $4", values
            ).map { row throws(PostgresError) in UserMemoryValue(stored: try row.text(0)) }.first
        }
    }

    public func list(_ user: UserHandle) async throws(UserMemoryError) -> [UserMemoryEntry] {
        let values = Self.names(user)
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT key, value, updated_at FROM user_memory WHERE org = $1 AND project = $2 AND user_id = $3 ORDER BY key", values
            ).map { row throws(PostgresError) in
                let text = try row.text(0)
                return UserMemoryEntry(
                    key: try PostgresError.reading("a key of memory") { try UserMemoryKey(text) },
                    value: UserMemoryValue(stored: try row.text(1)), updatedAt: Milliseconds(try row.int(2)))
            }
        }
    }

    public func delete(_ user: UserHandle, _ key: UserMemoryKey) async throws(UserMemoryError) -> Bool {
        let values = Self.names(user) + [.text(key.text)]
        return try await write { (connection) throws(PostgresError) in
            try connection.query(
                "DELETE FROM user_memory WHERE org = $1 AND project = $2 AND user_id = $3 AND key = $4", values
            ).affected > 0
        }
    }

    /// `$1` to `$3` of every statement.
    private static func names(_ user: UserHandle) -> [PostgresValue] { [.org(user.org), .text(user.project), .text(user.user)] }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(UserMemoryError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(UserMemoryError) -> Value {
        do { return try await database.write(body) } catch { throw .unavailable(error.description) }
    }
}
