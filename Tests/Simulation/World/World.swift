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
    /// By slot.
    private var checks: [CommandChecks]
    private var openRuns: Int
    /// What was granted to each lease in any life of the counters, by the command that asked.
    private var granted: [LeaseKey: [Int64: Amounts]] = [:]
    /// Admissions after everything has healed, to see that they are decided.
    private var probes = Probes()
    private(set) var counts = SimulationReport.Counts()
    /// Set at its making, because the witness looks at the world.
    private(set) lazy var witness = Witness(self)

    init(seed: UInt64, profile: Profile, defect: Defect?, kept: Int) {
        var planner = Planner(seed: seed, profile: profile)
        plan = planner.plan()
        self.profile = profile
        loop = SimulationLoop(now: plan.start, random: SeededGenerator(seed: seed, stream: 2))
        ledger = LedgerServer(defect)
        store = StoreServer(
            loop, ledger: ledger, offset: plan.storeOffset, defect: defect, isRooted: plan.isRooted,
            keepsSnapshots: profile.storeLosses > 0)
        network = Network(loop, store: store, profile: profile, timeout: plan.callTimeout)
        budgets = BudgetTruth(plan.budgets)
        checks = Array(repeating: CommandChecks(mayOverrun: profile.liars > 0), count: plan.slots + 1)
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
        probe()
        rest()
        if violation == nil { FinalChecks(self).check() }
        if violation == nil, plan.isRooted { testify() }
        shutDown()
    }

    private func rest() { pass(until: loop.now + plan.ttl * 2 + 8_000) { [unowned self] in isAtRest } }

    /// Whoever held something and died with its machine: somebody finds out what it had spent. Then nothing may be missing any more.
    private func testify() {
        for seat in seats {
            seat.left += seat.buried
            seat.buried = []
            seat.process?.succeed()
        }
        rest()
        probe()
        rest()
        if violation == nil { FinalChecks(self).checkEvidence(probes) }
    }

    /// A run of each path that says nothing: is it decided whether it may start?
    private func probe() {
        guard plan.isRooted else { return }
        // What slots have found of each other holds for a moment.
        if plan.slots > 0 { pass(until: loop.now + 300) { false } }
        probes = Probes()
        let paths = Set(plan.runs.map(\.path)).map { ($0.scopes.map(\.text).joined(), $0) }.sorted { $0.0 < $1.0 }
        for (_, path) in paths where violation == nil {
            guard let process = seats.lazy.compactMap(\.process).first, let accountant = process.accountant else { return }
            process.spawn { [self] in
                let outcome = await accountant.open(Admission(path: path, run: "probe", model: Plan.models[0].name, prompt: .exact(0)))
                if case .admitted(let lease) = outcome { _ = await lease.settle(.nothing) }
                probes.outcomes.append((path, outcome))
            }
            let count = probes.outcomes.count
            pass(until: loop.now + 20_000) { [unowned self] in probes.outcomes.count > count }
            if probes.outcomes.count == count { fail("liveness", "an admission after the faults is not decided") }
        }
    }

    private var isAtRest: Bool {
        store.outbox.isEmpty && seats.allSatisfy { $0.left.isEmpty && $0.process?.board?.isEmpty ?? true }
            && (isAccounted || seats.contains { !$0.buried.isEmpty })
            && store.leases.allSatisfy { $0.phase != .live && ($0.phase != .suspended || !isOfLivingProcess($0)) }
    }

    private var isAccounted: Bool {
        ledger.root.pending.isEmpty && store.windows.allSatisfy { $0.window.unaccounted == 0 }
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
        case .crash(let seat, let back, let keepsBoard):
            kill(seats[seat], keepsBoard: keepsBoard)
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
        case .storeLoss(let back): lose(back: back)
        case .rebuild: rebuild()
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

    private func lose(back: Int64?) {
        store.lose(back: back)
        for slot in checks.indices { checks[slot].lost() }
        for seat in seats {
            loop.after(loop.random.integer(plan.reconnect)) { seat.process?.reconnect() }
        }
    }

    /// As ``CounterRebuild`` does.
    private func rebuild() {
        guard !ledger.isAway, !store.isAway else { return }
        for org in ledger.root.lives.keys.sorted() {
            let before = ledger.root.lives
            let last = ledger.root.lives[org]?.epoch.number ?? 0
            let between = ledger.root.seal(org, "rebuilt", after: last)
            let life = ledger.root.seal(org, store.incarnation, after: between.epoch.number)
            observeRoot(before)
            _ = store.apply(.begin(org: org, life.epoch), for: store.incarnation)
        }
    }

    private func kill(_ seat: Seat, keepsBoard: Bool = true) {
        guard let process = seat.process else { return }
        seat.process = nil
        for index in runs.indices {
            guard let run = runs[index], run.process === process else { continue }
            switch witness.runs[index].ending {
            case nil:
                witness.crashed(index)
                openRuns -= 1
            case .settled(let settlement, _):
                // What the ledger does not have yet is not known any more if the store should lose it, too.
                let isUnproven = !keepsBoard && profile.storeLosses > 0 && process.board?.has(plan.runs[index].name) == true
                if !settlement.isRecorded || isUnproven { witness.crashed(index) }
            case .refused, .notStarted: break
            }
        }
        process.crash(keepsBoard: keepsBoard)
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
            seat.process?.reconnect()
        }
    }

    // MARK: After every step

    private func observe(_ command: CounterCommand, _ reply: CounterReply, _ changes: CounterChanges, _ machine: CounterMachine) {
        counts.note(command, reply)
        trace.note(
            .command, at: loop.now, Int64(command.name.utf8.count), Int64(changes.rows.count), reply.digest,
            say: reply.isIdle ? "" : "\(command.brief) -> \(reply.brief)")
        note(command, reply)
        let slot = command.org?.index ?? 0
        if let found = checks[slot].check(command, reply, changes, machine, budgets) { fail(found.rule, found.detail) }
        if plan.isRooted, !changes.windows.isEmpty { checkReleases(changes.windows, machine, slot: slot) }
    }

    /// The windows that a reserved run was admitted by; none for a run that gets slices.
    func windowsHolding(_ index: Int) -> [WindowKey] {
        let run = plan.runs[index]
        guard run.isReserved else { return [] }
        return (store.leasesOfRun[run.name] ?? []).lazy.compactMap { self.store.counters.lease($0)?.path }.first ?? []
    }

    /// The root has done something.
    func observeRoot(_ before: [CounterSlot: EpochState]) {
        guard before != ledger.root.lives else { return }
        for (org, life) in ledger.root.lives.sorted(by: { $0.key < $1.key }) where before[org] != life {
            trace.note(
                .root, at: loop.now, life.epoch.number, life.isCleared ? 1 : 0,
                say: "life \(life.epoch.number) of \(org) is in \(life.epoch.incarnation)\(life.isCleared ? ", cleared" : "")")
        }
    }

    private func note(_ command: CounterCommand, _ reply: CounterReply) {
        guard case .granted(let offer, _, _) = reply else { return }
        switch command {
        case .open(let open): granted[open.lease, default: [:]][0] = open.fixed + open.offers[offer].amounts
        case .step(let step): granted[step.lease, default: [:]][step.sequence] = step.offers[offer].amounts
        default: break
        }
    }

    /// I1: the counters have no more than the root released, and that is no more than the cap.
    private func checkReleases(_ windows: Set<WindowKey>, _ machine: CounterMachine, slot: Int) {
        for key in windows {
            guard let window = machine.windows[key] else { continue }
            let released = ledger.root.released(key, slot: slot)
            let cap = budgets.highest[BudgetTruth.name(key.scope, key.unit, key.period)] ?? 0
            guard window.released <= released.here, released.all <= cap else {
                return fail("I1", "\(key.text): the counters have \(window.released), the root released \(released) of \(cap)")
            }
        }
    }

    /// I4: what a run has taken is covered by what its leases were granted, and by what they have committed or hold.
    func checkPurse(of index: Int) {
        let run = plan.runs[index]
        let taken = witness.runs[index].delivered + run.prompt.bound
        let model = Plan.models[run.model]
        let cost = (witness.runs[index].delivered * model.output + run.prompt.bound * model.input + 999) / 1_000
        var covered = Amounts.zero
        for key in store.leasesOfRun[run.name] ?? [] {
            // Counters that have lost data know of a lease again when its holder has noticed.
            if profile.storeLosses > 0 {
                for amounts in granted[key, default: [:]].values { covered = covered + amounts }
            } else if let lease = store.counters.lease(key) {
                covered = covered + lease.held + lease.spent.amounts
            }
        }
        guard taken <= covered.tokens, cost <= covered.nanoUSD else {
            return fail("I4", "\(run.name) has taken \(taken) tokens for \(cost) and its leases cover \(covered)")
        }
    }
}

/// What became of admissions after everything has healed.
struct Probes { var outcomes: [(path: TenancyPath, outcome: AdmissionOutcome)] = [] }
