import Accounting
import NIOPosix
import Testing

@testable import AccountingBoard
@testable import AccountingRedis
@testable import AccountingSQLite
@testable import RedisClient

/// Needs: redis-server. Processes that share a Redis which loses its data, beside one durable root.
@Suite("A Redis that loses what it acknowledged")
struct RedisLossTests {
    /// One server process: its own connection, accountant and outbox.
    struct Server {
        let redis: RedisNode
        let accountant: Accountant

        init(
            _ name: String, _ server: RedisServer, _ database: EmbeddedDatabase, budgets: BudgetList, board: (any LeaseBoard)? = nil
        ) async throws {
            let clock = SystemAccountingClock(wall: SystemTime.now)
            let ledger = SQLiteLedger(database)
            redis = try await RedisNode(server, ledger: ledger, name: name, begins: false)
            accountant = Accountant(
                store: redis.store, ledger: ledger, directory: budgets,
                prices: PriceTable(
                    version: "v1",
                    models: ["demo": ModelPricing(ModelPrice(inputFresh: PicoUSD(150_000), outputVisible: PicoUSD(600_000)))]),
                holder: LeaseHolder(node: name, fence: 1), clock: clock, root: SQLiteCounterRoot(database, clock: clock), board: board,
                rootRounds: 3)
        }

        func open(_ run: String) async throws -> StreamLease? {
            let outcome = await accountant.open(
                Admission(path: try Make.path(), run: run, model: "demo", prompt: .exact(10)))
            guard case .admitted(let lease) = outcome else { return nil }
            return lease
        }

        /// Rounds of the accountant's loop until a run may start again.
        func openWhenRebuilt(_ run: String, with others: [Server] = []) async throws -> StreamLease {
            for _ in 0..<100 {
                if let lease = try await open(run) { return lease }
                for process in [self] + others { await process.accountant.tick() }
            }
            throw CounterStoreContract.Unexpected.reply
        }

        func window(_ budget: Budget) async throws -> WindowSnapshot {
            guard let windows = await accountant.windows(for: try Make.path()),
                let window = windows.first(where: { $0.key.scope == budget.scope && $0.key.unit == budget.unit })
            else { throw CounterStoreContract.Unexpected.reply }
            return window
        }
    }

    private let budget: Budget

    init() throws { budget = try Budget(scope: .org("acme"), unit: .tokens, period: .total, limit: 1_000) }

    private func charged(_ database: EmbeddedDatabase) async throws -> Int64 {
        try await SQLiteLedger(database).total(.org("acme")).usage.total
    }

    @Test("Empty after kill -9: live streams go on in the new life and are charged to the token; nothing is granted twice")
    func emptied() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let budgets = BudgetList([budget])
            let one = try await Server("one", server, database, budgets: budgets)
            let two = try await Server("two", server, database, budgets: budgets)
            let first = try #require(try await one.open("first"))
            let second = try #require(try await two.open("second"))
            var delivered = Int64(await stream(first, wish: 150).delivered + stream(second, wish: 150).delivered)

            server.kill()
            try await server.launch()
            #expect(await eventually { one.redis.connection.health == .ready && two.redis.connection.health == .ready })
            let third = try await one.openWhenRebuilt("third", with: [two])
            let window = try await one.window(budget)
            #expect(window.used + window.held + window.suspense + window.unaccounted <= budget.limit)

            // 1,000 less three prompts of 10: everything else may be delivered, and not a token more.
            for lease in [first, second, third] { delivered += Int64(await stream(lease, wish: 1_000).delivered) }
            for lease in [first, second, third] { #expect(await lease.settle(.counted(inputTokens: 10)).isRecorded) }
            #expect(delivered == budget.limit - 30)
            for process in [one, two] { try await process.redis.store.flushRows(org: "acme") }
            #expect(try await charged(database) == budget.limit)
            let after = try await one.window(budget)
            #expect(after.used == budget.limit && after.held == 0 && after.suspense == 0 && after.unaccounted == 0)
            for process in [one, two] { await process.redis.connection.close() }
        }
    }

    @Test("Until every process has answered nothing of what was released is granted anew")
    func waitsForAll() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let budgets = BudgetList([budget])
            let one = try await Server("one", server, database, budgets: budgets)
            let two = try await Server("two", server, database, budgets: budgets)
            for process in [one, two] { await process.accountant.tick() }
            let lease = try #require(try await two.open("held"))
            _ = await stream(lease, wish: 20)

            server.kill()
            try await server.launch()
            #expect(await eventually { one.redis.connection.health == .ready && two.redis.connection.health == .ready })
            for _ in 0..<3 {
                #expect(try await one.open("early") == nil)
                await one.accountant.tick()
            }
            let frozen = try await one.window(budget)
            #expect(frozen.headroom > 0 && frozen.unaccounted > 0)
            await two.accountant.tick()
            let late = try #require(try await one.open("late"))
            let window = try await one.window(budget)
            #expect(window.held >= 2 * 10, "both leases are held, that of before the loss too")
            for lease in [lease, late] { _ = await lease.settle(.counted(inputTokens: 10)) }
            #expect(try await one.window(budget).used == 20 + 10 + 10)
            for process in [one, two] { await process.redis.connection.close() }
        }
    }

    @Test("What a process that died had been given stays locked; the rest of the cap is released as before")
    func locksTheTrancheOnly() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let large = try Budget(scope: .org("acme"), unit: .tokens, period: .total, limit: 200_000)
            let server = try await RedisServer()
            let one = try await Server("one", server, database, budgets: BudgetList([large]))
            let two = try await Server("two", server, database, budgets: BudgetList([large]))
            for process in [one, two] { await process.accountant.tick() }
            let lost = try #require(try await two.open("lost"))
            let spent = Int64(await stream(lost, wish: 5_000).delivered)
            try await two.redis.store.flushRows(org: "acme")
            // It never answers again, and nobody knows how much of its lease it had used.
            await two.redis.connection.close()
            server.kill()
            try await server.launch()
            #expect(await eventually { one.redis.connection.health == .ready })
            let lease = try #require(try await one.open("next"))
            let window = try await one.window(large)
            #expect(window.unaccounted > 0 && window.unaccounted < 40_000)
            #expect(window.used + window.held + window.unaccounted <= window.released && window.released < large.limit)
            let delivered = Int64(await stream(lease, wish: 200_000).delivered)
            _ = await lease.settle(.counted(inputTokens: 10))
            #expect(delivered + spent < large.limit && delivered > large.limit - 40_000 - spent)
            let after = try await one.window(large)
            #expect(after.unaccounted > 0, "the evidence is still missing")
            // Its successor says what was spent and leaves in its place.
            try await SQLiteCounterRoot(database, clock: SystemAccountingClock(wall: SystemTime.now)).leave(
                LeaseHolder(node: "two", fence: 1))
            await one.accountant.tick()
            #expect(try await one.window(large).unaccounted == 0)
            await one.redis.connection.close()
        }
    }

    @Test("Redis and a process die together: the successor answers for it, and nothing stays locked")
    func diesToo() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let folder = try BoardFolder(path: file + ".nodes")
            let board = try folder.makeBoard(for: LeaseHolder(node: "one", fence: 1))
            let one = try await Server("one", server, database, budgets: BudgetList([budget]), board: board)
            await one.accountant.tick()
            let lease = try #require(try await one.open("dies"))
            var delivered = Int64(await stream(lease, wish: 333).delivered)
            await one.redis.connection.close()
            board.abandon()
            server.kill()
            try await server.launch()

            let two = try await Server("two", server, database, budgets: BudgetList([budget]))
            await two.accountant.tick()
            #expect(try await two.open("early") == nil)
            #expect(try await two.window(budget).unaccounted > 0)
            let orphan = try #require(try folder.orphans().found.first)
            #expect(await eventually { await two.accountant.settle(orphan.left) })
            let next = try await two.openWhenRebuilt("next")
            delivered += Int64(await stream(next, wish: 1_000).delivered)
            #expect(delivered == budget.limit - 20)
            _ = await next.settle(.counted(inputTokens: 10))
            try await two.redis.store.flushRows(org: "acme")
            #expect(try await charged(database) == budget.limit)
            let window = try await two.window(budget)
            #expect(window.used == budget.limit && window.held == 0 && window.suspense == 0 && window.unaccounted == 0)
            await two.redis.connection.close()
        }
    }

    @Test("A Redis with yesterday's data: what it has forgotten is neither granted again nor charged twice (complaint 22)")
    func stale() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let node = try await Server("one", server, database, budgets: BudgetList([budget]))
            let early = try #require(try await node.open("early"))
            var delivered = Int64(await stream(early, wish: 100).delivered)
            _ = try await node.redis.connection.call(RedisCommand("SAVE"))
            // Spent, settled and in the ledger after the snapshot: complaint 22.
            delivered += Int64(await stream(early, wish: 200).delivered)
            let settled = try #require(try await node.open("settled"))
            delivered += Int64(await stream(settled, wish: 100).delivered)
            _ = await settled.settle(.counted(inputTokens: 10))
            try await node.redis.store.flushRows(org: "acme")

            server.kill()
            try await server.launch()
            #expect(await eventually { node.redis.connection.health == .ready })
            #expect(try await node.redis.connection.call(RedisCommand("EXISTS", "{acme}:epoch")).number == 1, "it has the old data")
            let late = try await node.openWhenRebuilt("late")
            for lease in [early, late] {
                delivered += Int64(await stream(lease, wish: 1_000).delivered)
                _ = await lease.settle(.counted(inputTokens: 10))
            }
            #expect(delivered == budget.limit - 30)
            try await node.redis.store.flushRows(org: "acme")
            #expect(try await charged(database) == budget.limit)
            await node.redis.connection.close()
        }
    }

    @Test("A settlement that was acknowledged and lost before the ledger had it is charged all the same, once")
    func acknowledgedAndLost() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let node = try await Server("one", server, database, budgets: BudgetList([budget]))
            let lease = try #require(try await node.open("a"))
            _ = await stream(lease, wish: 40)
            #expect(await lease.settle(.counted(inputTokens: 10)).isRecorded)
            #expect(try await charged(database) == 0, "the row waits in Redis")
            server.kill()
            try await server.launch()
            #expect(await eventually { node.redis.connection.health == .ready })
            let next = try await node.openWhenRebuilt("b")
            _ = await next.settle(.nothing)
            for _ in 0..<3 {
                await node.accountant.tick()
                try await node.redis.store.flushRows(org: "acme")
            }
            #expect(try await charged(database) == 50)
            #expect(try await node.window(budget).used == 50)
            await node.redis.connection.close()
        }
    }

    @Test("Counters that were not told that their life is cleared are told by the next process")
    func toldLater() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let node = try await Server("one", server, database, budgets: BudgetList([budget]))
            _ = try #require(try await node.open("a"))
            let root = SQLiteCounterRoot(database, clock: SystemAccountingClock(wall: SystemTime.now))
            server.kill()
            try await server.launch()
            #expect(await eventually { node.redis.connection.health == .ready })
            let life = try await root.seal(org: "acme", incarnation: node.redis.store.incarnation(org: "acme")).epoch
            _ = try await node.redis.store.apply(.begin(org: "acme", life))
            let ref = budget.window(at: SystemTime.now())
            _ = try await node.redis.store.apply(.load(org: "acme", window: ref, used: 0, released: budget.limit))
            #expect(try await node.window(budget).unaccounted == budget.limit)
            // This process has answered and died before its word reached the counters.
            #expect(try await root.confirm(org: "acme", epoch: life, holder: LeaseHolder(node: "one", fence: 1)))
            #expect(try await root.pending().isEmpty)
            let next = try await Server("two", server, database, budgets: BudgetList([budget]))
            _ = try #require(try await next.open("b"))
            #expect(try await next.window(budget).unaccounted == 0)
            for process in [node, next] { await process.redis.connection.close() }
        }
    }

    @Test("A process is known to the root before it holds anything")
    func knownFirst() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let node = try await Server("one", server, database, budgets: BudgetList([budget]))
            _ = try #require(try await node.open("a"))
            let root = SQLiteCounterRoot(database, clock: SystemAccountingClock(wall: SystemTime.now))
            let life = try await root.seal(org: "acme", incarnation: "another").epoch
            #expect(try await !root.confirm(org: "acme", epoch: life, holder: LeaseHolder(node: "two", fence: 1)))
            await node.redis.connection.close()
        }
    }

    @Test("A settlement that meets a new life is charged there; rows of the old life are refused")
    func settlesAcross() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let node = try await Server("one", server, database, budgets: BudgetList([budget]))
            let lease = try #require(try await node.open("a"))
            _ = await stream(lease, wish: 40)
            server.kill()
            try await server.launch()
            #expect(await eventually { node.redis.connection.health == .ready })
            #expect(await lease.settle(.counted(inputTokens: 10)).isRecorded)
            try await node.redis.store.flushRows(org: "acme")
            #expect(try await charged(database) == 50)
            let old = LedgerRow(
                chargeID: "late", kind: .commit, lease: "a.1", attribution: try Make.attribution(), nanoUSD: 1,
                usage: UsageClasses(outputVisible: 7), requests: 0, estimated: false, at: SystemTime.now(), epoch: 1)
            #expect(try await SQLiteLedger(database).append([old]) == 0)
            #expect(try await charged(database) == 50)
            await node.redis.connection.close()
        }
    }
}
