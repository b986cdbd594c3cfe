public import Accounting

/// The decisions about calls of tools in Postgres.
public struct PostgresDecisions: DecisionStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func append(_ decisions: [ToolDecision]) async throws(DecisionError) {
        guard !decisions.isEmpty else { return }
        let decisions = try DecisionBatch.distinct(decisions)
        let taken = try await linking { (connection) throws(PostgresError) -> Set<DecisionID>? in
            try Self.lock(decisions.map(\.path.org), &connection)
            let ids: [PostgresValue] = [.orgs(decisions.map(\.path.org)), .texts(decisions.map(\.id))]
            let found = try connection.query(
                "SELECT \(Self.columns) FROM tool_decisions d JOIN unnest($1::text[], $2::text[]) AS w (org, id) ON d.org = w.org AND d.id = w.id",
                ids
            ).map { row throws(PostgresError) in try Self.decision(row) }
            let known = Dictionary(uniqueKeysWithValues: found.map { ($0.key, $0) })
            let taken = decisions.filter { known[$0.key] ?? $0 != $0 }
            guard taken.isEmpty else { return Set(taken.map(\.key)) }
            return try Self.insert(decisions.filter { known[$0.key] == nil }, &connection) ? [] : nil
        }
        guard taken.isEmpty else { throw .idsTaken(taken) }
    }

    public func append(outcomes: [ToolOutcome]) async throws(DecisionError) {
        guard !outcomes.isEmpty else { return }
        let outcomes = try DecisionBatch.distinct(outcomes)
        let missing = try await linking { (connection) throws(PostgresError) -> Set<DecisionID>? in
            try Self.lock(outcomes.map(\.org), &connection)
            let rows = try connection.query(
                """
                SELECT d.org, d.id, o.decision IS NOT NULL FROM tool_decisions d
                JOIN unnest($1::text[], $2::text[]) AS w (org, id) ON d.org = w.org AND d.id = w.id
                LEFT JOIN tool_outcomes o ON o.org = d.org AND o.decision = d.id
                """, [.orgs(outcomes.map(\.org)), .texts(outcomes.map(\.decision))])
            let found = try rows.map { row throws(PostgresError) in
                (DecisionID(org: try row.org(0), id: try row.text(1)), try row.bool(2))
            }
            let hasOutcome = Dictionary(uniqueKeysWithValues: found)
            let missing = outcomes.filter { hasOutcome[$0.key] == nil }
            guard missing.isEmpty else { return Set(missing.map(\.key)) }
            return try Self.insert(outcomes.filter { hasOutcome[$0.key] == false }, &connection) ? [] : nil
        }
        guard missing.isEmpty else { throw .noDecisions(missing) }
    }

    /// A change that puts records into the chain, in as many transactions as the chain needs to catch up.
    ///
    /// - Parameter body: nil when the chain was behind, and only came nearer.
    private func linking(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Set<DecisionID>?
    ) async throws(DecisionError) -> Set<DecisionID> {
        while true { if let ids = try await write(body) { return ids } }
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(DecisionError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout PostgresConnection) throws(PostgresError) -> Value
    ) async throws(DecisionError) -> Value {
        do { return try await database.writeDurably(body) } catch { throw .unavailable(error.description) }
    }
}

/// The statements behind it.
extension PostgresDecisions {
    /// Appends of one org take turns, and every transaction takes its orgs in the same order. What the transaction looks up after it is
    /// as the one before has left it.
    private static func lock(_ orgs: [OrgID], _ connection: inout PostgresConnection) throws(PostgresError) {
        let orgs = Set(orgs).sorted()
        try connection.query(
            "INSERT INTO decision_heads SELECT org, 0 FROM unnest($1::text[]) AS org ON CONFLICT DO NOTHING", [.orgs(orgs)])
        try connection.query("SELECT 1::bigint FROM decision_heads WHERE org = ANY ($1::text[]) ORDER BY org FOR UPDATE", [.orgs(orgs)])
    }

    /// The next numbers for rows of these orgs, in their order.
    private static func numbers(_ orgs: [OrgID], _ connection: inout PostgresConnection) throws(PostgresError) -> [Int64] {
        let counts = Dictionary(orgs.map { ($0, Int64(1)) }, uniquingKeysWith: +)
        let rows = try connection.query(
            """
            UPDATE decision_heads h SET seq = h.seq + w.count FROM unnest($1::text[], $2::int8[]) AS w (org, count) WHERE h.org = w.org
            RETURNING h.org, h.seq - w.count
            """, [.orgs(counts.keys), .ints(Array(counts.values))])
        let heads = try rows.map { row throws(PostgresError) in (try row.org(0), try row.int(1)) }
        var next = Dictionary(uniqueKeysWithValues: heads)
        return orgs.map { org in
            next[org, default: 0] += 1
            return next[org, default: 0]
        }
    }

    /// - Returns: false when nothing was inserted, because the chain is behind.
    private static func insert(_ decisions: [ToolDecision], _ connection: inout PostgresConnection) throws(PostgresError) -> Bool {
        guard !decisions.isEmpty else { return true }
        guard var links = try PostgresChainLinks(of: decisions.map(\.path.org), &connection) else { return false }
        let seqs = try numbers(decisions.map(\.path.org), &connection)
        try connection.query(
            """
            INSERT INTO tool_decisions (org, seq, id, project, user_id, key_id, run, call, parent_call, source, tool, arguments_digest,
            arguments, decision, rule, code, message, roles, at, kind, conversation, subject, approval, details) SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[],
            $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
            $15::text[], $16::text[], $17::text[], $18::text[], $19::int8[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[])
            """,
            [
                .orgs(decisions.map(\.path.org)), .ints(seqs), .texts(decisions.map(\.id)), .texts(decisions.map(\.path.project)),
                .texts(decisions.map(\.path.user)), .texts(decisions.map(\.path.key)), .texts(decisions.map(\.run)),
                .texts(decisions.map(\.callID)), .texts(decisions.map(\.parentCallID)), .texts(decisions.map(\.source.rawValue)),
                .texts(decisions.map(\.tool)), .texts(decisions.map(\.argumentsDigest)), .texts(decisions.map(\.arguments)),
                .texts(decisions.map(\.decision.rawValue)), .texts(decisions.map(\.rule)), .texts(decisions.map(\.code)),
                .texts(decisions.map(\.message)), .texts(decisions.map { $0.roles.joined(separator: " ") }),
                .ints(decisions.map(\.at.rawValue)), .texts(decisions.map(\.kind.rawValue)), .texts(decisions.map(\.conversation)),
                .texts(decisions.map(\.subject)), .texts(decisions.map(\.approval)), .texts(decisions.map(\.details)),
            ])
        for (decision, seq) in zip(decisions, seqs) { try links.append(ChainRecord(decision, seq: seq)) }
        try links.write(&connection)
        return true
    }

    private static func insert(_ outcomes: [ToolOutcome], _ connection: inout PostgresConnection) throws(PostgresError) -> Bool {
        guard !outcomes.isEmpty else { return true }
        guard var links = try PostgresChainLinks(of: outcomes.map(\.org), &connection) else { return false }
        let seqs = try numbers(outcomes.map(\.org), &connection)
        try connection.query(
            """
            INSERT INTO tool_outcomes (org, decision, seq, status, code, result_digest, bytes, elapsed, at)
            SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::int8[], $9::int8[])
            """,
            [
                .orgs(outcomes.map(\.org)), .texts(outcomes.map(\.decision)), .ints(seqs), .texts(outcomes.map(\.status.rawValue)),
                .texts(outcomes.map(\.code)), .texts(outcomes.map(\.resultDigest)), .ints(outcomes.map(\.bytes)),
                .ints(outcomes.map(\.elapsed.rawValue)), .ints(outcomes.map(\.at.rawValue)),
            ])
        for (outcome, seq) in zip(outcomes, seqs) { try links.append(ChainRecord(outcome, seq: seq)) }
        try links.write(&connection)
        return true
    }
}
