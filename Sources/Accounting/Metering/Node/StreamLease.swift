internal import Synchronization

/// What one run holds in every window of its path, spent locally and refilled ahead of need.
///
/// ``take(outputTokens:reasoning:)`` and ``awaitGrant()`` are called by one task at a time; everything else by any. State
/// is in a `Mutex` that is held for a few lines and never across an `await`; the accountant's may be taken inside it, never the other way
/// round. Exactly one ``settle(_:)`` ends the lease.
public final class StreamLease: Sendable {
    fileprivate struct State {
        var machine: LeaseMachine
        var note: (any LeaseNote)?
        var waiter: CheckedContinuation<TakeOutcome, Never>?
        var atRest: CheckedContinuation<Void, Never>?
        var settlement: Task<Settlement, Never>?
        /// How often in a row the counters were told of the lease.
        var reminders = 0
        var reading: BudgetReading
    }

    private let state: Mutex<State>
    private let accountant: Accountant
    private let clock: any AccountingClock
    let attribution: Attribution
    /// ``CounterSlot/name`` of the counters that its leases are in.
    let counters: CounterSlot
    private let isPriced: Bool
    /// The most output tokens that may be asked of the upstream when all of it was reserved; nil where slices follow.
    public let outputTokensMax: Int64?
    /// Of this admission among all of its accountant.
    let number: Int

    init(
        machine: LeaseMachine, note: (any LeaseNote)?, reading: BudgetReading, attribution: Attribution, isPriced: Bool,
        outputTokensMax: Int64?,
        accountant: Accountant, clock: any AccountingClock, number: Int
    ) {
        state = Mutex(State(machine: machine, note: note, reading: reading))
        self.attribution = attribution
        counters = machine.lease.org
        self.isPriced = isPriced
        self.outputTokensMax = outputTokensMax
        self.accountant = accountant
        self.clock = clock
        self.number = number
    }

    /// The run is admitted: from now on the prompt may be with the provider, whether or not it answers before this process dies.
    func begin() { state.withLock { $0.post() } }

    /// Pays for output before it is forwarded. Local; never waits.
    public func take(outputTokens: Int, reasoning: Bool = false) -> TakeOutcome {
        let now = clock.monotonic()
        let (outcome, start) = state.withLock { state in
            let result = state.machine.take(Int64(outputTokens), reasoning: reasoning, now: now)
            if result.outcome == .paid { state.post() }
            return result
        }
        if start { startDriver() }
        return outcome
    }

    /// Waits for the grant that the last take lacked, and completes that take: `.paid` or `.cut`.
    ///
    /// Ends when the store answers or fails, so it is bounded by the store's own deadline.
    public func awaitGrant() async -> TakeOutcome {
        await withCheckedContinuation { continuation in
            let now = clock.monotonic()
            let (ready, start) = state.withLock { state -> (TakeOutcome?, Bool) in
                if let outcome = state.complete(now: now) { return (outcome, false) }
                state.waiter = continuation
                return (nil, state.machine.needsDriver())
            }
            if let ready { continuation.resume(returning: ready) }
            if start { startDriver() }
        }
    }

    /// Ends the run at its next take, by word of an operator or a policy.
    public func cut(_ cause: CutCause) {
        let waiter = state.withLock { state in
            state.machine.end(cause)
            return state.takeWaiter()
        }
        waiter?.resume(returning: .cut(cause))
    }

    /// Trues up to what was used, and returns when the charge is in the store. The first call decides; later calls get the
    /// same answer.
    public func settle(_ usage: FinalUsage) async -> Settlement {
        let task = state.withLock { state -> Task<Settlement, Never> in
            if let task = state.settlement { return task }
            // A task of its own: the caller's may be cancelled, and a charge must be written all the same.
            let task = accountant.start { await self.performSettlement(usage) }
            state.settlement = task
            return task
        }
        return await task.value
    }

    /// Cheap; may be read with every delta.
    public var report: UsageReport {
        let machine = state.withLock { $0.machine }
        let shown = machine.run.shown
        return UsageReport(usage: shown.usage, cost: shown.cost, windows: accountant.whole(machine.windows, org: counters))
    }

    var windowKeys: [WindowKey] { state.withLock { $0.machine.path.map(\.key) } }

    // MARK: The driver

    /// Called by the accountant's loop.
    func heartbeat() {
        let now = clock.monotonic()
        if state.withLock({ $0.machine.heartbeat(now: now) }) { startDriver() }
    }

    /// One short-lived task a refill. It is not structured because `take` may not wait; `settle` waits for its end, and
    /// the machine starts no second one.
    private func startDriver() { _ = accountant.start { await self.drive() } }

    private func drive() async {
        while true {
            let now = clock.monotonic()
            let (request, atRest) = state.withLock { state -> (LeaseMachine.Request?, CheckedContinuation<Void, Never>?) in
                let request = state.machine.nextRequest(now: now)
                guard request == nil else { return (request, nil) }
                defer { state.atRest = nil }
                return (nil, state.atRest)
            }
            guard let request else {
                wakeWaiter()
                atRest?.resume()
                return
            }
            switch request {
            case .step(let step, let pause):
                if pause.rawValue > 0 { await clock.sleep(pause) } else { await refreshBudgets() }
                await send(step)
            case .roll(let fixed, let offers, let pause):
                if pause.rawValue > 0 { await clock.sleep(pause) }
                await roll(fixed: fixed, offers: offers)
            }
            wakeWaiter()
        }
    }

    private func wakeWaiter() {
        let now = clock.monotonic()
        let (waiter, outcome) = state.withLock { state -> (CheckedContinuation<TakeOutcome, Never>?, TakeOutcome?) in
            guard state.waiter != nil, let outcome = state.complete(now: now) else { return (nil, nil) }
            return (state.takeWaiter(), outcome)
        }
        if let outcome { waiter?.resume(returning: outcome) }
    }

    private func send(_ step: StepLease) async {
        let sent = clock.monotonic()
        do {
            let reply = try await accountant.apply(.step(step))
            // Counters that have forgotten the lease are told of it, and the very same step is asked again.
            if reply.isForgotten, state.withLock({ $0.mayRemind() }), await remind(reply) { return }
            let path = state.withLock { $0.machine.path }
            let answer = await accountant.judge(reply, path: path, offers: step.offers, org: counters)
            state.withLock { state in
                state.reminders = 0
                state.machine.receive(answer, sent: sent)
                state.post()
            }
            if case .granted(_, let windows, let now) = answer { accountant.foresee(windows, path: path, org: counters, now: now) }
        } catch {
            state.withLock { $0.machine.storeFailed() }
        }
    }

    /// - Returns: false when the lease is lost for good.
    private func remind(_ reply: CounterReply) async -> Bool {
        guard accountant.root != nil else { return false }
        if case .lost = reply, await !accountant.recover(org: counters) {
            state.withLock { $0.machine.storeFailed() }
            return true
        }
        switch await reclaim() {
        case .known: break
        case .settled: return false
        case .failed: state.withLock { $0.machine.storeFailed() }
        }
        return true
    }

    /// Brings the lease into the present life of the counters.
    func reclaim() async -> ClaimOutcome {
        let (claim, sequence) = state.withLock { $0.machine.reclaim() }
        return await accountant.reclaim(claim, sequence: sequence)
    }

    /// A changed cap goes to the store before the step that it should bind; a changed set of budgets makes a new lease.
    private func refreshBudgets() async {
        let edition = state.withLock { $0.reading.edition }
        guard let reading = await accountant.budgets(for: attribution.path, changedSince: edition)?.limiting(attribution.model) else {
            return
        }
        let known = state.withLock { state -> [Budget] in
            defer { state.reading = reading }
            return state.reading.budgets
        }
        let budgets = reading.budgets
        guard budgets != known else { return }
        let changed = budgets.map(\.identity) != known.map(\.identity)
        if changed {
            state.withLock { $0.machine.budgetsChanged() }
        } else {
            for budget in budgets where !known.contains(budget) { await accountant.setCap(budget, org: counters) }
        }
    }

    private func roll(fixed: Amounts, offers: [Offer]) async {
        guard let reading = await accountant.budgets(for: attribution.path)?.limiting(attribution.model) else {
            return state.withLock { $0.machine.storeFailed() }
        }
        let budgets = reading.budgets
        // A money cap that came while a model without a known price runs ends the run, as it would have refused it.
        guard isPriced || !budgets.contains(where: { $0.unit == .usd }) else {
            return state.withLock { $0.machine.rollRefused(CutCause(reason: .policyDenied)) }
        }
        let outcome = await accountant.openLease(
            attribution, reading: reading, fixed: fixed, offers: offers, shareFloor: AccountingLimits.shareFloorTokens,
            continues: true)
        switch outcome {
        case .opened(let grant, let note, _):
            let now = clock.monotonic()
            let old = state.withLock { state -> Accountant.Enlisted? in
                guard !state.machine.isAnswerVoid else { return nil }
                state.reading = reading
                var old = state.machine.reopened(grant, now: now)
                old.note = state.note
                // What the old lease does not pay, the new one does: on the board at one moment, as in the machine.
                old.note?.note(old.progress)
                state.note = note
                state.post()
                // Before the lock is left: whoever brings this lease into another life has to find the old one among the settlements.
                return accountant.enlist(old)
            }
            guard let old else { return accountant.abandon(grant.lease, note: note) }
            _ = await accountant.settle(old)
        case .denied(let cause): state.withLock { $0.machine.rollRefused(cause) }
        case .unavailable: state.withLock { $0.machine.storeFailed() }
        }
    }

    // MARK: The end

    private func performSettlement(_ usage: FinalUsage) async -> Settlement {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let (isAtRest, waiter) = state.withLock { state -> (Bool, CheckedContinuation<TakeOutcome, Never>?) in
                let isAtRest = state.machine.beginSettle()
                if !isAtRest { state.atRest = continuation }
                return (isAtRest, state.takeWaiter())
            }
            waiter?.resume(returning: .cut(CutCause(reason: .killed)))
            if isAtRest { continuation.resume() }
        }
        let (settlement, total, cost) = state.withLock { state in
            var final = state.machine.settlement(usage)
            final.settlement.note = state.note
            state.note?.note(final.settlement.progress)
            return final
        }
        let settled = await accountant.settle(settlement)
        let windows = state.withLock { state in
            state.machine.settled(settled?.windows ?? [])
            return state.machine.windows
        }
        accountant.finished(self, usage: total, cost: cost, estimated: settlement.command.spent.estimated)
        return Settlement(
            usage: total, cost: cost, estimated: settlement.command.spent.estimated, overran: settled.map { $0.overrun != .zero } ?? false,
            isRecorded: settled != nil, windows: accountant.whole(windows, org: counters))
    }
}

extension StreamLease.State {
    /// On the board before anybody hears of it.
    fileprivate func post() { note?.note(machine.progress) }

    fileprivate mutating func complete(now: Milliseconds) -> TakeOutcome? {
        let outcome = machine.completePending(now: now)
        if outcome == .paid { post() }
        return outcome
    }

    /// Counters that forget what they were just told are no counters: the lease is given up.
    fileprivate mutating func mayRemind() -> Bool {
        reminders += 1
        return reminders <= AccountingLimits.remindersMax
    }

    fileprivate mutating func takeWaiter() -> CheckedContinuation<TakeOutcome, Never>? {
        defer { waiter = nil }
        return waiter
    }
}

extension CounterReply {
    /// True when the store knows nothing of the lease, or of its org.
    fileprivate var isForgotten: Bool {
        switch self {
        case .lost, .unknownLease: true
        default: false
        }
    }
}

extension Budget {
    /// What makes it this budget and no other; its limit may change.
    fileprivate var identity: [String] { [scope.text, model ?? "", unit.rawValue, period.rawValue, zone?.name ?? "", String(generation)] }
}
