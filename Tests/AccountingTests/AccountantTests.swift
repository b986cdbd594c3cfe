import Accounting
import Synchronization
import Testing

@Suite("Accountant and stream leases")
struct AccountantTests {
    struct Totals {
        var tokens: Int64 = 0
        var nano: Int64 = 0
        var cuts = 0
    }

    /// Runs at once that each stream until their wish or the cut, and settle.
    func race(_ rig: NodeRig, runs: Int, wish: ClosedRange<Int>, seed: UInt64) async throws -> Totals {
        try await withThrowingTaskGroup(of: Totals.self) { group in
            for run in 0..<runs {
                group.addTask {
                    var random = SplitMix(seed: seed &* 1_000_003 &+ UInt64(run))
                    let wish = Int.random(in: wish, using: &random)
                    guard case .admitted(let lease) = try await rig.open("run\(run)") else { return Totals() }
                    let (delivered, cut) = await stream(lease, wish: wish)
                    let settlement = await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: Int64(delivered))))
                    #expect(settlement.usage.output == Int64(delivered))
                    return Totals(tokens: settlement.usage.total, nano: settlement.cost.rawValue, cuts: cut == nil ? 0 : 1)
                }
            }
            return try await group.reduce(into: Totals()) { sum, one in
                sum = Totals(tokens: sum.tokens + one.tokens, nano: sum.nano + one.nano, cuts: sum.cuts + one.cuts)
            }
        }
    }

    @Test(
        "1,000 runs that want ten times the cap: charged = delivered <= cap, less than one admission is left (complaint 6; seeded)",
        arguments: [11, 12])
    func thousandRuns(seed: UInt64) async throws {
        let cap: Int64 = 60_000
        let rig = NodeRig(budgets: [
            try Budget(scope: .org("acme"), unit: .usd, period: .total, limit: 1_000_000_000_000),
            try Budget(scope: .project(org: "acme", project: "web"), unit: .tokens, period: .day, limit: cap),
        ])
        let totals = try await race(rig, runs: 1_000, wish: 300...900, seed: seed)
        let window = try await rig.window(1)
        let sum = try await rig.ledger.sum(.org("acme"), from: Milliseconds(0), to: WindowSpan.never)
        #expect(totals.tokens == sum.usage.total && totals.nano == sum.nanoUSD, "seed \(seed): delivered is charged")
        #expect(window.used == sum.usage.total && window.held == 0, "seed \(seed)")
        #expect(window.used <= cap, "seed \(seed): overspent")
        #expect(cap - window.used < 11, "seed \(seed): \(cap - window.used) tokens were left, an admission needs 11")
        #expect(totals.cuts > 0)
        let machine = await rig.store.machine
        #expect(throws: Never.self) { try machine.checkInvariants() }
        print("seed \(seed): \(window.used) of \(cap), \(totals.cuts) cuts, \(rig.switchable.calls) calls")
    }

    @Test(
        "with every 17th reply lost nothing is granted or charged twice, and nothing stays held (complaint 20; seeded)",
        arguments: [13, 14])
    func lostReplies(seed: UInt64) async throws {
        let cap: Int64 = 60_000
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: cap)])
        rig.switchable.losesEvery.withLock { $0 = 17 }
        let totals = try await race(rig, runs: 1_000, wish: 300...900, seed: seed)
        rig.switchable.losesEvery.withLock { $0 = 0 }
        await rig.accountant.tick()
        let window = try await rig.window(0)
        let sum = try await rig.ledger.sum(.org("acme"), from: Milliseconds(0), to: WindowSpan.never)
        #expect(totals.tokens == sum.usage.total && totals.nano == sum.nanoUSD, "seed \(seed): delivered is charged")
        #expect(window.used == sum.usage.total, "seed \(seed)")
        #expect(window.used <= cap && window.held == 0, "seed \(seed): used \(window.used), held \(window.held)")
    }

    @Test("300 runs on one cap ask the store at most 20 times a 1,000 tokens (complaint 27; seeded)")
    func storeCalls() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .project(org: "acme", project: "web"), unit: .tokens, period: .day, limit: 150_000)])
        let totals = try await race(rig, runs: 300, wish: 1_000...1_000, seed: 5)
        let calls = rig.switchable.calls
        #expect(totals.tokens == 150_000)
        #expect(calls * 1_000 <= 20 * 150_000, "\(calls) calls for 150,000 tokens")
        print("300 runs: \(calls) calls for \(totals.tokens) tokens")
    }

    @Test("a denied path is refused with the window, its limit and its reset")
    func refused() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .usd, period: .day, limit: 1)])
        guard case .refused(let cause) = try await rig.open("r") else { throw CounterStoreContract.Unexpected.reply }
        #expect(await rig.accountant.windows(for: try Make.path())?.map(\.cap) == [1])
        #expect(cause.reason == .budgetExceeded)
        #expect(cause.scope == .org("acme") && cause.unit == .usd && cause.period == .day && cause.limit == 1)
        #expect(cause.resetsAt?.rfc3339 == "2026-11-24T00:00:00Z")
    }

    @Test("a token or request window is a rate limit, not a budget")
    func rateLimit() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .key("k1"), unit: .requests, period: .minute, limit: 1)])
        let first = try await rig.admitted("a")
        guard case .refused(let cause) = try await rig.open("b") else { throw CounterStoreContract.Unexpected.reply }
        #expect(cause.reason == .rateLimited)
        _ = await first.settle(.nothing)
        guard case .refused = try await rig.open("c") else { throw CounterStoreContract.Unexpected.reply }
        rig.clock.advance(Milliseconds(60_000))
        #expect(try await rig.admitted("d").report.usage.input == 10)
    }

    @Test("an unknown price is refused under a money cap, and passes without one")
    func unknownPrice() async throws {
        let capped = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .usd, period: .day, limit: 100)], price: nil)
        guard case .priceUnknown = try await capped.open("a") else { throw CounterStoreContract.Unexpected.reply }
        let free = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 100)], price: nil)
        let lease = try await free.admitted("b")
        #expect(await stream(lease, wish: 1_000).delivered == 90)
    }

    @Test("a money cap that comes while an unpriced model runs ends the run")
    func unknownPriceLater() async throws {
        let rig = NodeRig(budgets: [], price: nil)
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 10)
        rig.directory.list = [try Budget(scope: .org("acme"), unit: .usd, period: .day, limit: 1_000)]
        #expect(await stream(lease, wish: 100_000).cut?.reason == .policyDenied)
        #expect(await lease.settle(.counted(inputTokens: nil)).isRecorded)
    }

    @Test("a stream is cut with the window that is full; the settlement is idempotent and agrees with the ledger")
    func cutAndSettle() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .usd, period: .day, limit: 200)])
        let lease = try await rig.admitted("a")
        let (delivered, cut) = await stream(lease, wish: 10_000)
        // 10 × 150 pico for the prompt; 600 pico a token: (200 000 - 1 500) / 600 = 330.8.
        #expect(delivered == 330)
        #expect(cut?.reason == .budgetExceeded)
        let usage = FinalUsage.exact(UsageClasses(inputFresh: 10, outputVisible: Int64(delivered)))
        async let first = lease.settle(usage)
        async let second = lease.settle(.nothing)
        let both = await [first, second]
        #expect(both[0] == both[1])
        let settlement = await lease.settle(.nothing)
        #expect(settlement == both[0])
        #expect(settlement.isRecorded && !settlement.overran)
        let window = try await rig.window(0)
        #expect(window.used == settlement.cost.rawValue && window.held == 0)
        #expect(cut?.refreshed(from: settlement.windows).used == window.used)
        #expect(rig.accountant.liveLeases == 0)
    }

    @Test("a prompt whose length was only bounded is charged by the provider's count, the rest is free again")
    func boundedPrompt() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 1_000)])
        let lease = try await rig.admitted("a", prompt: .atMost(600))
        #expect(try await rig.window(0).held == 664)
        #expect(await stream(lease, wish: 200).delivered == 200)
        let settlement = await lease.settle(.exact(UsageClasses(inputFresh: 120, inputCacheRead: 30, outputVisible: 200)))
        #expect(settlement.usage.total == 350)
        let window = try await rig.window(0)
        #expect(window.used == 350 && window.held == 0)
    }

    @Test("a provider's count above what was held is charged and called an overrun")
    func overrun() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 100)])
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 10)
        let settlement = await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 500)))
        #expect(settlement.overran)
        #expect(try await rig.window(0).used == 510)
        #expect(await rig.ledger.rows.contains { $0.kind == .overrun })
    }

    @Test("a window that rolls mid-stream is charged its own part, to the token")
    func roll() async throws {
        let rig = NodeRig(
            budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .minute, limit: 500)],
            at: ManualClock.monday + Milliseconds(50_000))
        let before = rig.directory.list[0].window(at: rig.clock.now()).key
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 100)
        rig.clock.advance(Milliseconds(10_000))
        await rig.accountant.tick()
        _ = await stream(lease, wish: 200)
        _ = await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 300)))
        let machine = await rig.store.machine
        let after = rig.directory.list[0].window(at: rig.clock.now()).key
        let (old, new) = (try #require(machine.windows[before]), try #require(machine.windows[after]))
        #expect(old.used == 110)
        #expect(new.used == 200)
        #expect(old.held == 0 && new.held == 0)
        let span = WindowSpan(.minute, containing: rig.clock.now())
        #expect(try await rig.ledger.sum(.org("acme"), from: span.start, to: span.end).usage.total == 200)
    }

    @Test("a budget that is set while a stream runs binds it, and counts what was used before")
    func newBudget() async throws {
        let rig = NodeRig(budgets: [])
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 500)
        rig.directory.list = [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 1_500, version: 5, generation: 5)]
        let (_, cut) = await stream(lease, wish: 100_000)
        #expect(cut?.reason == .rateLimited)
        let settlement = await lease.settle(.counted(inputTokens: nil))
        #expect(settlement.usage.total <= 1_500)
        #expect(try await rig.window(0).used == settlement.usage.total)
    }

    @Test("a cap that is lowered while a stream runs cuts it")
    func loweredCap() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 1_000_000)])
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 100)
        rig.directory.list = [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 50, version: 2)]
        let (delivered, cut) = await stream(lease, wish: 100_000)
        #expect(cut?.limit == 50)
        #expect(delivered <= 2 * 1_024, "only what was granted before is spent")
    }

    @Test("a stream reads its budgets once, and again only after one has changed")
    func budgetReadings() async throws {
        let budget = try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 1_000_000)
        let rig = NodeRig(budgets: [budget])
        let lease = try await rig.admitted("a")
        #expect(await stream(lease, wish: 10_000).delivered == 10_000)
        #expect(rig.directory.readings == 1)
        rig.directory.list = [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 2_000_000, version: 2)]
        #expect(await stream(lease, wish: 10_000).delivered == 10_000)
        #expect(rig.directory.readings == 2)
        #expect(try await rig.window(0).cap == 2_000_000)
    }

    @Test("a store that goes away: nothing new starts, the stream lives on what it holds, and settles when it is back")
    func storeAway() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 100_000)])
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 10)
        rig.switchable.isDown.withLock { $0 = true }
        guard case .unavailable = try await rig.open("b") else { throw CounterStoreContract.Unexpected.reply }
        let (delivered, cut) = await stream(lease, wish: 1_000)
        #expect(delivered == 54, "the first slice is 64")
        #expect(cut == .unavailable)
        let settlement = await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 64)))
        #expect(!settlement.isRecorded)
        rig.switchable.isDown.withLock { $0 = false }
        await rig.accountant.tick()
        #expect(try await rig.window(0).used == 74)
        #expect(try await rig.window(0).held == 0)
    }

    @Test("a lease whose node was silent goes into suspense; its late settlement resolves it")
    func silentNode() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .total, limit: 100_000)])
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 10)
        rig.clock.advance(Milliseconds(60_000))
        _ = try await rig.store.apply(.reap(org: nil, grace: Milliseconds(0)))
        #expect(try await rig.window(0).suspense == 74)
        #expect(await stream(lease, wish: 100).cut == .unavailable)
        let settlement = await lease.settle(.counted(inputTokens: nil))
        #expect(settlement.isRecorded && settlement.estimated)
        let window = try await rig.window(0)
        #expect([window.used, window.held, window.suspense] == [20, 0, 0])
    }

    @Test("heartbeats keep a stream alive that waits for a tool or an approval")
    func heartbeats() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .total, limit: 100_000)])
        let lease = try await rig.admitted("a")
        for _ in 0..<20 {
            rig.clock.advance(Milliseconds(11_000))
            let calls = rig.switchable.calls
            await rig.accountant.tick()
            while rig.switchable.calls < calls + 2 { await Task.yield() }
        }
        #expect(await stream(lease, wish: 200).delivered == 200)
        #expect(try await rig.window(0).suspense == 0)
    }

    @Test("an operator's kill ends a stream at its next token, or while it waits")
    func kill() async throws {
        let rig = NodeRig(budgets: [])
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 5)
        lease.cut(CutCause(reason: .killed))
        #expect(lease.take(outputTokens: 1) == .cut(CutCause(reason: .killed)))
        #expect(await lease.settle(.counted(inputTokens: 10)).usage.total == 15)
    }

    @Test("in mode H the whole worst case is held and the granted maximum is told")
    func reserve() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 1_000)])
        guard case .admitted(let lease) = try await rig.open("a", maxOutput: 1_600, mode: .reserve) else {
            throw CounterStoreContract.Unexpected.reply
        }
        #expect(lease.outputTokensMax == 800, "the largest half of the wish that fits the cap")
        #expect(try await rig.window(0).held == 810)
        #expect(await stream(lease, wish: 800).delivered == 800)
        _ = await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 300)))
        let window = try await rig.window(0)
        #expect(window.used == 310 && window.held == 0)
    }
}
