public import Accounting

/// The approvals in Postgres.
public struct PostgresApprovals: ApprovalRows {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func insert(_ row: StoredApproval, room: PendingRoom) async throws(ApprovalRowsError) -> ApprovalInsert {
        let values: [PostgresValue] = [
            .org(row.org), .text(row.id), .text(row.project), .text(row.user), .text(row.conversation), .text(row.run), .text(row.tool),
            .text(row.digest), .text(row.state), .int(row.createdAt.rawValue), .int(row.expiresAt.rawValue), .int(row.version),
            .text(row.record),
        ]
        return try await write { (connection) throws(PostgresError) in
            // Two that count at once would both find the last place free.
            try connection.query("SELECT pg_advisory_xact_lock(hashtextextended('kdcube.approvals ' || $1, 0))::text", [.org(row.org)])
            let waiting = try connection.query(
                "SELECT count(*), count(*) FILTER (WHERE run = $3) FROM approvals WHERE org = $1 AND state = $2",
                [.org(row.org), .text(StoredApproval.pending), .text(row.run)]
            ).first
            guard let waiting, try waiting.int(0) < Int64(room.org), try waiting.int(1) < Int64(room.run) else { return .full }
            let isNew =
                try connection.query(
                    """
                    INSERT INTO approvals (\(Self.columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                    ON CONFLICT DO NOTHING
                    """, values
                ).affected > 0
            return isNew ? .inserted : .taken
        }
    }

    public func approval(org: OrgID, id: String) async throws(ApprovalRowsError) -> StoredApproval? {
        guard !id.utf8.contains(0) else { return nil }
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT \(Self.columns) FROM approvals WHERE org = $1 AND id = $2", [.org(org), .text(id)]
            ).map(Self.decode).first
        }
    }

    public func replace(_ row: StoredApproval, expecting version: Int64) async throws(ApprovalRowsError) -> Bool {
        try ApprovalBatch.check(row, expecting: version)
        let values: [PostgresValue] = [
            .org(row.org), .text(row.id), .int(version), .text(row.state), .int(row.expiresAt.rawValue), .int(row.version),
            .text(row.record),
        ]
        return try await write { (connection) throws(PostgresError) in
            try connection.query(
                """
                UPDATE approvals SET state = $4, expires_at = $5, version = $6, record = $7 WHERE org = $1 AND id = $2 AND version = $3
                """, values
            ).affected > 0
        }
    }

    public func approvals(
        org: OrgID, _ filter: ApprovalFilter, before cursor: ApprovalCursor?, limit: Int
    ) async throws(ApprovalRowsError) -> ApprovalPage {
        let limit = ApprovalBatch.limit(limit)
        guard !filter.isImpossible, cursor?.id.utf8.contains(0) != true else {
            return ApprovalPage([], limit: limit)
        }
        var sql = "SELECT \(Self.columns) FROM approvals WHERE org = $1"
        var values: [PostgresValue] = [.org(org)]
        func bound(_ value: PostgresValue) -> String {
            values.append(value)
            return "$\(values.count)"
        }
        for (column, value) in [
            ("state", filter.state), ("project", filter.project), ("user_id", filter.user), ("conversation", filter.conversation),
            ("tool", filter.tool), ("digest", filter.digest), ("run", filter.run),
        ] {
            if let value { sql += " AND \(column) = \(bound(.text(value)))" }
        }
        if let cursor { sql += " AND (created_at, id) < (\(bound(.int(cursor.createdAt.rawValue))), \(bound(.text(cursor.id))))" }
        sql += " ORDER BY created_at DESC, id DESC LIMIT \(bound(.int(Int64(limit))))"
        let (query, arguments) = (sql, values)
        let found = try await read { (connection) throws(PostgresError) in
            try connection.query(composed: query, arguments).map(Self.decode)
        }
        return ApprovalPage(found, limit: limit)
    }

    public func pendingCount(org: OrgID) async throws(ApprovalRowsError) -> Int {
        return try await count("SELECT count(*) FROM approvals WHERE org = $1 AND state = $2", [.org(org), .text(StoredApproval.pending)])
    }

    public func due(before: Milliseconds, limit: Int) async throws(ApprovalRowsError) -> [StoredApproval] {
        let values: [PostgresValue] = [.int(before.rawValue), .int(Int64(ApprovalBatch.limit(limit)))]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT \(Self.columns) FROM approvals WHERE state = '\(StoredApproval.pending)' AND expires_at <= $1
                ORDER BY expires_at, org, id LIMIT $2
                """, values
            ).map(Self.decode)
        }
    }

    public func recentDenials(
        org: OrgID, project: String, user: String, tool: String, digest: String, since: Milliseconds
    ) async throws(ApprovalRowsError) -> Int {
        guard ![project, user, tool, digest].contains(where: { $0.utf8.contains(0) }) else { return 0 }
        return try await count(
            """
            SELECT count(*) FROM approvals WHERE org = $1 AND project = $2 AND user_id = $3 AND tool = $4 AND digest = $5 AND state = $6
            AND created_at >= $7
            """,
            [
                .org(org), .text(project), .text(user), .text(tool), .text(digest), .text(StoredApproval.denied), .int(since.rawValue),
            ])
    }

    private static let columns = """
        org, id, project, user_id, conversation, run, tool, digest, state, created_at, expires_at, version, record
        """

    private static func decode(_ row: PostgresRows.Row) throws(PostgresError) -> StoredApproval {
        try PostgresError.reading("an approval") {
            try StoredApproval(
                org: row.org(0), id: row.text(1), project: row.text(2), user: row.text(3), conversation: row.text(4), run: row.text(5),
                tool: row.text(6), digest: row.text(7), state: row.text(8), createdAt: Milliseconds(row.int(9)),
                expiresAt: Milliseconds(row.int(10)), version: row.int(11), record: row.text(12))
        }
    }

    private func count(_ sql: String, _ values: [PostgresValue]) async throws(ApprovalRowsError) -> Int {
        try await read { (connection) throws(PostgresError) in Int(try connection.query(sql, values).first?.int(0) ?? 0) }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(ApprovalRowsError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(ApprovalRowsError) -> Value {
        do { return try await database.writeDurably(body) } catch { throw .unavailable(error.description) }
    }
}
