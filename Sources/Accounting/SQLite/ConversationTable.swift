public import Accounting
internal import GRDB

/// The conversations of one owner. Another owner's conversation of the same id is another conversation.
public struct ConversationTable: ConversationArchive {
    private let database: EmbeddedDatabase
    public let owner: ConversationOwner

    public init(_ database: EmbeddedDatabase, of owner: ConversationOwner) {
        self.database = database
        self.owner = owner
    }

    /// Adds a running turn; makes the conversation when it is new.
    public func beginTurn(
        _ turn: String, run: String, of conversation: String, userText: String, at: Milliseconds
    )
        async throws(ConversationArchiveError)
    {
        guard userText.utf8.count <= StoreLimits.turnBytes else { throw .tooLong }
        let owner = owner
        let isNew = try await write { db in
            try db.execute(
                sql: """
                    INSERT INTO conversations VALUES (?,?,?,?,?,?) ON CONFLICT (org, project, user, id)
                    DO UPDATE SET updated_at = excluded.updated_at
                    """,
                arguments: [owner.org, owner.project, owner.user, conversation, at.rawValue, at.rawValue])
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO turns (org, project, user, conversation, turn, run, user_text, assistant_text, status, started_at)
                    VALUES (?,?,?,?,?,?,?,'','running',?)
                    """,
                arguments: [owner.org, owner.project, owner.user, conversation, turn, run, userText, at.rawValue])
            let isNew = db.changesCount == 1
            try db.execute(
                sql: """
                    DELETE FROM turns WHERE org = ?1 AND project = ?2 AND user = ?3 AND conversation = ?4 AND position <= (
                        SELECT position FROM turns WHERE org = ?1 AND project = ?2 AND user = ?3 AND conversation = ?4
                        ORDER BY position DESC LIMIT 1 OFFSET ?5)
                    """,
                arguments: [owner.org, owner.project, owner.user, conversation, StoreLimits.turnsPerConversation])
            return isNew
        }
        guard isNew else { throw .turnExists }
    }

    /// - Returns: false when the turn is gone.
    @discardableResult
    public func finishTurn(run: String, assistantText: String, status: String) async throws(ConversationArchiveError) -> Bool {
        guard assistantText.utf8.count <= StoreLimits.turnBytes else { throw .tooLong }
        let owner = owner
        return try await write { db in
            try db.execute(
                sql: "UPDATE turns SET assistant_text = ?, status = ? WHERE org = ? AND project = ? AND user = ? AND run = ?",
                arguments: [assistantText, status, owner.org, owner.project, owner.user, run])
            return db.changesCount > 0
        }
    }

    /// The newest `limit` turns, oldest first; empty when there is no such conversation.
    public func turns(of conversation: String, limit: Int = 100) async throws(ConversationArchiveError) -> [StoredTurn] {
        let owner = owner
        let limit = min(max(1, limit), StoreLimits.page)
        return try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM turns WHERE org = ? AND project = ? AND user = ? AND conversation = ? ORDER BY position DESC LIMIT ?
                    """,
                arguments: [owner.org, owner.project, owner.user, conversation, limit]
            ).reversed().map(Self.decodeTurn)
        }
    }

    public func turn(ofRun run: String) async throws(ConversationArchiveError) -> PlacedTurn? {
        let owner = owner
        return try await read { db in
            try Row.fetchOne(
                db, sql: "SELECT * FROM turns WHERE org = ? AND project = ? AND user = ? AND run = ?",
                arguments: [owner.org, owner.project, owner.user, run]
            ).map { row in PlacedTurn(conversation: row["conversation"], turn: Self.decodeTurn(row)) }
        }
    }

    private static func decodeTurn(_ row: Row) -> StoredTurn {
        StoredTurn(
            turn: row["turn"], run: row["run"], userText: row["user_text"], assistantText: row["assistant_text"],
            status: row["status"], startedAt: Milliseconds(row["started_at"]))
    }

    public func find(_ conversation: String) async throws(ConversationArchiveError) -> StoredConversation? {
        let owner = owner
        return try await read { db in
            try Row.fetchOne(
                db, sql: "\(Self.selection) AND id = ?", arguments: [owner.org, owner.project, owner.user, conversation]
            ).map(Self.decode)
        }
    }

    /// The most recently used first; before `updatedAt` if given.
    public func list(before updatedAt: Milliseconds? = nil, limit: Int = 50) async throws(ConversationArchiveError) -> [StoredConversation]
    {
        let owner = owner
        let limit = min(max(1, limit), StoreLimits.page)
        return try await read { db in
            try Row.fetchAll(
                db, sql: "\(Self.selection) AND updated_at < ? ORDER BY updated_at DESC, id LIMIT ?",
                arguments: [owner.org, owner.project, owner.user, updatedAt?.rawValue ?? Int64.max, limit]
            ).map(Self.decode)
        }
    }

    /// Removes a conversation with its turns.
    ///
    /// - Returns: false when there is none.
    public func delete(_ conversation: String) async throws(ConversationArchiveError) -> Bool {
        let owner = owner
        return try await write { db in
            try db.execute(
                sql: "DELETE FROM conversations WHERE org = ? AND project = ? AND user = ? AND id = ?",
                arguments: [owner.org, owner.project, owner.user, conversation])
            return db.changesCount > 0
        }
    }

    private static let selection = """
        SELECT id, created_at, updated_at, (SELECT substr(user_text, 1, 120) FROM turns WHERE turns.org = c.org AND turns.project = c.project
        AND turns.user = c.user AND turns.conversation = c.id ORDER BY position LIMIT 1) AS title
        FROM conversations c WHERE org = ? AND project = ? AND user = ?
        """

    private static func decode(_ row: Row) -> StoredConversation {
        StoredConversation(
            id: row["id"], createdAt: Milliseconds(row["created_at"]), updatedAt: Milliseconds(row["updated_at"]), title: row["title"] ?? ""
        )
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    )
        async throws(ConversationArchiveError) -> Value
    {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    )
        async throws(ConversationArchiveError) -> Value
    {
        do { return try await database.write(body) } catch { throw .unavailable(error.description) }
    }
}
