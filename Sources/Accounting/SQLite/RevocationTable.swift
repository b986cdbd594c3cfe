public import Accounting
internal import GRDB

/// Orders to cut in the embedded database, whose one writer gives ids in the order in which they are seen.
public struct RevocationTable: RevocationStore {
    private let database: EmbeddedDatabase

    public init(_ database: EmbeddedDatabase) { self.database = database }

    public func add(
        _ target: Revocation.Target, org: OrgID?, author: String, reason: String?, at: Milliseconds
    ) async throws(EmbeddedDatabaseError) {
        try await database.write { db in try Self.add(target, org: org, author: author, reason: reason, at: at, db) }
    }

    static func add(
        _ target: Revocation.Target, org: OrgID?, author: String, reason: String? = nil, at: Milliseconds, _ db: Database
    ) throws {
        try db.execute(
            sql: "INSERT INTO revocations (target, org, author, reason, at) VALUES (?,?,?,?,?)",
            arguments: [target.text, org, author, reason, at.rawValue])
    }

    public func after(_ id: Int64) async throws(EmbeddedDatabaseError) -> [Revocation] {
        try await database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM revocations WHERE id > ? ORDER BY id LIMIT ?", arguments: [id, StoreLimits.page]
            ).map { row in
                Revocation(
                    id: row["id"], target: try Revocation.Target(row["target"]), org: try row.optionalOrg, author: row["author"],
                    reason: row["reason"], at: Milliseconds(row["at"]))
            }
        }
    }

    public func forget(before: Milliseconds) async throws(EmbeddedDatabaseError) {
        try await database.write { db in
            try db.execute(sql: "DELETE FROM revocations WHERE at < ?", arguments: [before.rawValue])
        }
    }
}
