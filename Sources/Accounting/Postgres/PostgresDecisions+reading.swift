public import Accounting

/// What is read of the decisions.
extension PostgresDecisions {
    public func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, before cursor: Int64?, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        let limit = DecisionBatch.limit(limit)
        let found = try await page(reader, filter, "<", cursor ?? .max, "DESC", limit)
        return DecisionPage(decisions: found, limit: limit)
    }

    public func decisions(
        for reader: DecisionReader, _ filter: DecisionFilter, after cursor: Int64, limit: Int
    ) async throws(DecisionError) -> DecisionPage {
        let limit = DecisionBatch.limit(limit, DecisionLimits.replayPage)
        let found = try await page(reader, filter, ">", cursor, "ASC", limit)
        return DecisionPage(decisions: found, limit: limit)
    }

    private func page(
        _ reader: DecisionReader, _ filter: DecisionFilter, _ place: String, _ cursor: Int64, _ order: String, _ limit: Int
    ) async throws(DecisionError) -> [RecordedDecision] {
        guard !filter.isImpossible else { return [] }
        var sql = "\(Self.selection) WHERE d.org = $1 AND d.seq \(place) $2"
        var values: [PostgresValue] = [.org(reader.org), .int(cursor)]
        func bound(_ value: PostgresValue) -> String {
            values.append(value)
            return "$\(values.count)"
        }
        for (column, value) in [
            ("project", reader.project), ("user_id", reader.user), ("user_id", filter.user), ("run", filter.run), ("tool", filter.tool),
            ("rule", filter.rule), ("conversation", filter.conversation), ("decision", filter.decision?.rawValue),
            ("kind", filter.kind?.rawValue),
        ] {
            if let value { sql += " AND d.\(column) = \(bound(.text(value)))" }
        }
        // Numbers nearly follow time, so the walk by number ends where the time does. The sum keeps Postgres from looking for the end by
        // walking the numbers: it takes time and number to have nothing to do with each other.
        if let since = filter.since {
            let at = bound(.int(since.rawValue))
            sql += " AND d.at >= \(at) AND d.seq >= (SELECT min(seq + 0) FROM tool_decisions WHERE org = $1 AND at >= \(at))"
        }
        if let until = filter.until {
            let at = bound(.int(until.rawValue))
            sql += " AND d.at < \(at) AND d.seq <= (SELECT max(seq + 0) FROM tool_decisions WHERE org = $1 AND at < \(at))"
        }
        sql += " ORDER BY d.seq \(order) LIMIT \(bound(.int(Int64(limit))))"
        let (query, arguments) = (sql, values)
        return try await read { (connection) throws(PostgresError) in
            try connection.query(composed: query, arguments).map(Self.recorded)
        }
    }

    public func decision(for reader: DecisionReader, id: String) async throws(DecisionError) -> RecordedDecision? {
        guard !id.utf8.contains(0) else { return nil }
        let values: [PostgresValue] = [.org(reader.org), .text(id), .text(reader.project), .text(reader.user)]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                """
                \(Self.selection) WHERE d.org = $1 AND d.id = $2 AND ($3::text IS NULL OR d.project = $3)
                AND ($4::text IS NULL OR d.user_id = $4)
                """, values
            ).map(Self.recorded).first
        }
    }

    public func sessionCalls(
        of owner: ConversationOwner, conversation: String, limit: Int
    ) async throws(DecisionError) -> [RecordedCall] {
        guard !conversation.utf8.contains(0) else { return [] }
        let limit = DecisionBatch.limit(limit, DecisionLimits.sessionCalls)
        let values: [PostgresValue] = [
            .org(owner.org), .text(conversation), .text(owner.project), .text(owner.user), .text(ToolDecision.replayRule),
            .int(Int64(limit) + 1),
        ]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT d.tool, coalesce(d.subject, ''), coalesce(o.status = 'ok', false), d.approval IS NOT NULL
                FROM tool_decisions d LEFT JOIN tool_outcomes o ON o.org = d.org AND o.decision = d.id
                WHERE d.org = $1 AND d.conversation = $2 AND d.project = $3 AND coalesce(d.user_id, '/' || d.key_id, '') = $4 AND d.kind = 'call'
                AND d.decision = 'allow' AND d.rule IS DISTINCT FROM $5 ORDER BY d.seq LIMIT $6
                """, values
            ).map { row throws(PostgresError) in
                RecordedCall(
                    tool: try row.text(0), subject: try row.text(1), isDone: try row.bool(2), isApproved: try row.bool(3))
            }
        }
    }
}

/// Rows out of SQL.
extension PostgresDecisions {
    static let columns = """
        d.org, d.seq, d.id, d.project, d.user_id, d.key_id, d.run, d.call, d.parent_call, d.source, d.tool, d.arguments_digest, \
        d.arguments, d.decision, d.rule, d.code, d.message, d.roles, d.at, d.kind, d.conversation, d.subject, d.approval, d.details
        """

    private static let selection = """
        SELECT \(columns), o.seq, o.status, o.code, o.result_digest, o.bytes, o.elapsed, o.at
        FROM tool_decisions d LEFT JOIN tool_outcomes o ON o.org = d.org AND o.decision = d.id
        """

    static func decision(_ row: PostgresRows.Row) throws(PostgresError) -> ToolDecision {
        try PostgresError.reading("a decision") {
            guard let source = ToolDecision.Source(rawValue: try row.text(9)),
                let verdict = ToolDecision.Verdict(rawValue: try row.text(13)), let kind = ToolDecision.Kind(rawValue: try row.text(19))
            else { throw PostgresError.malformed("a decision that no version of ours wrote") }
            return try ToolDecision(
                id: row.text(2),
                path: TenancyPath(org: row.org(0), project: row.text(3), user: row.optionalText(4), key: row.optionalText(5)),
                run: row.text(6), callID: row.text(7), parentCallID: row.optionalText(8), source: source, tool: row.text(10),
                argumentsDigest: row.text(11), arguments: row.optionalText(12), decision: verdict, rule: row.optionalText(14),
                code: row.optionalText(15), message: row.optionalText(16), roles: row.text(17).split(separator: " ").map(String.init),
                at: Milliseconds(row.int(18)), kind: kind, conversation: row.optionalText(20), subject: row.optionalText(21),
                approval: row.optionalText(22), details: row.optionalText(23))
        }
    }

    private static func recorded(_ row: PostgresRows.Row) throws(PostgresError) -> RecordedDecision {
        let decision = try decision(row)
        guard let seq = try row.optionalInt(24) else {
            return RecordedDecision(seq: try row.int(1), decision: decision, outcome: nil, outcomeSeq: nil)
        }
        let outcome = try PostgresError.reading("an outcome") {
            guard let status = ToolOutcome.Status(rawValue: try row.text(25)) else {
                throw PostgresError.malformed("an outcome that no version of ours wrote")
            }
            return try ToolOutcome(
                org: decision.path.org, decision: decision.id, status: status, code: row.optionalText(26),
                resultDigest: row.optionalText(27), bytes: row.int(28), elapsed: Milliseconds(row.int(29)), at: Milliseconds(row.int(30)))
        }
        return RecordedDecision(seq: try row.int(1), decision: decision, outcome: outcome, outcomeSeq: seq)
    }
}
