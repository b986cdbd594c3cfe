import Accounting
import AccountingSQLite
import RedisClient
import Synchronization
import Testing

@testable import AccountingBoard
@testable import AccountingRedis

@Suite("Calls of tools: admitted one by one, charged or given back")
struct CallTests {
    private let pay: ToolName
    private let mail: ToolName

    init() throws {
        pay = try #require(ToolName("payments.refund"))
        mail = try #require(ToolName("mail.send"))
    }

    private func call(_ tool: ToolName, run: String = "r1", nano: Int64 = 0) throws -> ToolCall {
        try ToolCall(path: Make.path(), run: run, tool: tool, cost: NanoUSD(nano))
    }

    private func admitted(_ call: ToolCall, by accountant: Accountant) async throws -> CallLease {
        guard case .admitted(let lease) = await accountant.reserve(call) else { throw CounterStoreContract.Unexpected.reply }
        return lease
    }

    private func refusal(_ call: ToolCall, by accountant: Accountant) async throws -> CutCause {
        guard case .refused(let cause) = await accountant.reserve(call) else { throw CounterStoreContract.Unexpected.reply }
        return cause
    }

    // MARK: Names and budgets

    @Test("a tool's name is one of the catalog, and stands where no model does")
    func names() throws {
        for name in ["a", "payments.refund", "t_1.b", String(repeating: "a", count: 64)] { #expect(ToolName(name)?.text == name) }
        for name in ["", "A", "1a", ".a", "a-b", "a b", "a/b", "é", String(repeating: "a", count: 65)] {
            #expect(ToolName(name) == nil, "\(name)")
        }
        let key = WindowKey(scope: .org("acme"), model: pay.subject, unit: .calls, period: .minute, window: "2026-11-23T19-41")
        #expect(key.text == "org:acme//tool:payments.refund:calls:minute:2026-11-23T19-41")
        #expect(WindowKey(key.text) == key && key.tool == pay && key.modelName == nil)
        #expect(WindowKey(scope: .org("acme"), model: "demo", unit: .usd, period: .total, window: "all").modelName == "demo")
    }

    @Test("a budget counts one model or one tool or all, and of tools calls and money only")
    func budgets() throws {
        func made(model: String? = nil, tool: String? = nil, unit: String) -> String? {
            do throws(BudgetError) {
                return try Budget(scope: "org:acme", model: model, tool: tool, unit: unit, period: "minute", limit: "3").model ?? "all"
            } catch {
                return "\(error.field.rawValue): \(error.rule)"
            }
        }
        #expect(made(tool: "mail.send", unit: "calls") == "tool:mail.send" && made(tool: "mail.send", unit: "usd") == "tool:mail.send")
        #expect(made(unit: "calls") == "all")
        #expect(
            made(tool: "mail.send", unit: "tokens") == "unit: notOfTools" && made(tool: "mail.send", unit: "requests") == "unit: notOfTools"
        )
        #expect(made(model: "demo", unit: "calls") == "model: notOfModels")
        #expect(made(model: "tool:mail.send", unit: "calls") == "model: modelName", "a tool is said as a tool")
        #expect(made(model: "demo", tool: "mail.send", unit: "usd") == "tool: modelOrTool")
        #expect(made(tool: "Mail", unit: "calls") == "tool: toolName")
    }

    // MARK: The limit

    /// 16 at once under a limit of 4, twice: all is free in the next minute only where it was given back.
    private func exactLimit(_ accountant: Accountant) async throws {
        let calls = try (0..<16).map { try call(pay, run: "r\($0)") }
        let outcomes = await withTaskGroup(of: CallOutcome.self) { group in
            for call in calls { group.addTask { await accountant.reserve(call) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let leases = outcomes.compactMap { if case .admitted(let lease) = $0 { lease } else { nil } }
        let causes = outcomes.compactMap { if case .refused(let cause) = $0 { cause } else { nil } }
        #expect(leases.count == 4 && causes.count == 12)
        #expect(causes.allSatisfy { $0.reason == .rateLimited && $0.unit == .calls && $0.tool == pay && $0.limit == 4 })
        for lease in leases.prefix(3) { #expect(await lease.commit().isRecorded) }
        #expect(await leases[3].refund().isRecorded)
        let last = try await admitted(call(pay, run: "last"), by: accountant)
        _ = try await refusal(call(pay, run: "none"), by: accountant)
        #expect(await last.commit().windows.map(\.used) == [4])
        _ = try await refusal(call(pay, run: "none"), by: accountant)
    }

    private func limit() throws -> [Budget] {
        [try Budget(scope: .project(org: "acme", project: "web"), model: pay.subject, unit: .calls, period: .total, limit: 4)]
    }

    @Test("of sixteen calls at once exactly as many are admitted as the limit says: memory")
    func exactInMemory() async throws {
        let rig = NodeRig(budgets: try limit())
        try await exactLimit(rig.accountant)
        try await rig.store.machine.checkInvariants()
    }

    @Test("the same: SQLite")
    func exactInSQLite() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let clock = ManualClock()
            let store = try SQLiteCounterStore(database, clock: clock)
            let accountant = Accountant(
                store: store, ledger: SQLiteLedger(database), directory: BudgetList(try limit()),
                prices: PriceTable(version: "v1", models: [:]),
                holder: Make.holder, clock: clock)
            try await exactLimit(accountant)
            try await store.checkInvariants()
            #expect(try await SQLiteLedger(database).total(.org("acme")) == LedgerSum(calls: 4))
        }
    }

    @Test("the same: two processes beside one Redis, and a reserved call outlives the loss of it. Needs: redis-server")
    func exactInRedis() async throws {
        try await TemporaryDatabase.with { file in
            let database = try EmbeddedDatabase(path: file)
            let server = try await RedisServer()
            let budgets = BudgetList(try limit() + [Budget(scope: .org("acme"), unit: .calls, period: .total, limit: 6)])
            let one = try await RedisLossTests.Server("one", server, database, budgets: budgets)
            let two = try await RedisLossTests.Server("two", server, database, budgets: budgets)
            let calls = try (0..<16).map { try call(pay, run: "r\($0)", nano: 9) }
            let admitted: [CallLease] = await withTaskGroup(of: CallLease?.self) { group in
                for (index, call) in calls.enumerated() {
                    let accountant = index.isMultiple(of: 2) ? one.accountant : two.accountant
                    group.addTask {
                        guard case .admitted(let lease) = await accountant.reserve(call) else { return nil }
                        return lease
                    }
                }
                return await group.reduce(into: []) { if let lease = $1 { $0.append(lease) } }
            }
            #expect(admitted.count == 4)

            server.kill()
            try await server.launch()
            #expect(await eventually { one.redis.connection.health == .ready && two.redis.connection.health == .ready })
            // What was reserved is neither granted again nor forgotten.
            /// An answer that is one: while lives are answered for there is none.
            func answer(_ call: ToolCall, by accountant: Accountant) async -> CallOutcome {
                for _ in 0..<100 {
                    let outcome = await accountant.reserve(call)
                    if case .unavailable = outcome {} else { return outcome }
                    for process in [one, two] { await process.accountant.tick() }
                }
                return .unavailable
            }
            guard case .refused = await answer(try call(pay), by: one.accountant) else { throw Unanswered.afterLoss }
            for lease in admitted.dropFirst() { #expect(await lease.commit().isRecorded) }
            #expect(await admitted[0].refund().isRecorded)
            for process in [one, two] { try await process.redis.store.flushRows(org: "acme") }
            #expect(try await SQLiteLedger(database).total(.org("acme")) == LedgerSum(nanoUSD: 27, calls: 3))
            guard case .admitted(let fourth) = await answer(try call(pay), by: two.accountant) else { throw Unanswered.afterRefund }
            _ = await fourth.commit()
            guard case .refused = await answer(try call(pay), by: one.accountant) else { throw Unanswered.atTheLimit }
            guard case .admitted(let other) = await answer(try call(mail), by: one.accountant) else { throw Unanswered.ofAnotherTool }
            _ = await other.commit()
            for process in [one, two] { await process.redis.connection.close() }
        }
    }

    private enum Unanswered: Error { case afterLoss, afterRefund, atTheLimit, ofAnotherTool }

    // MARK: What is counted

    @Test("calls of all tools, calls of one, money of every scope: a call counts where it belongs and nowhere else")
    func counts() async throws {
        let path = try Make.path()
        let money = try path.scopes.map { try Budget(scope: $0, unit: .usd, period: .day, limit: 1_000) }
        let rig = NodeRig(
            budgets: money + [
                try Budget(scope: .org("acme"), unit: .calls, period: .minute, limit: 10),
                try Budget(scope: .org("acme"), model: pay.subject, unit: .calls, period: .minute, limit: 10),
                try Budget(scope: .org("acme"), model: pay.subject, unit: .usd, period: .total, limit: 100),
                try Budget(scope: .org("acme"), unit: .requests, period: .minute, limit: 10),
                try Budget(scope: .org("acme"), unit: .runs, period: .total, limit: 1),
                try Budget(scope: .org("acme"), model: "demo", unit: .usd, period: .day, limit: 1_000_000),
            ])
        #expect(await (try admitted(call(pay, nano: 40), by: rig.accountant)).commit().isCharged)
        #expect(await (try admitted(call(mail, nano: 30), by: rig.accountant)).commit().isCharged)
        for index in 0..<4 { #expect(try await rig.window(index).used == 70, "\(index)") }
        #expect(try await rig.window(4).used == 2)
        #expect(try await rig.window(5).used == 1)
        #expect(try await rig.window(6).used == 40)
        let lease = try await rig.admitted("run")
        _ = await stream(lease, wish: 20)
        _ = await lease.settle(.counted(inputTokens: 10))
        #expect(try await rig.window(4).used == 2, "a run is no call")
        #expect(try await rig.window(7).used == 1, "and a call no request")
        #expect(try await rig.window(8).used == 0)
        let (ofModel, ofAll) = (try await rig.window(9).used, try await rig.window(0).used)
        #expect(ofModel > 0 && ofModel == ofAll - 70, "the model's budget has no call in it")
        // 60 of the tool's money are left: 61 do not fit, whatever the others have.
        let cause = try await refusal(call(pay, nano: 61), by: rig.accountant)
        #expect(cause.reason == .budgetExceeded && cause.tool == pay && cause.unit == .usd)
        _ = await (try admitted(call(mail, nano: 61), by: rig.accountant)).refund()
    }

    @Test("a charge stands in the ledger once, under its run; a refund leaves none; the first word decides")
    func decidesOnce() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .calls, period: .minute, limit: 2)])
        let first = try await admitted(call(pay, run: "run-7", nano: 12), by: rig.accountant)
        let second = try await admitted(call(mail, run: "run-7"), by: rig.accountant)
        async let again = first.commit()
        let (one, two) = (await first.commit(), await again)
        #expect(one.isCharged && two.isCharged)
        #expect(await first.refund().isCharged, "it was charged before")
        #expect(await !second.refund().isCharged)
        #expect(await !second.commit().isCharged, "it was given back before")
        let rows = await rig.ledger.rows
        #expect(rows.map(\.kind) == [.settle] && rows[0].attribution.run == "run-7" && rows[0].attribution.tool == pay)
        #expect(rows[0].amounts == Amounts(nanoUSD: 12, calls: 1) && !rows[0].estimated)
        #expect(try await rig.window(0).used == 1)
    }

    @Test("a budget that comes while a call is on its way counts it")
    func lateBudget() async throws {
        let rig = NodeRig(budgets: [])
        let lease = try await admitted(call(pay), by: rig.accountant)
        rig.directory.list = [
            try Budget(scope: .org("acme"), model: pay.subject, unit: .calls, period: .day, limit: 5, version: 2, generation: 2)
        ]
        _ = await (try admitted(call(pay), by: rig.accountant)).refund()
        _ = await lease.commit()
        #expect(try await rig.window(0).used == 1)
    }

    // MARK: What goes wrong

    @Test("a store or a directory that is away admits nothing")
    func failsClosed() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .calls, period: .minute, limit: 2)])
        rig.switchable.isDown.withLock { $0 = true }
        guard case .unavailable = await rig.accountant.reserve(try call(pay)) else { throw CounterStoreContract.Unexpected.reply }
        rig.switchable.isDown.withLock { $0 = false }
        let lease = try await admitted(call(pay), by: rig.accountant)
        rig.switchable.isDown.withLock { $0 = true }
        #expect(await !lease.commit().isRecorded)
        rig.switchable.isDown.withLock { $0 = false }
        await rig.accountant.tick()
        #expect(try await rig.window(0).used == 1, "it is brought home later")
        #expect(try await rig.window(0).held == 0, "and what was asked while the store was away holds nothing")
    }

    @Test("replies that are lost neither admit too many nor charge twice", arguments: [2, 3, 5])
    func lostReplies(every: Int) async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .calls, period: .minute, limit: 5)])
        rig.switchable.losesEvery.withLock { $0 = every }
        var charged: Int64 = 0
        for number in 0..<12 {
            guard case .admitted(let lease) = await rig.accountant.reserve(try call(pay, run: "r\(number)")) else { continue }
            _ = await lease.commit()
            charged += 1
        }
        rig.switchable.losesEvery.withLock { $0 = 0 }
        for _ in 0..<3 { await rig.accountant.tick() }
        rig.clock.advance(Milliseconds(60_000))
        #expect(charged > 0 && charged <= 5)
        #expect(try await rig.ledger.total(.org("acme")).calls == charged)
    }

    @Test("a call that nobody decides may have happened: it is charged, as estimated")
    func undecided() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .calls, period: .minute, limit: 2)])
        do { _ = try await admitted(call(pay, nano: 3), by: rig.accountant) }
        await rig.accountant.tick()
        let rows = await rig.ledger.rows
        #expect(rows.map(\.amounts) == [Amounts(nanoUSD: 3, calls: 1)] && rows[0].estimated)
    }

    @Test("a reserved call whose process is silent goes into suspense, and its late word counts all the same")
    func suspense() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .calls, period: .day, limit: 2)])
        let (first, second) = (try await admitted(call(pay), by: rig.accountant), try await admitted(call(pay), by: rig.accountant))
        rig.clock.advance(AccountingLimits.callTTL - Milliseconds(1))
        await rig.accountant.tick()
        #expect(try await rig.window(0).held == 2)
        rig.clock.advance(AccountingLimits.reapGrace + Milliseconds(1))
        await rig.accountant.tick()
        #expect(try await rig.window(0).suspense == 2)
        _ = try await refusal(call(pay), by: rig.accountant)
        _ = await first.commit()
        _ = await second.refund()
        let window = try await rig.window(0)
        #expect([window.used, window.held, window.suspense] == [1, 0, 0])
        #expect(await rig.ledger.rows.map(\.kind) == [.suspense, .suspense, .resolve])
    }

    @Test("of a dead process a call that was decided is charged, and one that was not stays in suspense")
    func successor() async throws {
        try await TemporaryDatabase.with { file in
            let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .calls, period: .day, limit: 9)])
            let folder = try BoardFolder(path: file + ".nodes")
            let board = try folder.makeBoard(for: Make.holder)
            let dead = rig.another(Make.holder, board: board)
            let (done, open) = (try await admitted(call(pay, nano: 4), by: dead), try await admitted(call(mail), by: dead))
            rig.switchable.isDown.withLock { $0 = true }
            #expect(await !done.commit().isRecorded)
            rig.switchable.isDown.withLock { $0 = false }
            board.abandon()
            let next = rig.another(LeaseHolder(node: "n2", fence: 9))
            let orphan = try #require(try folder.orphans().found.first)
            #expect(await next.settle(orphan.left))
            rig.clock.advance(AccountingLimits.callTTL + AccountingLimits.reapGrace)
            await next.tick()
            let window = try await rig.window(0)
            #expect([window.used, window.held, window.suspense] == [1, 0, 1])
            let rows = await rig.ledger.rows
            #expect(rows.map(\.kind) == [.settle, .suspense] && rows[0].amounts == Amounts(nanoUSD: 4, calls: 1) && !rows[0].estimated)
            orphan.discard()
            withExtendedLifetime(open) {}
        }
    }
}
