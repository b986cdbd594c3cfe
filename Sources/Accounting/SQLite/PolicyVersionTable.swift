public import Accounting
internal import GRDB

/// The versions of the policies in the embedded database.
public struct PolicyVersionTable: PolicyVersions {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func keep(version: String, files: String, at: Milliseconds) async throws(PolicyStoreError) {
        try PolicyVersionCheck.version(version)
        try PolicyVersionCheck.files(files)
        do {
            try await database.writeDurably { db in
                try db.execute(
                    sql: "INSERT INTO policy_versions (version, at, files) VALUES (?, ?, ?) ON CONFLICT (version) DO NOTHING",
                    arguments: [version, at.rawValue, files])
            }
        } catch {
            throw .unavailable(error.description)
        }
    }

    public func versions(of kind: PolicyVersionKind, limit: Int) async throws(PolicyStoreError) -> [PolicyVersion] {
        do {
            return try await database.read { db in
                try Row.fetchAll(
                    db,
                    sql: """
                        SELECT version, at FROM policy_versions WHERE (substr(version, 1, ?) = ?) = ? ORDER BY at DESC, version DESC LIMIT ?
                        """,
                    arguments: [
                        PolicyVersionKind.toolsPrefix.utf8.count, PolicyVersionKind.toolsPrefix, kind == .tools,
                        PolicyVersionCheck.limit(limit),
                    ]
                ).map { row in PolicyVersion(version: row["version"], at: Milliseconds(row["at"])) }
            }
        } catch {
            throw .unavailable(error.description)
        }
    }

    public func files(of version: String) async throws(PolicyStoreError) -> String? {
        do {
            return try await database.read { db in
                try String.fetchOne(db, sql: "SELECT files FROM policy_versions WHERE version = ?", arguments: [version])
            }
        } catch {
            throw .unavailable(error.description)
        }
    }
}
