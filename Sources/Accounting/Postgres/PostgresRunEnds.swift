public import Accounting

/// The ends of runs in Postgres.
public struct PostgresRunEnds: RunEndStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func append(_ ends: [RunEnd]) async throws(PostgresError) {
        guard !ends.isEmpty else { return }
        try await database.write { (connection) throws(PostgresError) in
            let paths = ends.map(\.path)
            try connection.query(
                """
                INSERT INTO run_ends (run, org, project, user_id, key_id, model, outcome, detail, at)
                SELECT DISTINCT ON (1) * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::text[], $9::int8[]) ORDER BY 1
                ON CONFLICT (run) DO NOTHING
                """,
                [
                    .texts(ends.map(\.run)), .orgs(paths.map(\.org)), .texts(paths.map(\.project)), .texts(paths.map(\.user)),
                    .texts(paths.map(\.key)), .texts(ends.map(\.model)), .texts(ends.map(\.outcome.rawValue)),
                    .texts(ends.map(\.detail)), .ints(ends.map(\.at.rawValue)),
                ])
        }
    }

    public func find(run: String) async throws(PostgresError) -> RunEnd? {
        try await database.read { (connection) throws(PostgresError) in
            let rows = try connection.query(
                "SELECT org, project, user_id, key_id, model, outcome, detail, at FROM run_ends WHERE run = $1", [.text(run)])
            guard let row = rows.first else { return nil }
            guard let outcome = RunEnd.Outcome(rawValue: try row.text(5)) else { throw .malformed("an outcome") }
            let (org, project, user, key) = (try row.org(0), try row.text(1), row.optionalText(2), row.optionalText(3))
            let path = try PostgresError.reading("a run's end") { try TenancyPath(org: org, project: project, user: user, key: key) }
            return RunEnd(
                run: run, path: path, model: try row.text(4), outcome: outcome, detail: try row.text(6), at: Milliseconds(try row.int(7)))
        }
    }

    @discardableResult
    public func forget(before: Milliseconds) async throws(PostgresError) -> Int {
        try await database.write { (connection) throws(PostgresError) in
            Int(try connection.query("DELETE FROM run_ends WHERE at < $1", [.int(before.rawValue)]).affected)
        }
    }
}
