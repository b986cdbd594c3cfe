import Accounting
import AccountingPostgres
import AccountingSQLite
import Testing

/// Needs: the PostgreSQL server programs. Every item has a database of its own.
@Suite("Durable store contract: SQLite and Postgres")
struct DurableStoreContractTests {
    @Test("SQLite", arguments: DurableStoreContract.items.map(\.name))
    func sqlite(item: String) async throws {
        try await TemporaryDatabase.with { file in
            let clock = SystemAccountingClock(wall: SystemTime.now)
            func process() throws -> DurableStoreContract.Process {
                let database = try EmbeddedDatabase(path: file)
                return DurableStoreContract.Process(
                    ledger: SQLiteLedger(database), budgets: BudgetTable(database), keys: KeyTable(database),
                    tenants: TenantTable(database), usage: UsageQuery(database),
                    runEnds: RunEndTable(database), revocations: RevocationTable(database),
                    conversations: { ConversationTable(database, of: $0) },
                    root: SQLiteCounterRoot(database, clock: clock))
            }
            let run = try #require(DurableStoreContract.items.first { $0.name == item }?.run)
            try await run(DurableStoreContract(server: try process(), tool: try process()))
        }
    }

    @Test("Postgres", arguments: DurableStoreContract.items.map(\.name))
    func postgres(item: String) async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let databases = [PostgresDatabase(url), PostgresDatabase(url)]
        let processes = databases.map { database in
            DurableStoreContract.Process(
                ledger: PostgresLedger(database), budgets: PostgresBudgets(database), keys: PostgresKeys(database),
                tenants: PostgresTenants(database),
                usage: PostgresUsage(database), runEnds: PostgresRunEnds(database), revocations: PostgresRevocations(database),
                conversations: { PostgresConversations(database, of: $0) }, root: PostgresCounterRoot(database))
        }
        let run = try #require(DurableStoreContract.items.first { $0.name == item }?.run)
        let result = await Result { try await run(DurableStoreContract(server: processes[0], tool: processes[1])) }
        for database in databases { await database.close() }
        try result.get()
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
