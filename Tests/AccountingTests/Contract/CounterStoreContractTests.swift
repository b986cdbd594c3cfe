import Accounting
import AccountingSQLite
import Testing

@Suite("Counter store contract: memory and SQLite")
struct CounterStoreContractTests {
    @Test("memory", arguments: CounterStoreContract.items.map(\.name))
    func memory(item: String) async throws {
        let clock = ManualClock()
        let ledger = MemoryLedger()
        let store = MemoryCounterStore(clock: clock, ledger: ledger)
        let contract = CounterStoreContract(store: store, advance: { clock.advance($0) }, ledger: ledger)
        let run = try #require(CounterStoreContract.items.first { $0.name == item }?.run)
        try await run(contract)
        try await store.machine.checkInvariants()
    }

    @Test("SQLite", arguments: CounterStoreContract.items.map(\.name))
    func sqlite(item: String) async throws {
        try await TemporaryDatabase.with { file in
            let clock = ManualClock()
            let database = try EmbeddedDatabase(path: file)
            let store = try SQLiteCounterStore(database, clock: clock)
            let contract = CounterStoreContract(store: store, advance: { clock.advance($0) }, ledger: SQLiteLedger(database))
            let run = try #require(CounterStoreContract.items.first { $0.name == item }?.run)
            try await run(contract)
            try await store.checkInvariants()
        }
    }
}
