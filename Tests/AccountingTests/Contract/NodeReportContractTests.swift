import Accounting
import AccountingPostgres
import AccountingSQLite
import Testing

/// What every store of servers' reports has to do. Each function is one item; the caller gives empty stores.
struct NodeReportContract {
    let server: any NodeReports
    let other: any NodeReports

    static let items: [(name: String, run: @Sendable (NodeReportContract) async throws -> Void)] = [
        ("the newest word of each server is seen by all", { try await $0.newest() }),
        ("a server that is told to drain hears of it with its next report", { try await $0.drain() }),
        ("what is old is out of sight, and then forgotten", { try await $0.forget() }),
        ("there are so many servers in sight and no more", { try await $0.many() }),
        ("a report has a name, a size and no zero byte", { try $0.malformed() }),
    ]

    private let now = ManualClock.monday

    private func report(_ node: String, _ text: String = "{}", after: Int64 = 0) throws -> NodeReport {
        try NodeReport(node: node, at: now + Milliseconds(after), report: text)
    }

    func newest() async throws {
        #expect(try await server.put(report("b", #"{"é":"'1"}"#)) == false)
        #expect(try await other.put(report("a", "{}", after: 1)) == false)
        #expect(try await server.put(report("b", #"{"é":"'2"}"#, after: 2)) == false)
        let expected = [try report("a", "{}", after: 1), try report("b", #"{"é":"'2"}"#, after: 2)]
        #expect(try await server.reports(since: now) == expected)
        #expect(try await other.reports(since: now) == expected)
    }

    func drain() async throws {
        #expect(try await other.drain("a") == false, "nobody has heard of it")
        #expect(try await server.put(report("a")) == false)
        #expect(try await server.put(report("b")) == false)
        #expect(try await other.drain("a"))
        #expect(try await server.put(report("a", after: 1)))
        #expect(try await server.put(report("a", after: 2)), "it is told again")
        #expect(try await server.put(report("b", after: 2)) == false)
    }

    func forget() async throws {
        for (index, node) in ["a", "b", "c"].enumerated() { _ = try await server.put(report(node, after: Int64(index))) }
        #expect(try await other.reports(since: now + Milliseconds(1)).map(\.node) == ["b", "c"])
        #expect(try await other.forget(before: now + Milliseconds(2)) == 2)
        #expect(try await server.reports(since: now).map(\.node) == ["c"])
    }

    func many() async throws {
        for number in 0..<NodeLimits.nodes + 3 { _ = try await server.put(report("n\(1_000 + number)", after: Int64(number))) }
        let seen = try await other.reports(since: now).map(\.node)
        #expect(seen == (3..<NodeLimits.nodes + 3).map { "n\(1_000 + $0)" }, "the newest, by name")
    }

    func malformed() throws {
        #expect(throws: NodeReportError.malformed("node")) { try report("") }
        #expect(throws: NodeReportError.malformed("node")) { try report("a\nb") }
        #expect(throws: NodeReportError.malformed("report")) { try report("a", "\u{0}") }
        let most = String(repeating: "x", count: NodeLimits.reportBytes)
        #expect(try report("a", most).report.utf8.count == NodeLimits.reportBytes)
        #expect(throws: NodeReportError.malformed("report")) { try report("a", most + "x") }
    }
}

/// Needs: the PostgreSQL server programs. Every item has a database of its own.
@Suite("Contract of servers' reports: memory, SQLite and Postgres", .serialized)
struct NodeReportContractTests {
    private func item(_ name: String) throws -> @Sendable (NodeReportContract) async throws -> Void {
        try #require(NodeReportContract.items.first { $0.name == name }?.run)
    }

    @Test("memory", arguments: NodeReportContract.items.map(\.name))
    func memory(name: String) async throws {
        let store = MemoryNodeReports()
        try await item(name)(NodeReportContract(server: store, other: store))
    }

    @Test("SQLite", arguments: NodeReportContract.items.map(\.name))
    func sqlite(name: String) async throws {
        try await TemporaryDatabase.with { file in
            let stores = try (0..<2).map { _ in NodeReportTable(try EmbeddedDatabase(path: file)) }
            try await item(name)(NodeReportContract(server: stores[0], other: stores[1]))
        }
    }

    @Test("Postgres", arguments: NodeReportContract.items.map(\.name))
    func postgres(name: String) async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let databases = [PostgresDatabase(url), PostgresDatabase(url)]
        let result = await Result {
            try await item(name)(
                NodeReportContract(server: PostgresNodeReports(databases[0]), other: PostgresNodeReports(databases[1])))
        }
        for database in databases { await database.close() }
        try result.get()
    }
}
