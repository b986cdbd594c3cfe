public import Accounting

/// Orders to cut in Postgres.
public struct PostgresRevocations: RevocationStore {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func add(
        _ target: Revocation.Target, org: OrgID?, author: String, reason: String?, at: Milliseconds
    ) async throws(PostgresError) {
        try await database.write { (connection) throws(PostgresError) in
            try Self.add(target, org: org, author: author, reason: reason, at: at, &connection)
        }
    }

    /// Ids are given when a row is written and seen when it is committed: writers take turns, so that the two orders are one.
    static func add(
        _ target: Revocation.Target, org: OrgID?, author: String, reason: String? = nil, at: Milliseconds,
        _ connection: inout PostgresConnection
    ) throws(PostgresError) {
        try connection.query("SELECT pg_advisory_xact_lock(hashtextextended('kdcube.revocations', 0))")
        try connection.query(
            "INSERT INTO revocations (target, org, author, at, reason) VALUES ($1, $2, $3, $4, $5)",
            [.text(target.text), .org(org), .text(author), .int(at.rawValue), .text(reason)])
    }

    public func after(_ id: Int64) async throws(PostgresError) -> [Revocation] {
        try await database.read { (connection) throws(PostgresError) in
            try connection.query(
                "SELECT id, target, author, at, org, reason FROM revocations WHERE id > $1 ORDER BY id LIMIT $2",
                [.int(id), .int(Int64(StoreLimits.page))]
            ).map { row throws(PostgresError) in
                let text = try row.text(1)
                let target = try PostgresError.reading("a revocation") { try Revocation.Target(text) }
                return Revocation(
                    id: try row.int(0), target: target, org: try row.optionalOrg(4), author: try row.text(2),
                    reason: row.optionalText(5), at: Milliseconds(try row.int(3)))
            }
        }
    }

    public func forget(before: Milliseconds) async throws(PostgresError) {
        try await database.write { (connection) throws(PostgresError) in
            _ = try connection.query("DELETE FROM revocations WHERE at < $1", [.int(before.rawValue)])
        }
    }
}
