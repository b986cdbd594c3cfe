import Accounting
import Foundation
import GRDB
import Testing

@testable import AccountingPostgres
@testable import AccountingSQLite

/// Needs: the PostgreSQL server programs. Every item has a database of its own.
@Suite("Chain contract: memory, SQLite and Postgres")
struct ChainContractTests {
    private func run(_ item: String, _ contract: ChainContract) async throws {
        let run = try #require(ChainContract.items.first { $0.name == item }?.run)
        try await run(contract)
    }

    private static let tables = [
        "tool_decisions", "tool_outcomes", "decision_heads", "decision_chain", "decision_chain_heads", "audit_keys", "audit_checkpoints",
    ]

    @Test("memory", arguments: ChainContract.items.map(\.name))
    func memory(item: String) async throws {
        let store = MemoryDecisionStore()
        try await run(item, ChainContract(store: store, other: store, execute: nil, unlock: {}))
    }

    @Test("SQLite", arguments: ChainContract.items.map(\.name))
    func sqlite(item: String) async throws {
        try await TemporaryDatabase.with { file in
            let (one, two) = (try EmbeddedDatabase(path: file), try EmbeddedDatabase(path: file))
            try await run(
                item,
                ChainContract(
                    store: DecisionTable(one), other: DecisionTable(two),
                    execute: { sql in
                        // Whoever changes a file is not held up by what its tables refer to.
                        try await one.pool.writeWithoutTransaction { db in
                            try db.execute(sql: "PRAGMA foreign_keys = OFF; \(sql); PRAGMA foreign_keys = ON")
                        }
                    },
                    unlock: {
                        try await one.pool.write { db in
                            let names = try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'trigger'")
                            for name in names where !name.hasPrefix("knowledge") { try db.execute(sql: "DROP TRIGGER \(name)") }
                        }
                    }))
        }
    }

    @Test("Postgres", .serialized, arguments: ChainContract.items.map(\.name))
    func postgres(item: String) async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let databases = [PostgresDatabase(url), PostgresDatabase(url)]
        let execute: @Sendable (String) async throws -> Void = { sql in
            try await databases[0].write { (connection) throws(PostgresError) in try connection.script(Array(sql.utf8)) }
        }
        let contract = ChainContract(
            store: PostgresDecisions(databases[0]), other: PostgresDecisions(databases[1]), execute: execute,
            unlock: { for table in Self.tables { try await execute("ALTER TABLE \(table) DISABLE TRIGGER ALL") } })
        let result = await Result { try await run(item, contract) }
        for database in databases { await database.close() }
        try result.get()
    }

    @Test("87: one byte of the database file that is changed is found, and its number named")
    func fileByte() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            for number in 1...9 {
                try await DecisionTable(database).append([try DecisionContract.decision("d\(number)", tool: "mark-\(number)-mark")])
            }
            try await database.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            database.close()
            var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
            // In the row and in the index over tools: both, so that they agree.
            var (from, changed) = (bytes.startIndex, 0)
            while let found = bytes.range(of: Data("mark-6-mark".utf8), in: from..<bytes.endIndex) {
                bytes[found.lowerBound] ^= 0x01
                (from, changed) = (found.upperBound, changed + 1)
            }
            #expect(changed >= 2)
            try bytes.write(to: URL(fileURLWithPath: file))
            let copy = try EmbeddedDatabase(path: file)
            let report = try #require(try await ChainAudit(DecisionTable(copy)).report(on: "acme"))
            #expect(report.fault == ChainFault(seq: 6, .changed) && report.records == 5)
            copy.close()
        }
    }

    @Test("a chain of the release before holds after the upgrade, and goes on")
    func upgrade() async throws {
        try await TemporaryDatabase.with { file in
            let before = try DatabasePool(path: file)
            try Schema.migrator.migrate(before, upTo: "16 chain of decisions")
            try await before.write { db in
                // The record of `ChainTests`, as that release has kept it.
                try db.execute(
                    sql: """
                        INSERT INTO tool_decisions VALUES ('acme', 1, 'd-1', 'web', 'ann', 'k1', 'r1', 'c/1', NULL, 'model', 'refund€', ?,
                        '{"a":1}', 'deny', 'tool.roles', 'denied', ?, 'support de:lead', 1795435200000);
                        INSERT INTO decision_heads VALUES ('acme', 1);
                        INSERT INTO decision_chain VALUES ('acme', 1, '\(ChainTests.first)');
                        INSERT INTO decision_chain_heads VALUES ('acme', 1, 1, '\(ChainTests.first)', 0);
                        """, arguments: [DecisionContract.hex, "Not \"this\"\u{FFFD}way."])
            }
            try before.close()
            let table = DecisionTable(try EmbeddedDatabase(path: file))
            try await table.append([try DecisionContract.record("d-2", run: "", kind: .kill, source: .operator)])
            let report = try #require(try await ChainAudit(table).report(on: "acme"))
            #expect(report.records == 2 && report.fault == nil)
            let found = try await table.decisions(for: DecisionContract.reader("acme"), DecisionFilter(), after: 0, limit: 10).decisions
            #expect(found.map(\.decision.kind) == [.call, .kill] && found.map(\.decision.conversation) == [nil, "c1"])
        }
    }
}
