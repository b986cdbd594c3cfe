import Accounting
import AccountingSQLite
import Foundation
import Testing

@Suite("Embedded database")
struct SQLiteTests {
    let now = ManualClock.monday

    @Test("a process that dies loses nothing that was answered: windows, leases, decisions and charges are back (crash)")
    func crash() async throws {
        try await TemporaryDatabase.with { file in
            let clock = ManualClock()
            let ref = try Make.ref(cap: 1_000, at: now)
            let retried = Make.step(2, of: "a", spent: 50)
            do {
                let store = try SQLiteCounterStore(EmbeddedDatabase(path: file), clock: clock)
                _ = try await store.apply(.load(org: "acme", window: ref, used: 5))
                _ = try await store.apply(Make.open("a", path: [ref]))
                _ = try await store.apply(Make.open("b", path: [ref], ttl: Milliseconds(1_000)))
                _ = try await store.apply(Make.step(1, of: "a", spent: 20))
                #expect(try await store.apply(retried).grantedOffer == 0)
                // No close, no settlement: the object goes as a killed process would.
            }
            let database = try EmbeddedDatabase(path: file)
            let store = try SQLiteCounterStore(database, clock: clock)
            #expect(try await store.apply(retried).grantedOffer == 0, "the reply that was lost in the crash")
            var window = try #require(try await store.apply(.read(org: "acme", windows: [ref.key])).snapshots.first)
            #expect([window.used, window.held] == [55, 206])
            clock.advance(Milliseconds(10_000))
            guard case .reaped(1, _) = try await store.apply(.reap(org: nil, grace: Milliseconds(0))) else {
                throw CounterStoreContract.Unexpected.reply
            }
            _ = try await store.apply(Make.settle(3, of: "a", spent: 60))
            window = try #require(try await store.apply(.read(org: "acme", windows: [ref.key])).snapshots.first)
            #expect([window.used, window.held, window.suspense] == [65, 0, 64])
            #expect(try await SQLiteLedger(database).total(.org("acme")).usage.total == 60)
            try await store.checkInvariants()
        }
    }

    @Test("only one server may have the counters of a data directory, and the next may when it is gone")
    func exclusive() async throws {
        try await TemporaryDatabase.with { file in
            let clock = ManualClock()
            do {
                let store = try SQLiteCounterStore(EmbeddedDatabase(path: file), clock: clock)
                let error = #expect(throws: EmbeddedDatabaseError.self) {
                    try SQLiteCounterStore(EmbeddedDatabase(path: file), clock: clock)
                }
                guard case .inUse = error else { throw CounterStoreContract.Unexpected.reply }
                #expect(error?.description.contains("another server") == true)
                _ = try await store.apply(.read(org: "acme", windows: []))
            }
            #expect(throws: Never.self) { try SQLiteCounterStore(EmbeddedDatabase(path: file), clock: clock) }
        }
    }

    @Test("commands that come together share transactions, and every reply is in the file before it leaves")
    func batches() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let store = try SQLiteCounterStore(database, clock: ManualClock())
            let ref = try Make.ref(cap: 1_000_000, at: now)
            _ = try await store.apply(.load(org: "acme", window: ref, used: 0))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lease in 0..<200 {
                    group.addTask {
                        _ = try await store.apply(Make.open("l\(lease)", path: [ref]))
                        _ = try await store.apply(Make.step(1, of: "l\(lease)", spent: 10))
                        _ = try await store.apply(Make.settle(2, of: "l\(lease)", spent: 30))
                        let sum = try await SQLiteLedger(database).total(.org("acme"))
                        #expect(sum.usage.total >= 30)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await SQLiteLedger(database).total(.org("acme")).usage.total == 6_000)
            let usage = try await UsageQuery(database).usage(of: .org("acme"), now: now)
            #expect(usage.totals.requests == 200)
        }
    }

    @Test("a database that cannot be written refuses the command, and the counters stay as the file has them")
    func writeFails() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let store = try SQLiteCounterStore(database, clock: ManualClock())
            let ref = try Make.ref(cap: 1_000, at: now)
            _ = try await store.apply(.load(org: "acme", window: ref, used: 0))
            database.close()
            await #expect(throws: CounterStoreError.self) { try await store.apply(Make.open(path: [ref])) }
            await #expect(throws: CounterStoreError.self) { try await store.apply(Make.open(path: [ref])) }
        }
    }

    @Test("usage shows counters where they are loaded and the ledger where they are not")
    func usage() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let table = BudgetTable(database)
            let tokens = try await table.set(try Budget(scope: "org:acme", unit: "tokens", period: "day", limit: "1000"))
            let store = try SQLiteCounterStore(database, clock: ManualClock())
            let ref = tokens.window(at: now)
            _ = try await store.apply(.load(org: "acme", window: ref, used: 0))
            _ = try await store.apply(Make.open(path: [ref]))
            _ = try await store.apply(Make.step(1, spent: 40))
            _ = try await table.set(try Budget(scope: "org:acme", unit: "requests", period: "total", limit: "10"))
            let usage = try await UsageQuery(try EmbeddedDatabase(path: file)).usage(of: .org("acme"), now: now)
            let shown = usage.windows.map { [$0.cap, $0.used, $0.held] }
            #expect(shown == [[10, 1, 0], [1_000, 40, 88]])
            #expect(usage.windows.map { $0.resetsAt?.rfc3339 } == [nil, "2026-11-24T00:00:00Z"])
            #expect(usage.totals.usage.total == 40)
            #expect(try await UsageQuery(database).scopes() == [.org("acme")])
        }
    }

    @Test("a whole run on the embedded stores: cut at the cap, charged what was delivered, shown by usage")
    func wholeRun() async throws {
        try await TemporaryDatabase.with { file in
            let clock = ManualClock()
            let database = try EmbeddedDatabase(path: file)
            let budgets = BudgetTable(database)
            _ = try await budgets.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "0.01"))
            let accountant = Accountant(
                store: try SQLiteCounterStore(database, clock: clock), ledger: SQLiteLedger(database),
                directory: budgets,
                prices: PriceTable(
                    version: "v", models: ["demo": ModelPricing(ModelPrice(inputFresh: PicoUSD(150_000), outputVisible: PicoUSD(600_000)))]),
                holder: Make.holder, clock: clock)
            let totals = try await withThrowingTaskGroup(of: NanoUSD.self) { group in
                for run in 0..<100 {
                    group.addTask {
                        let admission = Admission(path: try Make.path(), run: "r\(run)", model: "demo", prompt: .exact(8))
                        guard case .admitted(let lease) = await accountant.open(admission) else { return .zero }
                        let (delivered, _) = await stream(lease, wish: 1_000)
                        return await lease.settle(.exact(UsageClasses(inputFresh: 8, outputVisible: Int64(delivered)))).cost
                    }
                }
                return try await group.reduce(into: Int64(0)) { $0 += $1.rawValue }
            }
            let usage = try await UsageQuery(database).usage(of: .org("acme"), now: now)
            #expect(usage.totals.nanoUSD == totals)
            let window = try #require(usage.windows.first)
            #expect(window.used == totals && window.held == 0 && window.used <= 10_000_000)
            #expect(10_000_000 - window.used < 8 * 150 + 600, "less than the smallest admission is left")
        }
    }
}
