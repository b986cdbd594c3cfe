import Accounting
import Testing

@Suite("Limits: runs at one time, calendar minutes, single models")
struct LimitsTests {
    private static let minute = Milliseconds(60_000)

    @Test(
        "a minute admits exactly its requests: none more in its last millisecond, all again in the first of the next (complaint 25)"
    )
    func minuteOfRequests() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .requests, period: .minute, limit: 3)])
        let start = WindowSpan(.minute, containing: rig.clock.now()).start
        rig.clock.advance(start + Self.minute - Milliseconds(1) - rig.clock.now())
        for run in ["a", "b", "c"] { _ = await (try await rig.admitted(run)).settle(.counted(inputTokens: 10)) }
        guard case .refused(let cause) = try await rig.open("d") else { throw CounterStoreContract.Unexpected.reply }
        #expect(cause.reason == .rateLimited && cause.unit == .requests && cause.used == 3)
        #expect(cause.resetsAt == start + Self.minute, "one millisecond from now")
        rig.clock.advance(Milliseconds(1))
        for run in ["e", "f", "g"] { _ = try await rig.admitted(run) }
        guard case .refused = try await rig.open("h") else { throw CounterStoreContract.Unexpected.reply }
    }

    @Test("a run that goes on into the next minute is no request of that minute")
    func requestOfOneMinute() async throws {
        let rig = NodeRig(
            budgets: [try Budget(scope: .org("acme"), unit: .requests, period: .minute, limit: 1)],
            at: ManualClock.monday + Milliseconds(59_000))
        let lease = try await rig.admitted("a")
        _ = await stream(lease, wish: 20)
        rig.clock.advance(Milliseconds(1_000))
        await rig.accountant.tick()
        #expect(await stream(lease, wish: 200).cut == nil)
        _ = try await rig.admitted("b")
        _ = await lease.settle(.counted(inputTokens: nil))
        guard case .refused = try await rig.open("c") else { throw CounterStoreContract.Unexpected.reply }
    }

    @Test("a minute of tokens is delivered to the last token, and no token more (complaint 34: one unit a request)")
    func minuteOfTokens() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .outputTokens, period: .minute, limit: 100)])
        let lease = try await rig.admitted("a", prompt: .exact(5_000))
        let (delivered, cut) = await stream(lease, wish: 1_000)
        #expect(delivered == 100, "a prompt does not count")
        #expect(cut?.unit == .outputTokens && cut?.reason == .rateLimited)
        _ = await lease.settle(.counted(inputTokens: nil))
        #expect(try await rig.window(0).used == 100)
    }

    @Test("runs at one time: refused while all places are taken; a settlement gives one back")
    func places() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .key("k1"), unit: .runs, period: .total, limit: 2)])
        let first = try await rig.admitted("a")
        _ = try await rig.admitted("b")
        guard case .refused(let cause) = try await rig.open("c") else { throw CounterStoreContract.Unexpected.reply }
        #expect(cause.reason == .rateLimited && cause.unit == .runs && cause.resetsAt == nil)
        _ = await stream(first, wish: 500)
        _ = await first.settle(.counted(inputTokens: nil))
        _ = try await rig.admitted("d")
        #expect(try await rig.window(0).held == 2)
    }

    @Test("a place is kept while windows roll, and a lower budget cuts nobody")
    func placeIsKept() async throws {
        let runs = try Budget(scope: .org("acme"), unit: .runs, period: .total, limit: 1)
        let tokens = try Budget(scope: .org("acme"), unit: .tokens, period: .minute, limit: 10_000)
        let rig = NodeRig(budgets: [runs, tokens], at: ManualClock.monday + Milliseconds(59_000))
        let lease = try await rig.admitted("a")
        rig.clock.advance(Milliseconds(1_000))
        await rig.accountant.tick()
        rig.directory.list = [try Budget(scope: .org("acme"), unit: .runs, period: .total, limit: 0, version: 2), tokens]
        #expect(await stream(lease, wish: 1_000).cut == nil)
        #expect(try await rig.window(0).held == 1)
        guard case .refused = try await rig.open("b") else { throw CounterStoreContract.Unexpected.reply }
        _ = await lease.settle(.counted(inputTokens: nil))
        #expect(try await rig.window(0).held == 0)
        try await rig.store.machine.checkInvariants()
    }

    @Test("a reap frees a dead process's place, and nothing else that it held (metering.md §9, trap 3)")
    func reapedPlace() throws {
        let now = ManualClock.monday
        let runs = try Make.ref(.org("acme"), .runs, .total, cap: 1, at: now)
        let tokens = try Make.ref(.org("acme"), .tokens, .total, cap: 1_000, at: now)
        var machine = CounterMachine()
        for ref in [runs, tokens] { _ = machine.apply(.load(org: "acme", window: ref, used: 0), now: now) }
        let fixed = Amounts(requests: 1, runs: 1)
        #expect(machine.apply(try Make.open("a", path: [runs, tokens], fixed: fixed), now: now).grantedOffer == 0)
        let later = now + Milliseconds(30_001)
        _ = machine.apply(.reap(org: nil, grace: Milliseconds(0)), now: later)
        let window = try #require(machine.windows[tokens.key])
        #expect((window.held, window.suspense) == (0, 64))
        let places = try #require(machine.windows[runs.key])
        #expect((places.held, places.suspense) == (0, 0))
        #expect(machine.apply(try Make.open("b", path: [runs, tokens], fixed: fixed), now: later).grantedOffer == 0)
        _ = machine.apply(.resolve(LeaseKey(org: "acme", id: "a"), evidence: Make.spent(10)), now: later)
        #expect(machine.windows[runs.key]?.held == 1, "evidence about the dead lease frees no second place")
        try machine.checkInvariants()
    }

    @Test("a budget of one model counts and binds that model alone (complaint 16)")
    func models() async throws {
        let rig = NodeRig(budgets: [
            try Budget(scope: .org("acme"), unit: .tokens, period: .day, limit: 10_000),
            try Budget(scope: .org("acme"), model: "demo", unit: .tokens, period: .day, limit: 100),
            try Budget(scope: .org("acme"), model: "other", unit: .requests, period: .day, limit: 0),
        ])
        let lease = try await rig.admitted("a")
        let (delivered, cut) = await stream(lease, wish: 1_000)
        #expect(delivered == 90 && cut?.window?.key.model == "demo")
        _ = await lease.settle(.counted(inputTokens: nil))
        #expect(try await rig.window(0).used == 100)
        #expect(try await rig.window(1).used == 100)
        let span = WindowSpan(.day, containing: rig.clock.now())
        #expect(try await rig.ledger.sum(.org("acme"), model: "other", from: span.start, to: span.end) == LedgerSum())
        #expect(try await rig.ledger.sum(.org("acme"), model: "demo", from: span.start, to: span.end).usage.total == 100)
    }
}
