import Accounting
import AccountingSQLite
import Foundation
import Testing

@Suite("Embedded database")
struct SQLiteTests {
    let now = ManualClock.monday

    func rows(_ count: Int, org: String = "acme") throws -> [LedgerRow] {
        try (0..<count).map { index in
            LedgerRow(
                chargeID: "\(org)-\(index)", kind: index == 3 ? .overrun : .commit, lease: "l", attribution: try Make.attribution(org: org),
                nanoUSD: 7, usage: UsageClasses(inputFresh: 1, outputVisible: 2), requests: 1, estimated: false,
                at: now + Milliseconds(Int64(index)))
        }
    }

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

    @Test("a charge is written once, however often it comes; notes are not summed")
    func ledger() async throws {
        try await TemporaryDatabase.with { file in
            let ledger = SQLiteLedger(try EmbeddedDatabase(path: file))
            #expect(try await ledger.append(try rows(10)) == 10)
            #expect(try await ledger.append(try rows(12)) == 2)
            _ = try await ledger.append(try rows(5, org: "beta"))
            #expect(
                try await ledger.total(.org("acme"))
                    == LedgerSum(nanoUSD: 77, usage: UsageClasses(inputFresh: 11, outputVisible: 22), requests: 11))
            for scope in try Make.path().scopes.dropLast() { #expect(try await ledger.total(scope).requests == 11, "\(scope.text)") }
            #expect(try await ledger.total(.key("k1")).requests == 15, "a key id is unique over all orgs")
            #expect(try await ledger.sum(.org("acme"), from: now, to: now + Milliseconds(3)).requests == 3)
            let page = try await ledger.page(.org("acme"), limit: 5)
            #expect(page.rows.map(\.chargeID) == ["acme-11", "acme-10", "acme-9", "acme-8", "acme-7"])
            let rest = try await ledger.page(.org("acme"), before: page.next, limit: 100)
            #expect(rest.rows == Array(try rows(7).reversed()))
            #expect(rest.next == nil)
        }
    }

    @Test("another process reads and writes budgets while the server runs; versions never fall")
    func budgets() async throws {
        try await TemporaryDatabase.with { file in
            let server = BudgetTable(try EmbeddedDatabase(path: file))
            let tool = BudgetTable(try EmbeddedDatabase(path: file))
            let first = try await tool.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "5.00"))
            _ = try await tool.set(try Budget(scope: "key:k1", unit: "tokens", period: "total", limit: "100"))
            _ = try await tool.set(try Budget(scope: "org:other", unit: "usd", period: "day", limit: "1"))
            #expect(try await server.budgets(for: try Make.path()).budgets.map(\.limit) == [5_000_000_000, 100])
            let same = try await server.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "5"))
            #expect(same == first)
            let raised = try await server.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "6"))
            #expect(raised.version > first.version && raised.generation == first.generation)
            #expect(try await tool.remove(scope: .org("acme"), unit: .usd, period: .day))
            #expect(try await !tool.remove(scope: .org("acme"), unit: .usd, period: .day))
            let anew = try await tool.set(try Budget(scope: "org:acme", unit: "usd", period: "day", limit: "6"))
            #expect(anew.generation > raised.version)
            #expect(try await server.list().count == 3)
        }
    }

    @Test("a reading of budgets is good until one changes, whoever changes it; ledger rows leave it as it is")
    func edition() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let other = try EmbeddedDatabase(path: file)
            let (server, tool) = (BudgetTable(database), BudgetTable(other))
            let path = try Make.path()
            var known = try await server.budgets(for: path)
            func changed() async throws -> [Int64]? {
                guard let reading = try await server.budgets(for: path, changedSince: known.edition) else { return nil }
                known = reading
                return reading.budgets.map(\.limit)
            }
            #expect(try await changed() == nil)
            _ = try await tool.set(try Budget(scope: "org:acme", unit: "tokens", period: "day", limit: "7"))
            #expect(try await changed() == [7])
            try await SQLiteLedger(other).append(rows(3))
            try await SQLiteLedger(database).append(rows(5))
            #expect(try await changed() == nil)
            _ = try await tool.set(try Budget(scope: "org:acme", unit: "tokens", period: "day", limit: "7"))
            #expect(try await changed() == nil, "the same limit again changes nothing")
            _ = try await server.set(try Budget(scope: "org:acme", unit: "tokens", period: "day", limit: "8"))
            #expect(try await changed() == [8])
            #expect(try await tool.remove(scope: .org("acme"), unit: .tokens, period: .day))
            #expect(try await changed() == [])
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

    @Test("a key is found by its hash until it is revoked, and brings org, project and user about")
    func keys() async throws {
        try await TemporaryDatabase.with { file in
            let table = KeyTable(try EmbeddedDatabase(path: file))
            let key = try APIKey(
                id: "k1", org: "acme", project: "web", user: "ann", roles: ["admin", "dev"], onCut: .finish, createdAt: now)
            try await table.create(key, hash: "aa")
            try await table.create(try APIKey(id: "k2", org: "acme", project: "web", createdAt: now), hash: "bb")
            await #expect(throws: EmbeddedDatabaseError.self) {
                try await table.create(try APIKey(id: "k3", org: "acme", project: "web", createdAt: now), hash: "aa")
            }
            #expect(try await table.active(hash: "aa") == key)
            #expect(try await table.active(hash: "AA") == nil)
            #expect(try await table.list().map(\.id) == ["k1", "k2"])
            #expect(try await table.list(org: "nobody").isEmpty)
            #expect(try await table.list(after: "k1").map(\.id) == ["k2"])
            #expect(try await table.revoke(id: "k1", at: now))
            #expect(try await !table.revoke(id: "k1", at: now))
            #expect(try await table.active(hash: "aa") == nil)
            #expect(try await table.find(id: "k1")?.revokedAt == now)
        }
        #expect(throws: ScopeError.self) { try APIKey(id: "k", org: "a/b", project: "p", createdAt: now) }
    }

    @Test("a conversation belongs to one owner; another's of the same id is another")
    func conversations() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let ann = ConversationTable(database, of: try ConversationOwner(org: "acme", project: "web", user: "ann"))
            let bob = ConversationTable(database, of: try ConversationOwner(org: "acme", project: "web", user: "bob"))
            try await ann.beginTurn("t1", run: "r1", of: "c1", userText: "Hello", at: now)
            await #expect(throws: ConversationTableError.turnExists) {
                try await ann.beginTurn("t1", run: "r9", of: "c1", userText: "again", at: now)
            }
            #expect(try await ann.turns(of: "c1").map(\.status) == ["running"])
            #expect(try await ann.finishTurn(run: "r1", assistantText: "Hi", status: "complete"))
            #expect(try await !bob.finishTurn(run: "r1", assistantText: "stolen", status: "complete"))
            try await ann.beginTurn("t2", run: "r2", of: "c1", userText: "More", at: now + Milliseconds(5))
            try await bob.beginTurn("t1", run: "r3", of: "c1", userText: "Mine", at: now)
            #expect(try await ann.turns(of: "c1").map(\.assistantText) == ["Hi", ""])
            #expect(try await ann.turns(of: "c1", limit: 1).map(\.turn) == ["t2"])
            #expect(try await bob.turns(of: "c1").map(\.userText) == ["Mine"])
            #expect(try await ann.list().map(\.title) == ["Hello"])
            #expect(try await ann.find("c1")?.updatedAt == now + Milliseconds(5))
            #expect(try await ann.delete("c1"))
            #expect(try await ann.turns(of: "c1").isEmpty)
            #expect(try await bob.turns(of: "c1").count == 1)
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
