import Accounting
import GRDB
import Testing

@testable import AccountingPostgres
@testable import AccountingSQLite

/// Needs: the PostgreSQL server programs. Every item has a database of its own.
@Suite("Decision contract: memory, SQLite and Postgres")
struct DecisionContractTests {
    private func run(_ item: String, _ contract: DecisionContract) async throws {
        let run = try #require(DecisionContract.items.first { $0.name == item }?.run)
        try await run(contract)
    }

    @Test("memory", arguments: DecisionContract.items.map(\.name))
    func memory(item: String) async throws {
        let (clock, decisions, memory) = (ManualClock(), MemoryDecisionStore(), MemoryIdempotencyStore.Memory())
        func process(_ holder: String) -> DecisionContract.Process {
            DecisionContract.Process(
                decisions: decisions, keys: MemoryIdempotencyStore(holder: holder, clock: clock, memory: memory), execute: nil)
        }
        try await run(item, DecisionContract(server: process("one"), other: process("two"), clock: clock))
    }

    @Test("SQLite", arguments: DecisionContract.items.map(\.name))
    func sqlite(item: String) async throws {
        try await TemporaryDatabase.with { file in
            let clock = ManualClock()
            func process(_ holder: String) throws -> DecisionContract.Process {
                let database = try EmbeddedDatabase(path: file)
                return DecisionContract.Process(
                    decisions: DecisionTable(database), keys: IdempotencyTable(database, holder: holder, clock: clock),
                    execute: { sql in try await database.write { try $0.execute(sql: sql) } })
            }
            try await run(item, DecisionContract(server: try process("one"), other: try process("two"), clock: clock))
        }
    }

    @Test("Postgres", .serialized, arguments: DecisionContract.items.map(\.name))
    func postgres(item: String) async throws {
        let (clock, url) = (ManualClock(), try await PostgresServer.shared().makeDatabase())
        let databases = [PostgresDatabase(url), PostgresDatabase(url)]
        let processes = zip(databases, ["one", "two"]).map { database, holder in
            DecisionContract.Process(
                decisions: PostgresDecisions(database), keys: PostgresIdempotency(database, holder: holder, clock: clock),
                execute: { sql in
                    try await database.write { (connection) throws(PostgresError) in try connection.script(Array(sql.utf8)) }
                })
        }
        let result = await Result {
            try await run(item, DecisionContract(server: processes[0], other: processes[1], clock: clock))
        }
        for database in databases { await database.close() }
        try result.get()
    }

    @Test("SQLite: a durable transaction is written through to the disk, and the next one is as before")
    func durable() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            #expect(try await database.writeDurably { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
            await #expect(throws: EmbeddedDatabaseError.self) {
                try await database.writeDurably { try $0.execute(sql: "SELECT no_such_function()") }
            }
            #expect(try await database.write { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 1)
        }
    }

    @Test("Postgres: a durable transaction waits for the disk also where others do not, and tables cannot be emptied")
    func durablePostgres() async throws {
        let server = try await PostgresServer.shared()
        let url = try server.makeDatabase()
        let name = String(url.text.split(separator: "/").last ?? "")
        try server.command("ALTER DATABASE \(name) SET synchronous_commit = off", in: "postgres")
        let database = PostgresDatabase(url)
        let setting = "SELECT current_setting('synchronous_commit')"
        let plain = try await database.write { (connection) throws(PostgresError) in try connection.query(setting).first?.text(0) }
        let durable = try await database.writeDurably { (connection) throws(PostgresError) in try connection.query(setting).first?.text(0) }
        #expect(plain == "off" && durable == "on")
        for table in ["tool_decisions CASCADE", "tool_outcomes", "decision_heads"] {
            await #expect(throws: PostgresError.self) {
                try await database.write { (connection) throws(PostgresError) in try connection.script(Array("TRUNCATE \(table)".utf8)) }
            }
        }
        await database.close()
    }
}
