import Accounting
import Synchronization
import Testing

@Suite("Complaints about others (metering.md §2) that no other test of Accounting tells of")
struct ComplaintTests {
    @Test(
        "a spent window stays spent however often it is asked, and begins anew at its end (complaints 24, 25; 34: no refill by drops)",
        arguments: [(MeterUnit.tokens, Period.minute), (.usd, .day), (.usd, .week), (.usd, .month), (.tokens, .month)])
    func windowsEnd(unit: MeterUnit, period: Period) async throws {
        let start = WindowSpan(period, containing: ManualClock.monday).start
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: unit, period: period, limit: 200)], at: start)
        func spendAll(_ run: String) async throws -> Int {
            let lease = try await rig.admitted(run)
            let delivered = await stream(lease, wish: 10_000).delivered
            _ = await lease.settle(.counted(inputTokens: nil))
            return delivered
        }
        let first = try await spendAll("first")
        #expect(first > 0)
        let end = WindowSpan(period, containing: start).end
        for part in 0...20 {
            let at = part == 20 ? end - Milliseconds(1) : start + Milliseconds((end - start).rawValue * Int64(part) / 20)
            rig.clock.advance(at - rig.clock.now())
            await rig.accountant.tick()
            guard case .refused(let cause) = try await rig.open("again\(part)") else {
                Issue.record("let in after \(part) twentieths")
                continue
            }
            #expect(cause.resetsAt == end)
        }
        rig.clock.advance(Milliseconds(1))
        #expect(try await spendAll("next") == first, "all of it is there again, at once")
    }

    @Test("without max_tokens a run holds one slice, in mode H 4,096 tokens, and of that nothing is left when it has ended (complaint 21)")
    func noLimit() async throws {
        for (mode, output) in [(Admission.Mode.slices, Int64(64)), (.reserve, 4_096)] {
            let rig = NodeRig(budgets: [
                try Budget(scope: .org("acme"), unit: .tokens, period: .month, limit: 1_000_000),
                try Budget(scope: .org("acme"), unit: .usd, period: .month, limit: 2_000_000_000_000),
            ])
            var leases: [StreamLease] = []
            for run in 0..<20 {
                guard case .admitted(let lease) = try await rig.open("run\(run)", mode: mode) else {
                    throw CounterStoreContract.Unexpected.reply
                }
                leases.append(lease)
            }
            #expect(try await rig.window(0).held == 20 * (10 + output))
            for lease in leases { _ = await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 3))) }
            for index in 0...1 {
                let window = try await rig.window(index)
                let spent = try await rig.ledger.sum(.org("acme"), from: Milliseconds(0), to: WindowSpan.never).amounts
                #expect(window.held == 0 && window.used == spent[window.key.unit] && window.used > 0)
            }
        }
    }

    @Test("settlements that wait for the store are bounded; those beyond it stay counted, in suspense (complaint 30: killed for memory)")
    func boundedSettlements() async throws {
        let rig = NodeRig(budgets: [try Budget(scope: .org("acme"), unit: .tokens, period: .month, limit: 10_000)])
        let metrics = PendingGauge()
        let accountant = rig.another(LeaseHolder(node: "n2", fence: 1), metrics: metrics, pendingSettlements: 3)
        var leases: [StreamLease] = []
        for run in 0..<5 {
            guard case .admitted(let lease) = await accountant.open(try rig.admission("run\(run)")) else {
                throw CounterStoreContract.Unexpected.reply
            }
            #expect(await stream(lease, wish: 10).delivered == 10)
            leases.append(lease)
        }
        rig.switchable.isDown.withLock { $0 = true }
        for lease in leases {
            #expect(await lease.settle(.exact(UsageClasses(inputFresh: 10, outputVisible: 10))).isRecorded == false)
        }
        #expect(metrics.most.withLock { $0 } == 3)
        rig.switchable.isDown.withLock { $0 = false }
        await accountant.tick()
        rig.clock.advance(AccountingLimits.leaseTTL + AccountingLimits.reapGrace + Milliseconds(1))
        await accountant.tick()
        let window = try await rig.window(0)
        #expect((window.used, window.held, window.suspense) == (3 * 20, 0, 2 * 74))
    }
}

/// The most settlements that were ever said to wait.
private final class PendingGauge: AccountingMetrics {
    let most = Mutex(0)

    func counterOperation(_ name: String, failed: Bool) {}
    func charged(model: String, usage: UsageClasses, cost: NanoUSD, estimated: Bool) {}
    func settlementsPending(_ count: Int) { most.withLock { $0 = max($0, count) } }
}
