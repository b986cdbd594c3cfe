public import Accounting
internal import GRDB

/// What users want remembered, in the embedded database.
public struct UserMemoryTable: UserMemoryStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func set(_ user: UserHandle, _ key: UserMemoryKey, _ value: UserMemoryValue, at: Milliseconds) async throws(UserMemoryError) {
        let isKept = try await write { db in
            let others = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM user_memory WHERE org = ? AND project = ? AND user = ? AND key <> ?",
                arguments: [user.org, user.project, user.user, key.text])
            guard others ?? 0 < KnowledgeLimits.memoryKeys else { return false }
            try db.execute(
                sql: """
                    INSERT INTO user_memory VALUES (?,?,?,?,?,?) ON CONFLICT (org, project, user, key)
                    DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
                    """, arguments: [user.org, user.project, user.user, key.text, value.text, at.rawValue])
            return true
        }
        guard isKept else { throw .tooManyKeys }
    }

    public func get(_ user: UserHandle, _ key: UserMemoryKey) async throws(UserMemoryError) -> UserMemoryValue? {
        try await read { db in
            try String.fetchOne(
                db, sql: "SELECT value FROM user_memory WHERE org = ? AND project = ? AND user = ? AND key = ?",
                arguments: [user.org, user.project, user.user, key.text]
            ).map { UserMemoryValue(stored: $0) }
        }
    }

    public func list(_ user: UserHandle) async throws(UserMemoryError) -> [UserMemoryEntry] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT key, value, updated_at FROM user_memory WHERE org = ? AND project = ? AND user = ? ORDER BY key",
                arguments: [user.org, user.project, user.user]
            ).map { row in
                UserMemoryEntry(
                    key: try UserMemoryKey(row["key"]), value: UserMemoryValue(stored: row["value"]),
                    updatedAt: Milliseconds(row["updated_at"]))
            }
        }
    }

    public func delete(_ user: UserHandle, _ key: UserMemoryKey) async throws(UserMemoryError) -> Bool {
        try await write { db in
            try db.execute(
                sql: "DELETE FROM user_memory WHERE org = ? AND project = ? AND user = ? AND key = ?",
                arguments: [user.org, user.project, user.user, key.text])
            return db.changesCount > 0
        }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(UserMemoryError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(UserMemoryError) -> Value {
        do { return try await database.write(body) } catch { throw .unavailable(error.description) }
    }
}
