import Accounting

/// One simulated world, from its plan to its end. Confined to the loop's thread.
final class World: @unchecked Sendable {
    let plan: Plan
    let profile: Profile
    let loop: SimulationLoop
    let ledger: LedgerServer
    let store: StoreServer
    let network: Network
    private(set) var seats: [Seat] = []
    private(set) var runs: [SimulatedRun?]
    private(set) var budgets: BudgetTruth
    var trace: Trace
    private(set) var violation: Violation?
    private var checks = CommandChecks()
    private var openRuns: Int
    private(set) var counts = SimulationReport.Counts()
    /// Set at its making, because the witness looks at the world.
    private(set) lazy var witness = Witness(self)

    init(seed: UInt64, profile: Profile, defect: Defect?, kept: Int) {
        var planner = Planner(seed: seed, profile: profile)
        plan = planner.plan()
        self.profile = profile
        loop = SimulationLoop(now: plan.start, random: SeededGenerator(seed: seed, stream: 2))
        ledger = LedgerServer()
        store = StoreServer(
            loop, ledger: ledger, offset: plan.storeOffset, defect: defect, keepsSnapshots: profile.storeLosses > 0)
        network = Network(loop, store: store, profile: profile, timeout: plan.callTimeout)
        budgets = BudgetTruth(plan.budgets)
        trace = Trace(kept: kept)
        runs = Array(repeating: nil, count: plan.runs.count)
        openRuns = plan.runs.count
    }

    func fail(_ rule: String, _ detail: @autoclosure () -> String) {
        if violation == nil { violation = Violation(rule, detail()) }
    }

    // MARK: The course of a world

    func run() {
        store.observe = { [unowned self] in observe($0, $1, $2, $3) }
        ledger.contradicts = { [unowned self] in fail("ledger", "\($0.chargeID) came again with another content") }
        for index in 0..<plan.seats {
            let seat = Seat(index: index, offset: plan.offsets[index], drift: plan.drifts[index], budgets: plan.budgets)
            seats.append(seat)
            seat.process = NodeProcess(self, seat: seat)
        }
        for index in plan.runs.indices { loop.after(plan.runs[index].start) { [unowned self] in startRun(index) } }
        for (at, fault) in plan.faults { loop.after(at) { [unowned self] in happen(fault) } }
        pass(until: plan.start + plan.healsAt) { false }
        heal()
        let bound = plan.start + max(plan.healsAt, plan.longestRun) + 30_000
        pass(until: bound) { [unowned self] in openRuns == 0 }
        if openRuns > 0 { fail("liveness", "\(openRuns) runs have not ended \(bound - plan.start - plan.healsAt) ms after the faults") }
        // What is late is under way for a while; then silent leases have to be reaped.
        if profile.late > 0 { pass(until: loop.now + 4 * plan.callTimeout) { false } }
        pass(until: loop.now + plan.ttl * 2 + 8_000) { [unowned self] in isAtRest }
        if violation == nil { FinalChecks(self).check() }
        shutDown()
    }

    private var isAtRest: Bool {
        store.outbox.isEmpty && store.counters.machine.leases.values.allSatisfy { $0.phase != .live }
            && !store.counters.machine.leases.values.contains { $0.phase == .suspended && isOfLivingProcess($0) }
    }

    func isOfLivingProcess(_ lease: LeaseState) -> Bool {
        seats.contains { "n\($0.index)" == lease.holder.node && $0.starts == lease.holder.fence && $0.process != nil }
    }

    private func pass(until limit: Int64, _ isEnough: () -> Bool) {
        while violation == nil, !isEnough() {
            guard loop.advance(limit: limit) else { return }
        }
    }

    private func shutDown() {
        for seat in seats { kill(seat) }
        loop.drain()
    }

    func runEnded() { openRuns -= 1 }

    private func startRun(_ index: Int) {
        let wanted = seats[plan.runs[index].seat]
        guard let process = wanted.process ?? seats.lazy.compactMap(\.process).first else { return witness.ended(index, .notStarted) }
        let run = SimulatedRun(plan.runs[index], index: index, process: process)
        runs[index] = run
        run.start()
    }

    // MARK: Faults

    private func happen(_ fault: Plan.Fault) {
        counts.faults += 1
        trace.note(.fault, at: loop.now, say: "fault: \(fault)")
        switch fault {
        case .crash(let seat, let back):
            kill(seats[seat])
            loop.after(back) { [unowned self] in restart(seats[seat]) }
        case .pause(let seat, let span):
            guard let process = seats[seat].process else { return }
            process.executor.pause()
            loop.after(span) { process.executor.resume() }
        case .clockJump(let seat, let by): seats[seat].offset += by
        case .storeClockJump(let by): store.offset += by
        case .storeOutage(let span):
            store.isAway = true
            loop.after(span) { [unowned self] in store.isAway = false }
        case .ledgerOutage(let span):
            ledger.isAway = true
            loop.after(span) { [unowned self] in ledger.isAway = false }
        case .directoryOutage(let seat, let span):
            seats[seat].directoryIsAway = true
            loop.after(span) { [unowned self] in seats[seat].directoryIsAway = false }
        case .storeLoss(let all): store.lose(all: all)
        case .cap(let index, let permille):
            budgets.setCap(index, permille: permille)
            announce()
        case .add(let budget):
            budgets.add(budget)
            announce()
        case .remove(let index, let back):
            budgets.remove(index)
            announce()
            guard let back else { return }
            loop.after(back) { [unowned self] in
                budgets.restore(index)
                announce()
            }
        }
    }

    private func announce() {
        let (list, edition) = (budgets.list, budgets.edition)
        for seat in seats {
            loop.after(loop.random.integer(plan.directoryLag)) {
                guard edition > seat.edition else { return }
                (seat.budgets, seat.edition) = (list, edition)
            }
        }
    }

    private func kill(_ seat: Seat) {
        guard let process = seat.process else { return }
        seat.process = nil
        for index in runs.indices {
            guard let run = runs[index], run.process === process else { continue }
            switch witness.runs[index].ending {
            case nil:
                witness.crashed(index)
                openRuns -= 1
            case .settled(let settlement, _): if !settlement.isRecorded { witness.crashed(index) }
            case .refused, .notStarted: break
            }
        }
        process.crash()
    }

    private func restart(_ seat: Seat) {
        guard seat.process == nil else { return }
        (seat.budgets, seat.edition) = (budgets.list, budgets.edition)
        seat.process = NodeProcess(self, seat: seat)
    }

    private func heal() {
        network.heal()
        store.isAway = false
        ledger.isAway = false
        for seat in seats {
            seat.directoryIsAway = false
            restart(seat)
            seat.process?.executor.resume()
        }
    }

    // MARK: After every step

    private func observe(_ command: CounterCommand, _ reply: CounterReply, _ changes: CounterChanges, _ machine: CounterMachine) {
        counts.note(command, reply)
        trace.note(
            .command, at: loop.now, Int64(command.name.utf8.count), Int64(changes.rows.count), reply.digest,
            say: reply.isIdle ? "" : "\(command.brief) -> \(reply.brief)")
        if let found = checks.check(command, changes, machine, mayOverrun: profile.liars > 0) { fail(found.rule, found.detail) }
    }

    /// I4: what a run has taken is covered by what its leases have committed or hold.
    /// The windows that a reserved run was admitted by; none for a run that gets slices.
    func windowsHolding(_ index: Int) -> [WindowKey] {
        let run = plan.runs[index]
        guard run.isReserved else { return [] }
        return (store.leasesOfRun[run.name] ?? []).lazy.compactMap { self.store.counters.machine.leases[$0]?.path }.first ?? []
    }

    func checkPurse(of index: Int) {
        let run = plan.runs[index]
        let taken = witness.runs[index].delivered + run.prompt.bound
        let model = Plan.models[run.model]
        let cost = (witness.runs[index].delivered * model.output + run.prompt.bound * model.input + 999) / 1_000
        var covered = Amounts.zero
        for key in store.leasesOfRun[run.name] ?? [] {
            guard let lease = store.counters.machine.leases[key] else { continue }
            covered = covered + lease.held + lease.spent.amounts
        }
        guard taken <= covered.tokens, cost <= covered.nanoUSD else {
            return fail("I4", "\(run.name) has taken \(taken) tokens for \(cost) and its leases cover \(covered)")
        }
    }
}
