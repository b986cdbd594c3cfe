public import Accounting
internal import GRDB

/// The chain over the decisions, and its checkpoints.
extension DecisionTable: AuditStore {
    public func extents(after org: OrgID?) async throws(DecisionError) -> [ChainExtent] {
        try await read { db in
            let orgs = try Row.fetchAll(
                db,
                sql: """
                    SELECT org FROM decision_heads WHERE org > ?1 UNION SELECT org FROM decision_chain_heads WHERE org > ?1
                    UNION SELECT DISTINCT org FROM audit_checkpoints WHERE org > ?1 ORDER BY org LIMIT ?2
                    """, arguments: [org?.text ?? "", ChainLimits.rows])
            return try orgs.compactMap { try Self.extent(of: $0.org, db) }
        }
    }

    public func extent(of org: OrgID) async throws(DecisionError) -> ChainExtent? {
        try await read { db in try Self.extent(of: org, db) }
    }

    private static func extent(of org: OrgID, _ db: Database) throws -> ChainExtent? {
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT (SELECT min(seq) FROM decision_chain WHERE org = ?1) AS first,
                (SELECT max(seq) FROM decision_chain WHERE org = ?1) AS chained,
                (SELECT max(seq) FROM tool_decisions WHERE org = ?1) AS decided,
                (SELECT max(seq) FROM tool_outcomes WHERE org = ?1) AS ended,
                (SELECT seq FROM decision_heads WHERE org = ?1) AS numbered,
                (SELECT seq FROM decision_chain_heads WHERE org = ?1) AS head,
                (SELECT max(seq) FROM audit_checkpoints WHERE org = ?1) AS signed
                """, arguments: [org])
        guard let row else { return nil }
        let seqs: [Int64?] = [row["chained"], row["decided"], row["ended"], row["numbered"], row["head"]]
        let signed: Int64? = row["signed"]
        guard seqs.contains(where: { $0 != nil }) || signed != nil else { return nil }
        return ChainExtent(org: org, first: row["first"], last: seqs.compactMap(\.self).max() ?? 0)
    }

    public func entries(of org: OrgID, _ seqs: ClosedRange<Int64>) async throws(DecisionError) -> [ChainEntry] {
        try await read { db in try ChainRows.entries(of: org, seqs, db) }
    }

    public func hashes(of org: OrgID, _ seqs: [Int64]) async throws(DecisionError) -> [Int64: String] {
        try await read { db in
            let statement = try db.cachedStatement(sql: "SELECT hash FROM decision_chain WHERE org = ? AND seq = ?")
            var found: [Int64: String] = [:]
            for seq in seqs { found[seq] = try String.fetchOne(statement, arguments: [org, seq]) }
            return found
        }
    }

    public func moved(after org: OrgID?) async throws(DecisionError) -> [ChainHead] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM decision_chain_heads WHERE seq > signed AND org > ? ORDER BY org LIMIT ?",
                arguments: [org?.text ?? "", ChainLimits.rows]
            ).map { row in
                ChainHead(org: try row.org, first: row["first"], seq: row["seq"], hash: row["hash"], signed: row["signed"])
            }
        }
    }

    public func add(_ key: AuditKey) async throws(DecisionError) {
        try await write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO audit_keys VALUES (?, ?, ?)", arguments: [key.id, key.publicKey, key.at.rawValue])
        }
    }

    public func auditKeys() async throws(DecisionError) -> [AuditKey] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM audit_keys ORDER BY at, id LIMIT ?", arguments: [ChainLimits.keys]).map { row in
                AuditKey(id: row["id"], publicKey: row["public_key"], at: Milliseconds(row["at"]))
            }
        }
    }

    public func add(_ checkpoints: [Checkpoint]) async throws(DecisionError) {
        try await write { db in
            for one in checkpoints {
                try db.execute(
                    sql: "INSERT OR IGNORE INTO audit_checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)",
                    arguments: [one.org, one.seq, one.count, one.hash, one.at.rawValue, one.key, one.signature])
                try db.execute(
                    sql: "UPDATE decision_chain_heads SET signed = ?2 WHERE org = ?1 AND signed < ?2", arguments: [one.org, one.seq])
            }
        }
    }

    public func checkpoints(of org: OrgID, after seq: Int64) async throws(DecisionError) -> [Checkpoint] {
        try await read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM audit_checkpoints WHERE org = ? AND seq > ? ORDER BY seq LIMIT ?",
                arguments: [org, seq, ChainLimits.rows]
            ).map { row in
                Checkpoint(
                    org: try row.org, seq: row["seq"], count: row["count"], hash: row["hash"], at: Milliseconds(row["at"]), key: row["key"],
                    signature: row["signature"])
            }
        }
    }

    public func damage() async throws(DecisionError) -> String? {
        try await read { db in
            for table in ["tool_decisions", "tool_outcomes", "decision_chain", "audit_checkpoints"] {
                let said = try String.fetchAll(db, sql: "PRAGMA integrity_check(\(table))")
                if said != ["ok"] { return "\(table): \(said.first ?? "no answer")" }
            }
            return nil
        }
    }
}
