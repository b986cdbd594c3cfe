import Accounting
import Testing

@testable import AccountingPostgres

/// Needs: the PostgreSQL server programs.
@Suite("Postgres")
struct PostgresDatabaseTests {
    let now = ManualClock.monday

    func row(_ id: String, at: Milliseconds) throws -> LedgerRow {
        LedgerRow(
            chargeID: id, kind: .commit, lease: "l", attribution: try Make.attribution(), nanoUSD: 5, usage: UsageClasses(outputVisible: 1),
            requests: 0, estimated: false, at: at)
    }

    /// Appends rows of these ids and times; how many were new.
    func append(_ rows: (id: String, at: Milliseconds)..., to ledger: PostgresLedger) async throws -> Int {
        var made: [LedgerRow] = []
        for one in rows { made.append(try row(one.id, at: one.at)) }
        return try await ledger.append(made)
    }

    func with(_ body: (PostgresServer, PostgresURL, PostgresDatabase) async throws -> Void) async throws {
        let server = try await PostgresServer.shared()
        let url = try server.makeDatabase()
        let database = PostgresDatabase(url)
        let result = await Result { try await body(server, url, database) }
        await database.close()
        try result.get()
    }

    func count(_ sql: String, _ database: PostgresDatabase) async throws -> Int64? {
        try await database.read { (connection) throws(PostgresError) in try connection.query(sql).first?.int(0) }
    }

    @Test("servers that start at the same time bring the tables up to date once")
    func migrations() async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let databases = (0..<6).map { _ in PostgresDatabase(url) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for database in databases {
                // A write has the patience for what the first of them has to do.
                for _ in 0..<4 {
                    group.addTask {
                        try await database.write { (connection) throws(PostgresError) in _ = try connection.query("SELECT 1::bigint") }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await count("SELECT count(*) FROM migrations", databases[0]) == 20)
        for database in databases { await database.close() }
    }

    @Test("a connection takes more statements than it keeps")
    func manyStatements() async throws {
        let database = PostgresDatabase(try await PostgresServer.shared().makeDatabase())
        try await database.ping()
        for number in 0..<(PostgresLimits.preparedStatements + 40) {
            #expect(try await count("SELECT \(number)::bigint", database) == Int64(number))
        }
        for number in [0, PostgresLimits.preparedStatements + 39] {
            #expect(try await count("SELECT \(number)::bigint", database) == Int64(number))
        }
        await database.close()
    }

    @Test("the release before the slots appends, and raises what it knows, which takes a turn")
    func releaseBeforeSlots() async throws {
        try await with { server, url, database in
            let root = PostgresCounterRoot(database)
            let window = try Make.ref(.org("acme"), .tokens, .day, cap: 1_000, at: now)
            _ = try await root.seal(org: "acme", incarnation: "a")
            #expect(try await append(("a", now), to: PostgresLedger(database)) == 1)
            let name = String(url.text.split(separator: "/").last ?? "")
            func raise(_ target: Int) throws {
                try server.command(
                    """
                    INSERT INTO kdcube.releases AS r (window_key, generation, released, ends_at) VALUES ('\(window.key.text)', 1, \(target), 9)
                    ON CONFLICT (window_key, generation) DO UPDATE SET released = greatest(r.released, excluded.released)
                    """, in: name)
            }
            for (target, turn) in [(300, 1), (200, 1), (400, 2)] as [(Int, Int64)] {
                try raise(target)
                #expect(try await root.release(window, org: "acme", incarnation: "a", upTo: 0)?.turn == turn)
            }
            #expect(try await root.release(window, org: "acme", incarnation: "a", upTo: 600)?.turn == 3)
            let sums = "INSERT INTO kdcube.ledger_sums VALUES ('org:acme', 60000, 0, 1, 1, 1, 1, 1, 1, 1)"
            for _ in 0..<2 { try server.command("\(sums) ON CONFLICT (scope, grain, bucket) DO NOTHING", in: name) }
        }
    }

    @Test("a charge id is unique over all days, not only within its partition")
    func uniqueOverDays() async throws {
        try await with { _, _, database in
            let (one, two) = (PostgresLedger(database), PostgresLedger(database))
            let nextDay = now + Milliseconds(86_400_000)
            let first = try await append(("a", now), ("b", nextDay), to: one)
            #expect(first == 2)
            #expect(try await append(("a", nextDay), ("b", now), ("c", nextDay), to: two) == 1)
            #expect(try await one.total(.org("acme")).usage.total == 3)
            #expect(try await count("SELECT count(*) FROM ledger", database) == 3)
            #expect(try await count("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger'::regclass", database) == 2)
        }
    }

    @Test("servers that meet a new day at the same time make one partition")
    func newDay() async throws {
        try await with { _, url, database in
            let other = PostgresDatabase(url)
            let ledgers = [PostgresLedger(database), PostgresLedger(other), PostgresLedger(database), PostgresLedger(other)]
            let rows = try (0..<8).map { try row("r\($0)", at: now) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, ledger) in ledgers.enumerated() {
                    group.addTask { _ = try await ledger.append(Array(rows[index * 2..<index * 2 + 2])) }
                }
                try await group.waitForAll()
            }
            #expect(try await ledgers[0].total(.org("acme")).usage.total == 8)
            await other.close()
        }
    }

    @Test("ledger rows cannot be changed or deleted, and a day that was taken away comes back for a late row; its sums stay")
    func immutable() async throws {
        try await with { server, url, database in
            let ledger = PostgresLedger(database)
            _ = try await append(("a", now), to: ledger)
            let name = String(url.text.split(separator: "/").last ?? "")
            for sql in ["UPDATE kdcube.ledger SET nano_usd = 0", "DELETE FROM kdcube.ledger"] {
                let error = #expect(throws: PostgresError.self) { try server.command(sql, in: name) }
                #expect(error?.description.contains("immutable") == true)
            }
            try server.command("DROP TABLE kdcube.ledger_2026_11_23", in: name)
            #expect(try await append(("a", now), ("b", now), to: ledger) == 1)
            #expect(try await ledger.total(.org("acme")).nanoUSD == 10)
        }
    }

    @Test("a connection that the server ended is replaced before the next question")
    func terminated() async throws {
        try await with { server, url, database in
            try await database.ping()
            let name = String(url.text.split(separator: "/").last ?? "")
            try server.command(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)' AND pid <> pg_backend_pid()", in: name)
            try await database.ping()
            #expect(try await append(("a", now), to: PostgresLedger(database)) == 1)
        }
    }

    @Test("U+0000, which Postgres cannot keep, is kept as U+FFFD")
    func nul() async throws {
        try await with { _, _, database in
            let archive = PostgresConversations(database, of: try ConversationOwner(org: "acme", project: "web", user: "ann"))
            try await archive.beginTurn("t", run: "r", of: "c", userText: "a\0b", at: now)
            #expect(try await archive.turns(of: "c").map(\.userText) == ["a\u{FFFD}b"])
        }
    }

    @Test("a refused statement leaves the connection usable, and the transaction undone")
    func refusedStatement() async throws {
        try await with { _, _, database in
            let error = await #expect(throws: PostgresError.self) {
                try await database.write { (connection) throws(PostgresError) in
                    try connection.query("INSERT INTO orgs VALUES ('x', 1)")
                    try connection.query("SELECT 1/0")
                }
            }
            guard case .server(let refusal) = error else { throw CounterStoreContract.Unexpected.reply }
            #expect(refusal.sqlState == "22012")
            #expect(try await PostgresKeys(database).orgs().isEmpty)
        }
    }

    @Test("a Postgres that is away refuses at once, and serves again when it is back, with every row once")
    func outage() async throws {
        let server = try await PostgresServer()
        let database = PostgresDatabase(try server.makeDatabase())
        let ledger = PostgresLedger(database)
        #expect(try await append(("a", now), to: ledger) == 1)
        server.kill()
        await #expect(throws: LedgerStoreError.self) { try await append(("b", now), to: ledger) }
        let clock = ContinuousClock()
        let took = await clock.measure { for _ in 0..<200 { _ = try? await database.ping() } }
        #expect(took < .seconds(10), "200 refusals took \(took)")
        try await server.launch()
        let rows = [try row("a", at: now), try row("b", at: now)]
        let isBack = await eventually { try await ledger.append(rows) == 1 }
        #expect(isBack)
        #expect(try await ledger.total(.org("acme")).usage.total == 2)
        await database.close()
        await #expect(throws: PostgresError.closed) { try await database.ping() }
    }

    @Test(
        "addresses that libpq cannot read are refused without being repeated",
        arguments: ["", "x", "redis://h", "postgresql://[::1", "host=h password=p"])
    func addresses(text: String) {
        #expect(throws: PostgresURL.Invalid.self) { try PostgresURL(parsing: text) }
    }

    @Test("a wrong address says why, without the password")
    func wrongAddress() async throws {
        let server = try await PostgresServer.shared()
        let database = PostgresDatabase(try PostgresURL(parsing: "postgres://kdcube:hunter2@127.0.0.1:\(server.port)/nowhere"))
        let error = await #expect(throws: PostgresError.self) { try await database.ping() }
        #expect(error?.description.contains("nowhere") == true && error?.description.contains("hunter2") == false)
        await database.close()
    }
}
