import Accounting
import GRDB
import Testing

@testable import AccountingPostgres
@testable import AccountingSQLite

/// Needs: the PostgreSQL server programs. Every item has a database of its own.
@Suite("Knowledge contract: SQLite and Postgres")
struct KnowledgeContractTests {
    @Test("SQLite", arguments: KnowledgeContract.items.map(\.name))
    func sqlite(item: String) async throws {
        try await TemporaryDatabase.with { file in
            @Sendable func process() throws -> KnowledgeContract.Process {
                let database = try EmbeddedDatabase(path: file)
                return KnowledgeContract.Process(
                    knowledge: KnowledgeTable(database), memory: UserMemoryTable(database),
                    count: { sql in try await database.read { try Int.fetchOne($0, sql: sql) ?? 0 } },
                    change: { sql in try await database.write { try $0.execute(sql: sql) } })
            }
            let run = try #require(KnowledgeContract.items.first { $0.name == item }?.run)
            try await run(try KnowledgeContract(server: try process(), reopen: { try process() }))
        }
    }

    @Test("Postgres", arguments: KnowledgeContract.items.map(\.name))
    func postgres(item: String) async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let databases = [PostgresDatabase(url), PostgresDatabase(url)]
        let processes = databases.map { database in
            KnowledgeContract.Process(
                knowledge: PostgresKnowledge(database), memory: PostgresUserMemory(database),
                count: { sql in
                    let rows = try await database.read { (connection) throws(PostgresError) in
                        try connection.query("SELECT (\(sql))::bigint")
                    }
                    return Int(try #require(rows.first).int(0))
                },
                change: { sql in
                    try await database.write { (connection) throws(PostgresError) in _ = try connection.query(sql) }
                })
        }
        let run = try #require(KnowledgeContract.items.first { $0.name == item }?.run)
        let result = await Result { try await run(try KnowledgeContract(server: processes[0], reopen: { processes[1] })) }
        for database in databases { await database.close() }
        try result.get()
    }

    @Test("SQLite: the index keeps no row of a passage that is gone, and agrees with itself")
    func index() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let (table, web) = (KnowledgeTable(database), try ProjectHandle(org: "acme", project: "web"))
            for text in ["one two", "three", "four"] {
                for id in ["a", "b"] {
                    _ = try await table.put(web, KnowledgeDocument(id: KnowledgeID(id), text: text), at: ManualClock.monday)
                }
            }
            #expect(try await table.delete(web, KnowledgeID("a")))
            let rows = try await database.write { db in
                try db.execute(sql: "INSERT INTO knowledge_index (knowledge_index) VALUES ('integrity-check')")
                return try String.fetchAll(db, sql: "SELECT body FROM knowledge_index")
            }
            #expect(rows == ["1xfour"])
        }
    }
}
