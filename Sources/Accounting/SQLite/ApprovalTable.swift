public import Accounting
internal import GRDB

/// The approvals in the embedded database.
public struct ApprovalTable: ApprovalRows {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func insert(_ row: StoredApproval, room: PendingRoom) async throws(ApprovalRowsError) -> ApprovalInsert {
        try await write { db in
            for (bound, condition, values) in [
                (room.run, " AND run = ?", [row.org.text, StoredApproval.pending, row.run]),
                (room.org, "", [row.org.text, StoredApproval.pending]),
            ] where bound < .max {
                let waiting = try Int.fetchOne(
                    db, sql: "SELECT count(*) FROM approvals WHERE org = ? AND state = ?\(condition)", arguments: StatementArguments(values)
                )
                guard waiting ?? 0 < bound else { return .full }
            }
            try db.execute(
                sql: """
                    INSERT INTO approvals (org, id, project, user, conversation, run, tool, digest, state, created_at, expires_at, version,
                    record) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (org, id) DO NOTHING
                    """,
                arguments: [
                    row.org, row.id, row.project, row.user, row.conversation, row.run, row.tool, row.digest, row.state,
                    row.createdAt.rawValue, row.expiresAt.rawValue, row.version, row.record,
                ])
            return db.changesCount > 0 ? .inserted : .taken
        }
    }

    public func approval(org: OrgID, id: String) async throws(ApprovalRowsError) -> StoredApproval? {
        try await read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM approvals WHERE org = ? AND id = ?", arguments: [org, id]).map(Self.decode)
        }
    }

    public func replace(_ row: StoredApproval, expecting version: Int64) async throws(ApprovalRowsError) -> Bool {
        try ApprovalBatch.check(row, expecting: version)
        return try await write { db in
            try db.execute(
                sql: """
                    UPDATE approvals SET state = ?, expires_at = ?, version = ?, record = ? WHERE org = ? AND id = ? AND version = ?
                    """,
                arguments: [row.state, row.expiresAt.rawValue, row.version, row.record, row.org, row.id, version])
            return db.changesCount > 0
        }
    }

    public func approvals(
        org: OrgID, _ filter: ApprovalFilter, before cursor: ApprovalCursor?, limit: Int
    ) async throws(ApprovalRowsError) -> ApprovalPage {
        let limit = ApprovalBatch.limit(limit)
        var sql = "SELECT * FROM approvals WHERE org = ?"
        var arguments: StatementArguments = [org]
        for (column, value) in [
            ("state", filter.state), ("project", filter.project), ("user", filter.user), ("conversation", filter.conversation),
            ("tool", filter.tool), ("digest", filter.digest), ("run", filter.run),
        ] {
            guard let value else { continue }
            sql += " AND \(column) = ?"
            arguments += [value]
        }
        if let cursor {
            sql += " AND (created_at, id) < (?, ?)"
            arguments += [cursor.createdAt.rawValue, cursor.id]
        }
        let (query, values) = ("\(sql) ORDER BY created_at DESC, id DESC LIMIT ?", arguments + [limit])
        return ApprovalPage(try await read { db in try Row.fetchAll(db, sql: query, arguments: values).map(Self.decode) }, limit: limit)
    }

    public func pendingCount(org: OrgID) async throws(ApprovalRowsError) -> Int {
        try await read { db in
            try Int.fetchOne(
                db, sql: "SELECT count(*) FROM approvals WHERE org = ? AND state = ?", arguments: [org, StoredApproval.pending]) ?? 0
        }
    }

    public func due(before: Milliseconds, limit: Int) async throws(ApprovalRowsError) -> [StoredApproval] {
        try await read { db in
            // The state as it stands: a value that is bound does not find an index over a part.
            try Row.fetchAll(
                db,
                sql: """
                    SELECT * FROM approvals WHERE state = '\(StoredApproval.pending)' AND expires_at <= ?
                    ORDER BY expires_at, org, id LIMIT ?
                    """, arguments: [before.rawValue, ApprovalBatch.limit(limit)]
            ).map(Self.decode)
        }
    }

    public func recentDenials(
        org: OrgID, project: String, user: String, tool: String, digest: String, since: Milliseconds
    ) async throws(ApprovalRowsError) -> Int {
        try await read { db in
            try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM approvals WHERE org = ? AND project = ? AND user = ? AND tool = ? AND digest = ? AND state = ?
                    AND created_at >= ?
                    """, arguments: [org, project, user, tool, digest, StoredApproval.denied, since.rawValue]) ?? 0
        }
    }

    private static func decode(_ row: Row) throws -> StoredApproval {
        try StoredApproval(
            org: try row.org, id: row["id"], project: row["project"], user: row["user"], conversation: row["conversation"],
            run: row["run"], tool: row["tool"], digest: row["digest"], state: row["state"], createdAt: Milliseconds(row["created_at"]),
            expiresAt: Milliseconds(row["expires_at"]), version: row["version"], record: row["record"])
    }

    private func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(ApprovalRowsError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(ApprovalRowsError) -> Value {
        do { return try await database.writeDurably(body) } catch { throw .unavailable(error.description) }
    }
}
