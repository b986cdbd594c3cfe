public import Accounting
internal import GRDB

/// What is read of the decisions.
extension DecisionTable {
    public func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, before cursor: Int64?, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        let limit = DecisionBatch.limit(limit)
        let found = try await page(reader, filter, "d.seq < ?", cursor ?? .max, "DESC", limit)
        return DecisionPage(decisions: found, limit: limit)
    }

    public func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, after cursor: Int64, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        let limit = DecisionBatch.limit(limit, DecisionLimits.replayPage)
        let found = try await page(reader, filter, "d.seq > ?", cursor, "ASC", limit)
        return DecisionPage(decisions: found, limit: limit)
    }

    private func page(
        _ reader: DecisionReader, _ filter: DecisionFilter, _ place: String, _ cursor: Int64, _ order: String, _ limit: Int
    ) async throws(DecisionError) -> [RecordedDecision] {
        var sql = "\(Self.selection) WHERE d.org = ? AND \(place)"
        var arguments: StatementArguments = [reader.org, cursor]
        for (column, value) in [
            ("d.project", reader.project), ("d.user", reader.user), ("d.user", filter.user), ("d.run", filter.run), ("d.tool", filter.tool),
            ("d.rule", filter.rule), ("d.conversation", filter.conversation),
        ] {
            guard let value else { continue }
            sql += " AND \(column) = ?"
            arguments += [value]
        }
        // Words of ours, as they stand: a value that is bound does not find an index over a part.
        if let verdict = filter.decision { sql += " AND d.decision = '\(verdict.rawValue)'" }
        if let kind = filter.kind { sql += " AND d.kind = '\(kind.rawValue)'\(kind == .call ? "" : " AND d.kind <> 'call'")" }
        // Numbers nearly follow time, so the walk by number ends where the time does.
        if let since = filter.since {
            sql += " AND d.at >= ? AND d.seq >= (SELECT min(seq) FROM tool_decisions WHERE org = ? AND at >= ?)"
            arguments += [since.rawValue, reader.org, since.rawValue]
        }
        if let until = filter.until {
            sql += " AND d.at < ? AND d.seq <= (SELECT max(seq) FROM tool_decisions WHERE org = ? AND at < ?)"
            arguments += [until.rawValue, reader.org, until.rawValue]
        }
        let (query, values) = ("\(sql) ORDER BY d.seq \(order) LIMIT ?", arguments + [limit])
        return try await read { db in try Row.fetchAll(db, sql: query, arguments: values).map(Self.recorded) }
    }

    public func decision(for reader: DecisionReader, id: String) async throws(DecisionError) -> RecordedDecision? {
        try await read { db in
            try Row.fetchOne(
                db, sql: "\(Self.selection) WHERE d.org = ? AND d.id = ? AND (? IS NULL OR d.project = ?) AND (? IS NULL OR d.user = ?)",
                arguments: [reader.org, id, reader.project, reader.project, reader.user, reader.user]
            ).map(Self.recorded)
        }
    }

    public func sessionCalls(
        of owner: ConversationOwner, conversation: String, limit: Int
    ) async throws(DecisionError) -> [RecordedCall] {
        let limit = DecisionBatch.limit(limit, DecisionLimits.sessionCalls)
        return try await read { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT d.tool, coalesce(d.subject, '') AS subject, coalesce(o.status = 'ok', 0) AS is_done,
                    d.approval IS NOT NULL AS is_approved
                    FROM tool_decisions d LEFT JOIN tool_outcomes o ON o.org = d.org AND o.decision = d.id
                    WHERE d.org = ? AND d.conversation = ? AND d.project = ? AND coalesce(d.user, '/' || d.key, '') = ? AND d.kind = 'call'
                    AND d.decision = 'allow' AND d.rule IS NOT ? ORDER BY d.seq LIMIT ?
                    """)
            return try Row.fetchAll(
                statement,
                arguments: [owner.org, conversation, owner.project, owner.user, ToolDecision.replayRule, limit + 1]
            ).map { row in
                RecordedCall(tool: row["tool"], subject: row["subject"], isDone: row["is_done"], isApproved: row["is_approved"])
            }
        }
    }
}

/// Rows out of SQL.
extension DecisionTable {
    private static let selection = """
        SELECT d.*, o.seq AS o_seq, o.status AS o_status, o.code AS o_code, o.result_digest AS o_digest, o.bytes AS o_bytes,
        o.elapsed AS o_elapsed, o.at AS o_at FROM tool_decisions d LEFT JOIN tool_outcomes o ON o.org = d.org AND o.decision = d.id
        """

    static func decision(_ row: Row) throws -> ToolDecision {
        let roles: String = row["roles"]
        guard let source = ToolDecision.Source(rawValue: row["source"]), let verdict = ToolDecision.Verdict(rawValue: row["decision"]),
            let kind = ToolDecision.Kind(rawValue: row["kind"])
        else {
            throw EmbeddedDatabaseError.failed("a decision that no version of ours wrote")
        }
        return try ToolDecision(
            id: row["id"], path: TenancyPath(org: row.org, project: row["project"], user: row["user"], key: row["key"]),
            run: row["run"], callID: row["call"], parentCallID: row["parent_call"], source: source, tool: row["tool"],
            argumentsDigest: row["arguments_digest"], arguments: row["arguments"], decision: verdict, rule: row["rule"], code: row["code"],
            message: row["message"], roles: roles.split(separator: " ").map(String.init), at: Milliseconds(row["at"]), kind: kind,
            conversation: row["conversation"], subject: row["subject"], approval: row["approval"], details: row["details"])
    }

    private static func recorded(_ row: Row) throws -> RecordedDecision {
        let decision = try decision(row)
        guard let seq: Int64 = row["o_seq"] else {
            return RecordedDecision(seq: row["seq"], decision: decision, outcome: nil, outcomeSeq: nil)
        }
        guard let status = ToolOutcome.Status(rawValue: row["o_status"]) else {
            throw EmbeddedDatabaseError.failed("an outcome that no version of ours wrote")
        }
        let outcome = try ToolOutcome(
            org: decision.path.org, decision: decision.id, status: status, code: row["o_code"], resultDigest: row["o_digest"],
            bytes: row["o_bytes"], elapsed: Milliseconds(row["o_elapsed"]), at: Milliseconds(row["o_at"]))
        return RecordedDecision(seq: row["seq"], decision: decision, outcome: outcome, outcomeSeq: seq)
    }
}
