public import Accounting

/// The versions of the policies in Postgres.
public struct PostgresPolicyVersions: PolicyVersions {
    private let database: PostgresDatabase

    public init(_ database: PostgresDatabase) { self.database = database }

    public func keep(version: String, files: String, at: Milliseconds) async throws(PolicyStoreError) {
        try PolicyVersionCheck.version(version)
        try PolicyVersionCheck.files(files)
        do throws(PostgresError) {
            try await database.writeDurably { (connection) throws(PostgresError) in
                _ = try connection.query(
                    "INSERT INTO policy_versions (version, at, files) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    [.text(version), .int(at.rawValue), .text(files)])
            }
        } catch {
            throw .unavailable(error.description)
        }
    }

    public func versions(of kind: PolicyVersionKind, limit: Int) async throws(PolicyStoreError) -> [PolicyVersion] {
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try connection.query(
                    """
                    SELECT version, at FROM policy_versions WHERE (version LIKE '\(PolicyVersionKind.toolsPrefix)%') = ($2::int8 = 1)
                    ORDER BY at DESC, version DESC LIMIT $1
                    """,
                    [.int(Int64(PolicyVersionCheck.limit(limit))), .int(kind == .tools ? 1 : 0)]
                ).map { row throws(PostgresError) in PolicyVersion(version: try row.text(0), at: Milliseconds(try row.int(1))) }
            }
        } catch {
            throw .unavailable(error.description)
        }
    }

    public func files(of version: String) async throws(PolicyStoreError) -> String? {
        guard !version.utf8.contains(0) else { return nil }
        do throws(PostgresError) {
            return try await database.read { (connection) throws(PostgresError) in
                try connection.query("SELECT files FROM policy_versions WHERE version = $1", [.text(version)]).first?.text(0)
            }
        } catch {
            throw .unavailable(error.description)
        }
    }
}
