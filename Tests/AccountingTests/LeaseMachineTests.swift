import Testing

@testable import Accounting

@Suite("Lease machine: the stream's purse")
struct LeaseMachineTests {
    let t0 = Milliseconds(1_000_000)
    let price = ModelPrice(inputFresh: PicoUSD(1_000), outputVisible: PicoUSD(2_000))

    func window(used: Int64 = 0, held: Int64 = 0, cap: Int64 = 1_000) throws -> WindowSnapshot {
        let ref = try Make.ref(.org("acme"), .tokens, .total, cap: cap, at: ManualClock.monday)
        return WindowSnapshot(key: ref.key, cap: cap, used: used, held: held, suspense: 0, end: ref.end)
    }

    func machine(tokens: Int64 = 64, prompt: PromptTokens = .exact(10), deadline: Int64 = 28_000, max: Int64? = nil) throws -> LeaseMachine
    {
        LeaseMachine(
            holder: Make.holder, ttl: Milliseconds(30_000), run: RunCost(pricing: ModelPricing(price), prompt: prompt), outputMax: max,
            grant: LeaseMachine.Grant(
                lease: LeaseKey(org: "acme", id: "l1"), tokens: tokens, asked: tokens, authorised: (prompt.bound + 2 * tokens),
                windows: [try window()], claim: try claim("l1", tokens), deadline: t0 + Milliseconds(deadline)),
            now: t0)
    }

    func claim(_ lease: String, _ tokens: Int64) throws -> LeaseClaim {
        LeaseClaim(
            lease: LeaseKey(org: "acme", id: lease), attribution: try Make.attribution(),
            path: [try Make.ref(.org("acme"), .tokens, .total, cap: 1_000, at: ManualClock.monday)], granted: Amounts(tokens: tokens))
    }

    func step(_ request: LeaseMachine.Request?) throws -> StepLease {
        guard case .step(let step, _) = request else { throw CounterStoreContract.Unexpected.reply }
        return step
    }

    @Test("tokens are paid from the grant, and a refill starts at half of it, once")
    func lowWater() throws {
        var machine = try machine()
        for taken in 1...31 {
            let (outcome, start) = machine.take(1, reasoning: false, now: t0)
            #expect(outcome == .paid && !start, "after \(taken)")
        }
        #expect(machine.take(1, reasoning: false, now: t0).start)
        #expect(!machine.take(1, reasoning: false, now: t0).start)
        let step = try step(machine.nextRequest(now: t0 + Milliseconds(500)))
        #expect(step.sequence == 1)
        #expect(step.spent == Spent(nanoUSD: 10 + 66, usage: UsageClasses(inputFresh: 10, outputVisible: 33), requests: 1))
        // 33 tokens in half a second: two seconds of that are 132.
        #expect(step.offers.map(\.tokens) == [132, 66, 33, 16, 8, 4, 2, 1])
        #expect(step.offers.map(\.amounts.nanoUSD) == [264, 132, 66, 32, 16, 8, 4, 2])
    }

    @Test("a lease that is being settled is claimed as before its last command, and for no more than it spent")
    func claimWhileSettling() throws {
        var machine = try machine()
        _ = machine.take(40, reasoning: false, now: t0)
        let before = machine.reclaim()
        #expect(before.claim.granted == Amounts(tokens: 64) && before.sequence == 0)
        let settlement = machine.settlement(.counted(inputTokens: 10)).settlement
        #expect(settlement.command.sequence == 1)
        let after = machine.reclaim()
        #expect(after.sequence == 0, "the settlement itself is decided anew")
        #expect(settlement.claim?.granted.tokens == 50 && after.claim == settlement.claim)
    }

    @Test("an answer from before the counters were told of the lease is void: the same step is asked again")
    func voidAnswer() throws {
        var machine = try machine(tokens: 4)
        #expect(machine.take(4, reasoning: false, now: t0).start)
        let asked = try step(machine.nextRequest(now: t0))
        let claim = machine.reclaim()
        #expect(claim.sequence == asked.sequence - 1 && claim.claim.granted.tokens == 4)
        machine.receive(.granted(offer: 0, windows: [], now: t0), sent: t0)
        #expect(machine.take(1, reasoning: false, now: t0).outcome == .awaitGrant, "what the earlier life granted is not spent")
        let again = try step(machine.nextRequest(now: t0))
        #expect(again == asked)
        machine.receive(.granted(offer: 0, windows: [], now: t0), sent: t0)
        #expect(machine.completePending(now: t0) == .paid)
        #expect(machine.reclaim().claim.granted.tokens == 4 + asked.offers[0].tokens)
    }

    @Test("an empty purse waits for the grant and then pays exactly the take that waited")
    func waits() throws {
        var machine = try machine(tokens: 2)
        #expect(machine.take(2, reasoning: false, now: t0).outcome == .paid)
        let (outcome, _) = machine.take(5, reasoning: false, now: t0)
        #expect(outcome == .awaitGrant)
        #expect(machine.completePending(now: t0) == nil)
        let step = try step(machine.nextRequest(now: t0))
        machine.receive(.granted(offer: step.offers.count - 1, windows: [try window()], now: ManualClock.monday), sent: t0)
        #expect(machine.completePending(now: t0) == nil, "one token is not five")
        let next = try self.step(machine.nextRequest(now: t0))
        machine.receive(.granted(offer: 0, windows: [try window()], now: ManualClock.monday), sent: t0)
        #expect(next.sequence == 2)
        #expect(machine.nextRequest(now: t0) == nil, "the purse holds enough for the take that waits")
        #expect(machine.completePending(now: t0) == .paid)
        #expect(machine.run.output.output == 7)
        #expect(machine.completePending(now: t0) == .awaitGrant, "a take is paid once")
    }

    @Test("a denial lets the stream spend what it holds, asks once more when it is empty, then cuts")
    func denial() throws {
        var machine = try machine(tokens: 10)
        for _ in 0..<5 { _ = machine.take(1, reasoning: false, now: t0) }
        _ = try step(machine.nextRequest(now: t0))
        let full = try window(used: 900, held: 100)
        machine.receive(.denied(by: full, windows: [full], now: ManualClock.monday), sent: t0)
        #expect(machine.nextRequest(now: t0) == nil)
        for _ in 0..<5 { #expect(machine.take(1, reasoning: false, now: t0).outcome == .paid) }
        let (outcome, start) = machine.take(1, reasoning: false, now: t0)
        #expect(outcome == .awaitGrant && start)
        _ = try step(machine.nextRequest(now: t0))
        machine.receive(.denied(by: full, windows: [full], now: ManualClock.monday), sent: t0)
        #expect(machine.nextRequest(now: t0) == nil, "a final refusal is not asked again before the take hears of it")
        #expect(machine.completePending(now: t0) == .cut(CutCause(deniedBy: full)))
        #expect(machine.take(1, reasoning: false, now: t0).outcome == .cut(CutCause(deniedBy: full)))
        #expect(machine.run.output.output == 10)
    }

    @Test("after a grant that was cut short near a cap the next slice is asked for only when nothing is left")
    func nearCap() throws {
        var machine = try machine(tokens: 8)
        for _ in 0..<4 { _ = machine.take(1, reasoning: false, now: t0) }
        _ = try step(machine.nextRequest(now: t0))
        machine.receive(.granted(offer: 7, windows: [try window()], now: ManualClock.monday), sent: t0)
        #expect(machine.nextRequest(now: t0) == nil)
        for _ in 0..<11 { #expect(!machine.take(1, reasoning: false, now: t0).start) }
        #expect(machine.take(1, reasoning: false, now: t0).start)
        let step = try step(machine.nextRequest(now: t0))
        #expect(step.spent.usage.output == 16)
        let full = try window(used: 1_000)
        machine.receive(.denied(by: full, windows: [full], now: ManualClock.monday), sent: t0)
        #expect(machine.take(1, reasoning: false, now: t0).outcome == .cut(CutCause(deniedBy: full)), "no second question")
    }

    @Test("an unanswered step is repeated word for word")
    func repeats() throws {
        var machine = try machine(tokens: 8)
        for _ in 0..<4 { _ = machine.take(1, reasoning: false, now: t0) }
        let first = try step(machine.nextRequest(now: t0))
        machine.storeFailed()
        _ = machine.take(1, reasoning: false, now: t0)
        guard case .step(let second, let pause) = machine.nextRequest(now: t0) else { throw CounterStoreContract.Unexpected.reply }
        #expect(second == first)
        #expect(pause == AccountingLimits.retryPause)
    }

    @Test("without the store the stream lives on what it holds, then is cut as unavailable")
    func storeGone() throws {
        var machine = try machine(tokens: 8)
        for _ in 0..<4 { _ = machine.take(1, reasoning: false, now: t0) }
        _ = machine.nextRequest(now: t0)
        for _ in 0..<5 {
            machine.storeFailed()
            _ = machine.nextRequest(now: t0)
        }
        for _ in 0..<4 { #expect(machine.take(1, reasoning: false, now: t0).outcome == .paid) }
        #expect(machine.take(1, reasoning: false, now: t0).outcome == .awaitGrant)
        machine.storeFailed()
        #expect(machine.completePending(now: t0) == .cut(.unavailable))
    }

    @Test("a take whose grant ran out before it was collected is asked for again")
    func lateCollector() throws {
        var machine = try machine(tokens: 1)
        _ = machine.take(2, reasoning: false, now: t0)
        _ = try step(machine.nextRequest(now: t0))
        machine.receive(.granted(offer: 0, windows: [try window()], now: ManualClock.monday), sent: t0)
        #expect(machine.nextRequest(now: t0) == nil)
        let late = t0 + Milliseconds(28_000)
        #expect(machine.completePending(now: late) == nil)
        let start = machine.needsDriver()
        #expect(start)
        #expect(try step(machine.nextRequest(now: late)).sequence == 2)
    }

    @Test("nothing is spent from a lease that may have been reaped")
    func expiry() throws {
        var machine = try machine(tokens: 64, deadline: 28_000)
        #expect(machine.take(1, reasoning: false, now: t0 + Milliseconds(27_999)).outcome == .paid)
        #expect(machine.take(1, reasoning: false, now: t0 + Milliseconds(28_000)).outcome == .awaitGrant)
        _ = try step(machine.nextRequest(now: t0 + Milliseconds(28_001)))
        machine.receive(.suspended, sent: t0 + Milliseconds(28_001))
        #expect(machine.completePending(now: t0 + Milliseconds(28_002)) == .cut(.unavailable))
    }

    @Test("a slow stream keeps its lease alive by heartbeats without offers")
    func heartbeat() throws {
        var machine = try machine()
        let early = machine.heartbeat(now: t0 + Milliseconds(9_999))
        let due = machine.heartbeat(now: t0 + Milliseconds(10_000))
        #expect(!early && due)
        let step = try step(machine.nextRequest(now: t0 + Milliseconds(10_000)))
        #expect(step.offers.isEmpty)
        machine.receive(.committed(windows: [try window()], now: ManualClock.monday), sent: t0 + Milliseconds(10_000))
        #expect(machine.nextRequest(now: t0 + Milliseconds(10_000)) == nil)
        #expect(machine.take(1, reasoning: false, now: t0 + Milliseconds(37_999)).outcome == .paid)
    }

    @Test("a rolled window opens a new lease and settles the old one; cost is rounded once over both")
    func rolls() throws {
        var machine = try machine(tokens: 4, prompt: .atMost(100))
        for _ in 0..<3 { _ = machine.take(1, reasoning: false, now: t0) }
        _ = try step(machine.nextRequest(now: t0))
        machine.receive(.wrongSpan(now: ManualClock.monday), sent: t0)
        #expect(machine.take(1, reasoning: false, now: t0).outcome == .awaitGrant, "the old window's balance is not spent in the new one")
        guard case .roll(let fixed, let offers, _) = machine.nextRequest(now: t0) else { throw CounterStoreContract.Unexpected.reply }
        #expect(offers.last == Offer(tokens: 1, amounts: Amounts(nanoUSD: 2, tokens: 1, outputTokens: 1)))
        #expect(
            fixed == Amounts(nanoUSD: 100, tokens: 100, requests: 0, inputTokens: 100, runs: 1),
            "the prompt is still to be paid, the request is not")
        let old = machine.reopened(
            LeaseMachine.Grant(
                lease: LeaseKey(org: "acme", id: "l2"), tokens: 8, asked: 8, authorised: 116, windows: [try window()],
                claim: try claim("l2", 8),
                deadline: t0 + Milliseconds(28_000)), now: t0)
        #expect(old.command.lease.id == "l1")
        #expect(old.command.spent == Spent(nanoUSD: 6, usage: UsageClasses(outputVisible: 3), requests: 1))
        #expect(machine.completePending(now: t0) == .paid)
        let final = machine.settlement(.exact(UsageClasses(inputFresh: 50, outputVisible: 4)))
        #expect(final.settlement.command.lease.id == "l2")
        #expect(final.settlement.command.spent == Spent(nanoUSD: 52, usage: UsageClasses(inputFresh: 50, outputVisible: 1), requests: 0))
        #expect(final.cost == NanoUSD(58))
    }

    @Test("usage that the provider did not report is charged as counted, and said to be an estimate")
    func counted() throws {
        var machine = try machine(prompt: .atMost(100))
        _ = machine.take(5, reasoning: true, now: t0)
        let final = machine.settlement(.counted(inputTokens: nil))
        #expect(final.settlement.command.spent.estimated)
        #expect(final.usage == UsageClasses(inputFresh: 100, outputReasoning: 5))
        #expect(final.cost == NanoUSD(110))
    }

    @Test("nonsense from a provider is bounded, not believed")
    func nonsense() throws {
        var machine = try machine()
        let final = machine.settlement(.exact(UsageClasses(inputFresh: -5, outputVisible: .max)))
        #expect(final.settlement.command.spent.isValid)
        #expect(final.usage.inputFresh == 0)
    }

    @Test("the ladder halves down to one and stays within the limit of offers")
    func ladder() {
        let run = RunCost(pricing: ModelPricing(price), prompt: .exact(10))
        func sizes(_ largest: Int64, _ smallest: Int64) -> [Int64] {
            SliceLadder.offers(largest: largest, smallest: smallest, run: run, balance: 0, authorised: 10).map(\.tokens)
        }
        #expect(sizes(1, 1) == [1])
        #expect(sizes(100, 20) == [100, 50, 25, 20])
        #expect(sizes(100_000_000, 1).count == AccountingLimits.offers)
        #expect(sizes(100_000_000, 1).last == 1)
    }

    @Test("slices are rounded up once together, not once each")
    func roundsOnce() {
        let run = RunCost(pricing: ModelPricing(ModelPrice(inputFresh: .zero, outputVisible: PicoUSD(300))), prompt: .exact(0))
        var authorised: Int64 = 0
        for taken in 0..<100 {
            authorised +=
                SliceLadder.offers(largest: 1, smallest: 1, run: run, balance: Int64(taken), authorised: authorised)[0].amounts.nanoUSD
        }
        #expect(authorised == 30)
    }

    @Test("warnings are given at 50, 80 and 95 per cent", arguments: [(499, nil), (500, 50), (799, 50), (800, 80), (950, 95), (1_200, 95)])
    func warnings(used: Int64, level: Int?) throws {
        #expect(UsageReport(usage: .zero, cost: .zero, windows: [try window(used: used)]).warning == level)
    }
}
