public import Accounting

/// The conversations of one owner in Postgres.
///
/// Postgres' `text` cannot hold U+0000, which a model or a client may well send: it is kept as U+FFFD.
public struct PostgresConversations: ConversationArchive {
    private let database: PostgresDatabase
    public let owner: ConversationOwner

    public init(_ database: PostgresDatabase, of owner: ConversationOwner) {
        self.database = database
        self.owner = owner
    }

    public func beginTurn(
        _ turn: String, run: String, of conversation: String, userText: String, at: Milliseconds
    ) async throws(ConversationArchiveError) {
        guard userText.utf8.count <= StoreLimits.turnBytes else { throw .tooLong }
        let key = names + [.text(conversation)]
        let text = Self.storable(userText)
        let isNew = try await write { (connection) throws(PostgresError) in
            try connection.query(
                """
                INSERT INTO conversations VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (org, project, user_id, id)
                DO UPDATE SET updated_at = excluded.updated_at
                """, key + [.int(at.rawValue)])
            let added = try connection.query(
                """
                INSERT INTO turns (org, project, user_id, conversation, turn, run, user_text, assistant_text, status, started_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, '', 'running', $8) ON CONFLICT DO NOTHING
                """, key + [.text(turn), .text(run), .text(text), .int(at.rawValue)])
            try connection.query(
                """
                DELETE FROM turns WHERE org = $1 AND project = $2 AND user_id = $3 AND conversation = $4 AND position <= (
                    SELECT position FROM turns WHERE org = $1 AND project = $2 AND user_id = $3 AND conversation = $4
                    ORDER BY position DESC LIMIT 1 OFFSET $5)
                """, key + [.int(Int64(StoreLimits.turnsPerConversation))])
            return added.affected == 1
        }
        guard isNew else { throw .turnExists }
    }

    @discardableResult
    public func finishTurn(run: String, assistantText: String, status: String) async throws(ConversationArchiveError) -> Bool {
        guard assistantText.utf8.count <= StoreLimits.turnBytes else { throw .tooLong }
        let values = names + [.text(run), .text(Self.storable(assistantText)), .text(status)]
        return try await write { (connection) throws(PostgresError) in
            let finished = try connection.query(
                """
                UPDATE turns SET assistant_text = $5, status = $6 WHERE org = $1 AND project = $2 AND user_id = $3 AND run = $4
                """, values)
            return finished.affected > 0
        }
    }

    public func turns(of conversation: String, limit: Int = 100) async throws(ConversationArchiveError) -> [StoredTurn] {
        let values = names + [.text(conversation), .int(Int64(min(max(1, limit), StoreLimits.page)))]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT turn, run, user_text, assistant_text, status, started_at FROM turns
                WHERE org = $1 AND project = $2 AND user_id = $3 AND conversation = $4 ORDER BY position DESC LIMIT $5
                """, values
            ).map(Self.decodeTurn).reversed()
        }
    }

    public func turn(ofRun run: String) async throws(ConversationArchiveError) -> PlacedTurn? {
        let values = names + [.text(run)]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT turn, run, user_text, assistant_text, status, started_at, conversation FROM turns
                WHERE org = $1 AND project = $2 AND user_id = $3 AND run = $4
                """, values
            ).map { row throws(PostgresError) in
                PlacedTurn(conversation: try row.text(6), turn: try Self.decodeTurn(row))
            }.first
        }
    }

    public func find(_ conversation: String) async throws(ConversationArchiveError) -> StoredConversation? {
        let values = names + [.text(conversation)]
        return try await read { (connection) throws(PostgresError) in
            try connection.query("\(Self.selection) AND id = $4", values).map(Self.decode).first
        }
    }

    public func list(before updatedAt: Milliseconds? = nil, limit: Int = 50) async throws(ConversationArchiveError) -> [StoredConversation]
    {
        let values = names + [.int(updatedAt?.rawValue ?? .max), .int(Int64(min(max(1, limit), StoreLimits.page)))]
        return try await read { (connection) throws(PostgresError) in
            try connection.query("\(Self.selection) AND updated_at < $4 ORDER BY updated_at DESC, id LIMIT $5", values).map(Self.decode)
        }
    }

    public func delete(_ conversation: String) async throws(ConversationArchiveError) -> Bool {
        let values = names + [.text(conversation)]
        return try await write { (connection) throws(PostgresError) in
            let deleted = try connection.query(
                "DELETE FROM conversations WHERE org = $1 AND project = $2 AND user_id = $3 AND id = $4", values)
            return deleted.affected > 0
        }
    }

    // MARK: Private

    /// `$1` to `$3` of every statement.
    private var names: [PostgresValue] { [.org(owner.org), .text(owner.project), .text(owner.user)] }

    private static let selection = """
        SELECT id, created_at, updated_at, (SELECT substr(user_text, 1, 120) FROM turns t WHERE t.org = c.org AND t.project = c.project
        AND t.user_id = c.user_id AND t.conversation = c.id ORDER BY position LIMIT 1) AS title
        FROM conversations c WHERE org = $1 AND project = $2 AND user_id = $3
        """

    private static func decodeTurn(_ row: PostgresRows.Row) throws(PostgresError) -> StoredTurn {
        StoredTurn(
            turn: try row.text(0), run: try row.text(1), userText: try row.text(2), assistantText: try row.text(3),
            status: try row.text(4), startedAt: Milliseconds(try row.int(5)))
    }

    private static func decode(_ row: PostgresRows.Row) throws(PostgresError) -> StoredConversation {
        StoredConversation(
            id: try row.text(0), createdAt: Milliseconds(try row.int(1)), updatedAt: Milliseconds(try row.int(2)),
            title: row.optionalText(3) ?? "")
    }

    private static func storable(_ text: String) -> String {
        guard text.utf8.contains(0) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(ConversationArchiveError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(ConversationArchiveError) -> Value {
        do throws(PostgresError) {
            // The end of a run waits for its turn to be kept: not for as long as a batch of rows may take.
            return try await database.call(.read) { (connection) throws(PostgresError) in
                try connection.transaction("BEGIN", body)
            }
        } catch {
            throw .unavailable(error.description)
        }
    }
}
