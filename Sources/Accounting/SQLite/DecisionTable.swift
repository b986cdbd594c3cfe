public import Accounting
internal import GRDB

/// The decisions about calls of tools in the embedded database.
public struct DecisionTable: DecisionStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func append(_ decisions: [ToolDecision]) async throws(DecisionError) {
        guard !decisions.isEmpty else { return }
        let decisions = try DecisionBatch.distinct(decisions)
        let taken = try await linking { db in
            var (new, taken): ([ToolDecision], Set<DecisionID>) = ([], [])
            let known = try db.cachedStatement(sql: "SELECT * FROM tool_decisions WHERE org = ? AND id = ?")
            for decision in decisions {
                let row = try Row.fetchOne(known, arguments: [decision.path.org, decision.id])
                guard let row else {
                    new.append(decision)
                    continue
                }
                if try Self.decision(row) != decision { taken.insert(decision.key) }
            }
            guard taken.isEmpty, !new.isEmpty else { return taken }
            guard var links = try ChainLinks(of: new.map(\.path.org), db) else { return nil }
            let statement = try db.cachedStatement(
                sql: """
                    INSERT INTO tool_decisions (org, seq, id, project, user, key, run, call, parent_call, source, tool, arguments_digest,
                    arguments, decision, rule, code, message, roles, at, kind, conversation, subject, approval, details)
                    VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
                    """)
            for decision in new {
                let path = decision.path
                let seq = try Self.next(path.org, db)
                try statement.execute(arguments: [
                    path.org, seq, decision.id, path.project, path.user, path.key, decision.run, decision.callID,
                    decision.parentCallID, decision.source.rawValue, decision.tool, decision.argumentsDigest, decision.arguments,
                    decision.decision.rawValue, decision.rule, decision.code, decision.message, decision.roles.joined(separator: " "),
                    decision.at.rawValue, decision.kind.rawValue, decision.conversation, decision.subject, decision.approval,
                    decision.details,
                ])
                try links.append(ChainRecord(decision, seq: seq), db)
            }
            try links.finish(db)
            return taken
        }
        guard taken.isEmpty else { throw .idsTaken(taken) }
    }

    public func append(outcomes: [ToolOutcome]) async throws(DecisionError) {
        guard !outcomes.isEmpty else { return }
        let outcomes = try DecisionBatch.distinct(outcomes)
        let missing = try await linking { db in
            let decided = try db.cachedStatement(sql: "SELECT 1 FROM tool_decisions WHERE org = ? AND id = ?")
            let missing = try outcomes.filter { try Row.fetchOne(decided, arguments: [$0.org, $0.decision]) == nil }
            guard missing.isEmpty else { return Set(missing.map(\.key)) }
            guard var links = try ChainLinks(of: outcomes.map(\.org), db) else { return nil }
            let ended = try db.cachedStatement(sql: "SELECT 1 FROM tool_outcomes WHERE org = ? AND decision = ?")
            let statement = try db.cachedStatement(
                sql: """
                    INSERT INTO tool_outcomes (org, decision, seq, status, code, result_digest, bytes, elapsed, at)
                    VALUES (?,?,?,?,?,?,?,?,?)
                    """)
            for outcome in outcomes {
                guard try Row.fetchOne(ended, arguments: [outcome.org, outcome.decision]) == nil else { continue }
                let seq = try Self.next(outcome.org, db)
                try statement.execute(
                    arguments: [
                        outcome.org, outcome.decision, seq, outcome.status.rawValue, outcome.code,
                        outcome.resultDigest, outcome.bytes, outcome.elapsed.rawValue, outcome.at.rawValue,
                    ])
                try links.append(ChainRecord(outcome, seq: seq), db)
            }
            try links.finish(db)
            return []
        }
        guard missing.isEmpty else { throw .noDecisions(missing) }
    }

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(DecisionError) -> Value {
        do { return try await database.read(body) } catch { throw .unavailable(error.description) }
    }

    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(DecisionError) -> Value {
        do { return try await database.writeDurably(body) } catch { throw .unavailable(error.description) }
    }
}

extension DecisionTable {
    /// A change that puts records into the chain, in as many transactions as the chain needs to catch up.
    ///
    /// - Parameter body: nil when the chain was behind, and only came nearer.
    private func linking(
        _ body: @escaping @Sendable (Database) throws -> Set<DecisionID>?
    ) async throws(DecisionError) -> Set<DecisionID> {
        while true { if let ids = try await write(body) { return ids } }
    }
}

extension DecisionTable {
    /// The org's next number.
    private static func next(_ org: OrgID, _ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(
            sql: "INSERT INTO decision_heads VALUES (?, 1) ON CONFLICT (org) DO UPDATE SET seq = seq + 1 RETURNING seq")
        let seq = try Int64.fetchOne(statement, arguments: [org])
        guard let seq else { throw EmbeddedDatabaseError.failed("no number of a decision") }
        return seq
    }
}
