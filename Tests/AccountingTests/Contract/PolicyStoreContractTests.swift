import Accounting
import GRDB
import Testing

@testable import AccountingPostgres
@testable import AccountingSQLite

/// Needs: the PostgreSQL server programs. Every item has a database of its own; they run one after the other, because the Postgres of
/// the tests takes only so many connections, and tests beside them measure time.
@Suite("Limit, approval and policy contracts: memory, SQLite and Postgres", .serialized)
struct PolicyStoreContractTests {
    private func item<Contract>(
        _ name: String, _ items: [(name: String, run: @Sendable (Contract) async throws -> Void)]
    ) throws
        -> @Sendable (Contract) async throws -> Void
    {
        try #require(items.first { $0.name == name }?.run)
    }

    private func withPostgres(_ body: (PostgresDatabase, PostgresDatabase) async throws -> Void) async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let databases = [PostgresDatabase(url), PostgresDatabase(url)]
        let result = await Result { try await body(databases[0], databases[1]) }
        for database in databases { await database.close() }
        try result.get()
    }

    private func withSQLite(_ body: (EmbeddedDatabase, EmbeddedDatabase) async throws -> Void) async throws {
        try await TemporaryDatabase.with { file in try await body(try EmbeddedDatabase(path: file), try EmbeddedDatabase(path: file)) }
    }

    // MARK: Limits

    @Test("limits in memory", arguments: LimitContract.items.map(\.name))
    func memoryLimits(name: String) async throws {
        let clock = ManualClock()
        let store = MemoryLimitStore(clock: clock)
        try await item(name, LimitContract.items)(LimitContract(store: store, other: store, clock: clock, count: nil))
    }

    @Test("limits in SQLite", arguments: LimitContract.items.map(\.name))
    func sqliteLimits(name: String) async throws {
        try await withSQLite { one, two in
            let clock = ManualClock()
            try await item(name, LimitContract.items)(
                LimitContract(
                    store: LimitTable(one, clock: clock), other: LimitTable(two, clock: clock), clock: clock,
                    count: { table in try await one.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") ?? 0 } }))
        }
    }

    @Test("limits in Postgres", arguments: LimitContract.items.map(\.name))
    func postgresLimits(name: String) async throws {
        try await withPostgres { one, two in
            let clock = ManualClock()
            try await item(name, LimitContract.items)(
                LimitContract(
                    store: PostgresLimitStore(one, clock: clock), other: PostgresLimitStore(two, clock: clock), clock: clock,
                    count: { table in
                        try await one.read { (connection) throws(PostgresError) in
                            Int(try connection.query("SELECT count(*) FROM \(table)").first?.int(0) ?? 0)
                        }
                    }))
        }
    }

    // MARK: Approvals

    @Test("approvals in memory", arguments: ApprovalContract.items.map(\.name))
    func memoryApprovals(name: String) async throws {
        let store = MemoryApprovalRows()
        try await item(name, ApprovalContract.items)(ApprovalContract(store: store, other: store))
    }

    @Test("approvals in SQLite", arguments: ApprovalContract.items.map(\.name))
    func sqliteApprovals(name: String) async throws {
        try await withSQLite { one, two in
            try await item(name, ApprovalContract.items)(ApprovalContract(store: ApprovalTable(one), other: ApprovalTable(two)))
        }
    }

    @Test("approvals in Postgres", arguments: ApprovalContract.items.map(\.name))
    func postgresApprovals(name: String) async throws {
        try await withPostgres { one, two in
            try await item(name, ApprovalContract.items)(ApprovalContract(store: PostgresApprovals(one), other: PostgresApprovals(two)))
        }
    }

    // MARK: Versions and switches

    @Test("versions and switches in memory", arguments: PolicyStoreContract.items.map(\.name))
    func memoryPolicies(name: String) async throws {
        let process = PolicyStoreContract.Process(versions: MemoryPolicyVersions(), switches: MemoryToolSwitches())
        let contract = PolicyStoreContract(server: process, other: process) { count in
            for number in 1...count {
                try await process.switches.set("f\(number)", isOff: true, by: "", reason: "", at: ManualClock.monday)
            }
        }
        try await item(name, PolicyStoreContract.items)(contract)
    }

    private static func filling(_ count: Int, _ isOff: String) -> String {
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
        INSERT INTO tool_switches SELECT 'f' || i, \(isOff), '', '', 1 FROM n
        """
    }

    @Test("versions and switches in SQLite", arguments: PolicyStoreContract.items.map(\.name))
    func sqlitePolicies(name: String) async throws {
        try await withSQLite { one, two in
            let processes = [one, two].map {
                PolicyStoreContract.Process(versions: PolicyVersionTable($0), switches: ToolSwitchTable($0))
            }
            let contract = PolicyStoreContract(server: processes[0], other: processes[1]) { count in
                try await one.write { try $0.execute(sql: Self.filling(count, "1")) }
            }
            try await item(name, PolicyStoreContract.items)(contract)
        }
    }

    @Test("versions and switches in Postgres", arguments: PolicyStoreContract.items.map(\.name))
    func postgresPolicies(name: String) async throws {
        try await withPostgres { one, two in
            let processes = [one, two].map {
                PolicyStoreContract.Process(versions: PostgresPolicyVersions($0), switches: PostgresToolSwitches($0))
            }
            let contract = PolicyStoreContract(server: processes[0], other: processes[1]) { count in
                try await one.write { (connection) throws(PostgresError) in
                    try connection.script(Array(Self.filling(count, "true").utf8))
                }
            }
            try await item(name, PolicyStoreContract.items)(contract)
        }
    }
}
