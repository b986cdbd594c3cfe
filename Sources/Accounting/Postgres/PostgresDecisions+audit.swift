public import Accounting

/// The chain over the decisions, and its checkpoints.
extension PostgresDecisions: AuditStore {
    public func extents(after org: OrgID?) async throws(DecisionError) -> [ChainExtent] {
        let values: [PostgresValue] = [.text(org?.text ?? ""), .int(Int64(ChainLimits.rows))]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                """
                WITH orgs AS (
                    SELECT org FROM decision_heads WHERE org > $1 UNION SELECT org FROM decision_chain_heads WHERE org > $1
                    UNION SELECT org FROM audit_checkpoints WHERE org > $1 ORDER BY org LIMIT $2
                ) \(Self.extents) FROM orgs o ORDER BY o.org
                """, values
            ).map(Self.extent)
        }
    }

    public func extent(of org: OrgID) async throws(DecisionError) -> ChainExtent? {
        let found = try await read { (connection) throws(PostgresError) in
            try connection.query("\(Self.extents), o.known FROM (\(Self.known)) AS o (org, known)", [.org(org)]).map {
                row throws(PostgresError) in
                try row.bool(3) ? try Self.extent(row) : nil
            }
        }
        return found.first ?? nil
    }

    private static let extents = """
        SELECT o.org, (SELECT min(seq) FROM decision_chain WHERE org = o.org), coalesce(greatest(
            (SELECT max(seq) FROM decision_chain WHERE org = o.org), (SELECT max(seq) FROM tool_decisions WHERE org = o.org),
            (SELECT max(seq) FROM tool_outcomes WHERE org = o.org), (SELECT seq FROM decision_heads WHERE org = o.org),
            (SELECT seq FROM decision_chain_heads WHERE org = o.org)), 0)
        """

    private static let known = """
        SELECT $1::text, EXISTS (SELECT FROM decision_heads WHERE org = $1) OR EXISTS (SELECT FROM decision_chain_heads WHERE org = $1)
        OR EXISTS (SELECT FROM audit_checkpoints WHERE org = $1) OR EXISTS (SELECT FROM tool_decisions WHERE org = $1)
        """

    private static func extent(_ row: PostgresRows.Row) throws(PostgresError) -> ChainExtent {
        ChainExtent(org: try row.org(0), first: try row.optionalInt(1), last: try row.int(2))
    }

    public func entries(of org: OrgID, _ seqs: ClosedRange<Int64>) async throws(DecisionError) -> [ChainEntry] {
        try await read { (connection) throws(PostgresError) in try PostgresChainRows.entries(of: org, seqs, &connection) }
    }

    public func hashes(of org: OrgID, _ seqs: [Int64]) async throws(DecisionError) -> [Int64: String] {
        guard !seqs.isEmpty else { return [:] }
        let found = try await read { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT seq, hash FROM decision_chain WHERE org = $1 AND seq = ANY ($2::int8[])", [.org(org), .ints(seqs)]
            ).map { row throws(PostgresError) in (try row.int(0), try row.text(1)) }
        }
        return Dictionary(found, uniquingKeysWith: { one, _ in one })
    }

    public func moved(after org: OrgID?) async throws(DecisionError) -> [ChainHead] {
        let values: [PostgresValue] = [.text(org?.text ?? ""), .int(Int64(ChainLimits.rows))]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT org, first, seq, hash, signed FROM decision_chain_heads WHERE seq > signed AND org > $1 ORDER BY org LIMIT $2",
                values
            ).map { row throws(PostgresError) in
                ChainHead(
                    org: try row.org(0), first: try row.int(1), seq: try row.int(2), hash: try row.text(3), signed: try row.int(4))
            }
        }
    }

    public func add(_ key: AuditKey) async throws(DecisionError) {
        let values: [PostgresValue] = [.text(key.id), .text(key.publicKey), .int(key.at.rawValue)]
        try await write { (connection) throws(PostgresError) in
            _ = try connection.query("INSERT INTO audit_keys VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", values)
        }
    }

    public func auditKeys() async throws(DecisionError) -> [AuditKey] {
        try await read { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT id, public_key, at FROM audit_keys ORDER BY at, id LIMIT $1", [.int(Int64(ChainLimits.keys))]
            ).map { row throws(PostgresError) in
                AuditKey(id: try row.text(0), publicKey: try row.text(1), at: Milliseconds(try row.int(2)))
            }
        }
    }

    public func add(_ checkpoints: [Checkpoint]) async throws(DecisionError) {
        // In one order, so that two servers that sign the same orgs do not wait in a circle.
        let sorted = checkpoints.sorted { $0.org < $1.org }
        try await write { (connection) throws(PostgresError) in
            for one in sorted {
                try connection.query(
                    "INSERT INTO audit_checkpoints VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                    [
                        .org(one.org), .int(one.seq), .int(one.count), .text(one.hash), .int(one.at.rawValue), .text(one.key),
                        .text(one.signature),
                    ])
                try connection.query(
                    "UPDATE decision_chain_heads SET signed = $2 WHERE org = $1 AND signed < $2", [.org(one.org), .int(one.seq)])
            }
        }
    }

    public func checkpoints(of org: OrgID, after seq: Int64) async throws(DecisionError) -> [Checkpoint] {
        let values: [PostgresValue] = [.org(org), .int(seq), .int(Int64(ChainLimits.rows))]
        return try await read { (connection) throws(PostgresError) in
            try connection.query(
                """
                SELECT org, seq, count, hash, at, key, signature FROM audit_checkpoints WHERE org = $1 AND seq > $2 ORDER BY seq LIMIT $3
                """, values
            ).map { row throws(PostgresError) in
                Checkpoint(
                    org: try row.org(0), seq: try row.int(1), count: try row.int(2), hash: try row.text(3),
                    at: Milliseconds(try row.int(4)), key: try row.text(5), signature: try row.text(6))
            }
        }
    }

    public func damage() async throws(DecisionError) -> String? { nil }
}
