import Accounting

/// One run: its admission, its upstream and its end. Runs as a task of a process. Confined to the loop's thread.
final class SimulatedRun: @unchecked Sendable {
    let plan: Plan.Run
    let index: Int
    let process: NodeProcess
    private var task: Task<Void, Never>?
    private var lease: StreamLease?
    private var hasLeft = false
    private var random: SeededGenerator

    init(_ plan: Plan.Run, index: Int, process: NodeProcess) {
        self.plan = plan
        self.index = index
        self.process = process
        random = SeededGenerator(seed: process.world.loop.random.next())
    }

    private var witness: Witness { process.world.witness }

    func start() {
        guard let accountant = process.accountant else { return }
        task = process.spawn { await self.go(accountant) }
        if let (kind, after) = plan.interruption {
            process.world.loop.after(after) { self.interrupt(kind) }
        }
    }

    private func interrupt(_ kind: Plan.Interruption) {
        switch kind {
        case .disconnect: hasLeft = true
        case .cancel:
            hasLeft = true
            task?.cancel()
        case .settle:
            guard let lease, !process.isDead else { return hasLeft = true }
            hasLeft = true
            process.spawn {
                self.witness.settledEarly(self.index)
                _ = await lease.settle(.counted(inputTokens: nil))
            }
        case .kill: lease?.cut(CutCause(reason: .killed))
        }
    }

    private func go(_ accountant: Accountant) async {
        let outcome = await accountant.open(
            Admission(
                path: plan.path, run: plan.name, model: Plan.models[plan.model].name, prompt: plan.prompt, maxOutput: plan.maxOutput,
                mode: plan.isReserved ? .reserve : .slices))
        guard case .admitted(let lease) = outcome else {
            if !process.isDead { witness.ended(index, .refused(outcome)) }
            return
        }
        guard !process.isDead else { return _ = await lease.settle(.nothing) }
        self.lease = lease
        witness.admitted(index)
        let cut = await stream(lease)
        let usage = usage()
        if !process.isDead { witness.reports(index, usage) }
        let settlement = await lease.settle(usage)
        self.lease = nil
        if !process.isDead { witness.ended(index, .settled(settlement, cut)) }
    }

    private func stream(_ lease: StreamLease) async -> CutCause? {
        let clock = NodeClock(process: process)
        var sent: Int64 = 0
        var hasWaited = false
        let most = min(plan.wish, lease.outputTokensMax ?? .max, plan.maxOutput ?? .max)
        while sent < most {
            await clock.sleep(Milliseconds(random.integer(plan.gap)))
            if let wait = plan.wait, !hasWaited, sent >= wait.after {
                hasWaited = true
                await clock.sleep(Milliseconds(wait.for))
            }
            if hasLeft || process.isDead { return nil }
            let tokens = min(random.integer(plan.batch), most - sent)
            var outcome = lease.take(outputTokens: Int(tokens))
            if outcome == .awaitGrant { outcome = await lease.awaitGrant() }
            switch outcome {
            case .paid:
                sent += tokens
                if !process.isDead { witness.delivered(index, tokens) }
            case .cut(let cause): return cause
            case .awaitGrant:
                process.world.fail("awaitGrant", "\(plan.name): a wait ended without an answer")
                return nil
            }
        }
        return nil
    }

    /// What the upstream says in the end.
    private func usage() -> FinalUsage {
        let sent = witness.runs[index].delivered
        switch plan.usage {
        case .silent: return .counted(inputTokens: nil)
        case .exact: return .exact(UsageClasses(inputFresh: plan.promptTokens, outputVisible: sent))
        case .more(let more): return .exact(UsageClasses(inputFresh: plan.promptTokens, outputVisible: sent + more))
        case .less(let less): return .exact(UsageClasses(inputFresh: plan.promptTokens, outputVisible: max(0, sent - less)))
        }
    }
}
