import Accounting
import Synchronization
import Testing

@Suite("Mode H: all is held at once, and stays good until it is settled (metering.md §4.2)")
struct ReservedLeaseTests {
    private func rig(cap: Int64 = 1_000, period: Period = .day) throws -> NodeRig {
        NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: period, limit: cap)])
    }

    private func open(_ rig: NodeRig, most: Int64, least: Int64, run: String = "a", countsRequest: Bool = true) async throws -> StreamLease?
    {
        let outcome = await rig.accountant.open(
            Admission(
                path: try Make.path(), run: run, model: "demo", prompt: .exact(10), maxOutput: most, minimumOutput: least, mode: .reserve,
                countsRequest: countsRequest))
        guard case .admitted(let lease) = outcome else { return nil }
        return lease
    }

    @Test("a wish that must not be lowered is held whole or refused (complaint 4: admitted on partial headroom)")
    func allOrNothing() async throws {
        let rig = try rig()
        #expect(try await open(rig, most: 991, least: 991) == nil)
        let lease = try #require(try await open(rig, most: 990, least: 990))
        #expect(lease.outputTokensMax == 990)
        #expect(try await rig.window(0).held == 1_000)
        _ = await lease.settle(.nothing)
        #expect(try await rig.window(0).held == 0)
    }

    @Test("nothing is asked of the store while it streams, and more than was held is never paid")
    func noRefill() async throws {
        let rig = try rig()
        let lease = try #require(try await open(rig, most: 200, least: 200))
        let calls = rig.switchable.calls
        let (delivered, cut) = await stream(lease, wish: 300)
        #expect(delivered == 200 && cut?.reason == .budgetExceeded)
        #expect(rig.switchable.calls == calls)
        #expect(await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 200))).usage.total == 210)
    }

    @Test("neither the end of its window, nor a store that is away, nor a new budget cuts it: it was paid before it began")
    func isNeverCut() async throws {
        let rig = try rig(period: .minute)
        let lease = try #require(try await open(rig, most: 300, least: 300))
        let window = rig.directory.list[0].window(at: rig.clock.now()).key
        #expect(await stream(lease, wish: 100).delivered == 100)
        rig.clock.advance(Milliseconds(40_000))
        await rig.accountant.tick()
        rig.clock.advance(Milliseconds(40_000))
        rig.directory.list = [
            try Budget(scope: .org("acme"), unit: .tokens, period: .minute, limit: 1_000),
            try Budget(scope: .org("acme"), unit: .usd, period: .total, limit: 1),
        ]
        await rig.accountant.tick()
        rig.switchable.isDown.withLock { $0 = true }
        rig.clock.advance(Milliseconds(40_000))
        await rig.accountant.tick()
        #expect(await stream(lease, wish: 200).delivered == 200)
        rig.switchable.isDown.withLock { $0 = false }
        #expect(await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 300))).isRecorded)
        let machine = await rig.store.machine
        let first = try #require(machine.windows[window])
        #expect(first.used == 310 && first.held == 0 && first.suspense == 0)
        #expect(throws: Never.self) { try machine.checkInvariants() }
    }

    @Test("what nobody can say is charged at its bound and marked estimated, within what was held")
    func assumed() async throws {
        let rig = try rig()
        let lease = try #require(try await open(rig, most: 500, least: 500))
        _ = await stream(lease, wish: 3)
        let settled = await lease.settle(.assumed(UsageClasses(inputFresh: 10, outputVisible: 3, outputReasoning: 497)))
        #expect(settled.usage.total == 510 && settled.estimated && !settled.overran)
    }

    @Test("attempts of one run have leases of their own and count one request")
    func oneRequest() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .requests, period: .day, limit: 1)])
        let first = try #require(try await open(rig, most: 50, least: 50))
        _ = await first.settle(.nothing)
        let second = try #require(try await open(rig, most: 50, least: 50, countsRequest: false))
        _ = await second.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 5)))
        #expect(try await rig.window(0).used == 1)
        #expect(try await open(rig, most: 50, least: 50, run: "b") == nil)
        let sum = try await rig.ledger.sum(.org("acme"), from: Milliseconds(0), to: WindowSpan.never)
        #expect(sum.requests == 1 && sum.usage.total == 15)
    }
}
