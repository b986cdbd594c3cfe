public import Accounting
internal import GRDB

/// The ends of runs in the embedded database.
public struct RunEndTable: RunEndStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func append(_ ends: [RunEnd]) async throws(EmbeddedDatabaseError) {
        guard !ends.isEmpty else { return }
        try await database.write { db in
            let statement = try db.cachedStatement(
                sql: """
                    INSERT INTO run_ends (run, org, project, user, key, model, outcome, detail, at) VALUES (?,?,?,?,?,?,?,?,?)
                    ON CONFLICT (run) DO NOTHING
                    """)
            for end in ends {
                try statement.execute(arguments: [
                    end.run, end.path.org, end.path.project, end.path.user, end.path.key, end.model, end.outcome.rawValue, end.detail,
                    end.at.rawValue,
                ])
            }
        }
    }

    public func find(run: String) async throws(EmbeddedDatabaseError) -> RunEnd? {
        try await database.read { db in
            try Row.fetchOne(db, sql: "SELECT * FROM run_ends WHERE run = ?", arguments: [run]).map { row in
                guard let outcome = RunEnd.Outcome(rawValue: row["outcome"]) else { throw EmbeddedDatabaseError.failed("unknown outcome") }
                return RunEnd(
                    run: row["run"], path: try TenancyPath(org: row.org, project: row["project"], user: row["user"], key: row["key"]),
                    model: row["model"], outcome: outcome, detail: row["detail"], at: Milliseconds(row["at"]))
            }
        }
    }

    @discardableResult
    public func forget(before: Milliseconds) async throws(EmbeddedDatabaseError) -> Int {
        try await database.write { db in
            try db.execute(sql: "DELETE FROM run_ends WHERE at < ?", arguments: [before.rawValue])
            return db.changesCount
        }
    }
}
