/// A stream's purse: what it holds, what it has spent, when to ask for more and when to stop. Pure.
///
/// Paid is decremented before anything is forwarded, so consumption never exceeds what the store granted (I4 of
/// metering.md §4.3). A value; ``StreamLease`` isolates it and carries out its requests, one at a time.
package struct LeaseMachine: Sendable {
    /// What the driver has to do next.
    package enum Request: Sendable, Hashable {
        /// Send after `pause`. A repeat is the very same step.
        case step(StepLease, pause: Milliseconds)
        /// A window ended or the budgets changed: open a new lease with these sizes, then settle the old one.
        case roll(fixed: Amounts, offers: [Offer], pause: Milliseconds)
    }

    /// A lease as the store opened it, in terms of the node's monotonic clock.
    package struct Grant: Sendable {
        let lease: LeaseKey
        let tokens: Int64
        /// The largest size that was offered.
        let asked: Int64
        /// What it may cost, fixed part included (nano-USD).
        let authorised: Int64
        let windows: [WindowSnapshot]
        let claim: LeaseClaim
        /// Nothing may be spent from it on: the end of the lease less the skew, or of its first window.
        let deadline: Milliseconds

        package init(
            lease: LeaseKey, tokens: Int64, asked: Int64, authorised: Int64, windows: [WindowSnapshot], claim: LeaseClaim,
            deadline: Milliseconds
        ) {
            self.lease = lease
            self.tokens = tokens
            self.asked = asked
            self.authorised = authorised
            self.windows = windows
            self.claim = claim
            self.deadline = deadline
        }
    }

    private let holder: LeaseHolder
    private let ttl: Milliseconds
    private let outputMax: Int64?
    private let sliceSeconds: Int64
    /// All of it was granted at once (mode H): nothing more is asked for, and what was granted stays good until the run is
    /// settled. What a silent node held is in suspense and not free, so spending it late overspends nothing.
    private let isReserved: Bool
    package private(set) var lease: LeaseKey
    package private(set) var windows: [WindowSnapshot]
    package private(set) var run: RunCost
    package private(set) var cut: CutCause?
    private var claim: LeaseClaim
    /// Refusals in a row that said nothing about the budget.
    private var stalls = 0
    private var deadline: Milliseconds
    package private(set) var balance: Int64
    private var authorised: Int64
    /// What the store is known to have committed of the current lease.
    private var committed = Spent.zero
    /// At this balance the next slice is asked for.
    package private(set) var lowWater: Int64
    private var sequence: Int64 = 0
    private var pending: (tokens: Int64, reasoning: Bool)?
    private var unanswered: StepLease?
    /// The counters were told of the lease while an answer was on its way: it may come from an earlier life of theirs, and what it
    /// grants is not in what they were told.
    private(set) var isAnswerVoid = false
    private var isDriven = false
    private var mustRoll = false
    private var heartbeatDue = false
    private var isEnded = false
    private var isSettling = false
    private var failures = 0
    private var denial: Denial?
    private var lastAsked: Milliseconds
    private var outputWhenAsked: Int64 = 0

    private struct Denial {
        let cause: CutCause
        /// Output of the run when the lease was denied.
        let output: Int64
    }

    package init(
        holder: LeaseHolder, ttl: Milliseconds, run: RunCost, outputMax: Int64?, isReserved: Bool = false,
        sliceSeconds: Int64 = AccountingLimits.sliceSeconds, grant: Grant, now: Milliseconds
    ) {
        self.sliceSeconds = sliceSeconds
        self.holder = holder
        self.ttl = ttl
        self.run = run
        self.outputMax = outputMax
        self.isReserved = isReserved
        lease = grant.lease
        windows = grant.windows
        claim = grant.claim
        deadline = grant.deadline
        balance = grant.tokens
        authorised = grant.authorised
        lowWater = Self.lowWater(grant.tokens, of: grant.asked)
        lastAsked = now
    }

    // MARK: Spending

    /// Pays for tokens before they are forwarded. `start` tells to run the driver.
    package mutating func take(_ tokens: Int64, reasoning: Bool, now: Milliseconds) -> (outcome: TakeOutcome, start: Bool) {
        if let cut { return (.cut(cut), false) }
        guard !isEnded else { return (.cut(CutCause(reason: .killed)), false) }
        guard tokens > 0 else { return (.paid, false) }
        if spend(tokens, reasoning: reasoning, now: now) {
            return (.paid, !isReserved && balance <= lowWater && denial == nil && startDriving())
        }
        if isReserved {
            // The engine asks for no more than was reserved; there is nothing to wait for.
            cut = CutCause(reason: .budgetExceeded)
            return (.cut(CutCause(reason: .budgetExceeded)), false)
        }
        pending = (tokens, reasoning)
        if let outcome = completePending(now: now) { return (outcome, false) }
        return (.awaitGrant, startDriving())
    }

    /// Finishes the take that lacked a grant; nil while it is worth waiting.
    package mutating func completePending(now: Milliseconds) -> TakeOutcome? {
        // Without a take there is nothing that could have been paid.
        guard let wanted = pending else { return cut.map { .cut($0) } ?? .awaitGrant }
        if cut == nil, !isEnded, spend(wanted.tokens, reasoning: wanted.reasoning, now: now) {
            pending = nil
            return .paid
        }
        if cut == nil, isEnded { cut = CutCause(reason: .killed) }
        // A lease that was denied while it still held something asks once more when it is empty: meanwhile others may have
        // given back what they did not need.
        if cut == nil, let denial, denial.output == run.output.output { cut = denial.cause }
        guard let cut else { return nil }
        pending = nil
        return .cut(cut)
    }

    private mutating func spend(_ tokens: Int64, reasoning: Bool, now: Milliseconds) -> Bool {
        guard balance >= tokens, isReserved || (now < deadline && !mustRoll) else { return false }
        balance -= tokens
        run.add(output: tokens, reasoning: reasoning)
        return true
    }

    private mutating func startDriving() -> Bool {
        guard !isDriven else { return false }
        isDriven = true
        return true
    }

    /// Half the grant, so that the next slice is there before this one is spent. Near a cap, where the store granted less
    /// than was asked and little at all, only when nothing is left: what is asked late is refused or granted once, and
    /// what others gave back meanwhile is seen.
    private static func lowWater(_ granted: Int64, of asked: Int64) -> Int64 {
        granted < asked && granted <= AccountingLimits.shareFloorTokens ? 0 : granted / 2
    }

    // MARK: Asking

    /// What to ask next; nil when the driver may stop.
    package mutating func nextRequest(now: Milliseconds) -> Request? {
        guard cut == nil, !isEnded else {
            isDriven = false
            return nil
        }
        isAnswerVoid = false
        let pause = Milliseconds(failures == 0 ? 0 : AccountingLimits.retryPause.rawValue << min(failures - 1, 3))
        if let unanswered { return .step(unanswered, pause: pause) }
        if mustRoll, committed == run.current {
            var next = run
            next.settle(run.current)
            let fixed = next.fixed
            return .roll(fixed: fixed, offers: offers(next, balance: 0, authorised: fixed.nanoUSD, now: now), pause: pause)
        }
        // Before a roll all is committed: a new window counts what the ledger holds, and that must be everything.
        let wantsRefill = !mustRoll && needsRefill(now: now)
        guard wantsRefill || heartbeatDue || mustRoll else {
            isDriven = false
            return nil
        }
        sequence += 1
        let step = StepLease(
            lease: lease, holder: holder, sequence: sequence, spent: run.current,
            offers: wantsRefill ? offers(run, balance: balance, authorised: authorised, now: now) : [], ttl: ttl)
        unanswered = step
        heartbeatDue = false
        lastAsked = now
        outputWhenAsked = run.output.output
        return .step(step, pause: Milliseconds(0))
    }

    private func needsRefill(now: Milliseconds) -> Bool {
        if isReserved { return false }
        // Denied with nothing spent since: the take that waits is cut, asking again changes nothing.
        if let denial, denial.output == run.output.output { return false }
        if let pending, pending.tokens > balance || now >= deadline { return true }
        return denial == nil && balance <= lowWater
    }

    private func offers(_ run: RunCost, balance: Int64, authorised: Int64, now: Milliseconds) -> [Offer] {
        var slice = SliceLadder.slice(tokens: run.output.output - outputWhenAsked, elapsed: now - lastAsked, seconds: sliceSeconds)
        if let outputMax { slice = min(slice, max(1, outputMax - run.output.output - balance)) }
        if let pending { slice = max(slice, pending.tokens - balance) }
        return SliceLadder.offers(largest: slice, smallest: 1, run: run, balance: balance, authorised: authorised)
    }

    /// True when a step is due only to keep the lease alive; then the driver has to run.
    package mutating func heartbeat(now: Milliseconds) -> Bool {
        guard cut == nil, !isEnded, now - lastAsked >= Milliseconds(ttl.rawValue / 3) else { return false }
        heartbeatDue = true
        return startDriving()
    }

    /// True when a take waits that nobody works for; then the driver has to run.
    package mutating func needsDriver() -> Bool { pending != nil && cut == nil && !isEnded && startDriving() }

    // MARK: Answers

    /// The answer to the outstanding step, which was sent at `sent`.
    package mutating func receive(_ reply: CounterReply, sent: Milliseconds) {
        // What is void is asked again: the very same step, which has one answer in each life.
        guard let step = unanswered, !isAnswerVoid else { return }
        unanswered = nil
        failures = 0
        committed = step.spent
        switch reply {
        case .granted(let index, let windows, let now):
            guard step.offers.indices.contains(index) else { return lose() }
            balance += step.offers[index].tokens
            authorised += step.offers[index].amounts.nanoUSD
            claim.granted = claim.granted + step.offers[index].amounts
            lowWater = Self.lowWater(step.offers[index].tokens, of: step.offers[0].tokens)
            denial = nil
            stalls = 0
            renew(windows, storeNow: now, sent: sent)
        case .denied(let window, let windows, let now) where window.isHeldBack:
            // No word about the budget. Asked again, and cut if that takes too long.
            renew(windows, storeNow: now, sent: sent)
            stalls += 1
            if pending != nil, stalls > AccountingLimits.rootRounds { cut = .unavailable }
        case .denied(let window, let windows, let now):
            denial = Denial(cause: CutCause(deniedBy: window), output: outputWhenAsked)
            renew(windows, storeNow: now, sent: sent)
        case .committed(let windows, let now): renew(windows, storeNow: now, sent: sent)
        case .wrongSpan: mustRoll = !isReserved
        case .settled, .windows, .done, .announced, .reaped, .missing, .lost, .staleFence, .staleSequence, .suspended, .unknownLease,
            .refused:
            lose()
        }
    }

    /// The store did not answer. The stream lives on what it holds; one that waits is cut at the second failure.
    package mutating func storeFailed() {
        failures += 1
        if pending != nil, failures >= 2 { cut = .unavailable }
    }

    /// The set of budgets of the path is no longer the lease's.
    mutating func budgetsChanged() { mustRoll = !isReserved }

    /// A new lease is open in place of the old one.
    ///
    /// - Returns: how the old one has to be settled.
    mutating func reopened(_ grant: Grant, now: Milliseconds) -> PendingSettlement {
        let spent = run.current
        claim.settle(spent)
        let old = PendingSettlement(
            command: SettleLease(lease: lease, holder: holder, sequence: sequence + 1, spent: spent), claim: claim)
        claim = grant.claim
        run.settle(spent)
        lease = grant.lease
        windows = grant.windows
        deadline = grant.deadline
        balance = grant.tokens
        authorised = grant.authorised
        lowWater = Self.lowWater(grant.tokens, of: grant.asked)
        sequence = 0
        committed = .zero
        denial = nil
        mustRoll = false
        failures = 0
        lastAsked = now
        outputWhenAsked = run.output.output
        return old
    }

    /// No new lease in place of the old one: the old one stays until the run settles.
    mutating func rollRefused(_ cause: CutCause) { if cut == nil { cut = cause } }

    /// An operator or a policy ends the run.
    mutating func end(_ cause: CutCause) { if cut == nil { cut = cause } }

    /// The lease is not ours any more: nothing more may be spent.
    private mutating func lose() {
        if isReserved { return }
        balance = 0
        cut = cut ?? .unavailable
    }

    private mutating func renew(_ windows: [WindowSnapshot], storeNow: Milliseconds, sent: Milliseconds) {
        self.windows = windows
        deadline = Self.deadline(windows: windows, ttl: ttl, storeNow: storeNow, sent: sent)
    }

    /// Counted from when the command was sent, which was before the store saw it: errs on the early side.
    package static func deadline(windows: [WindowSnapshot], ttl: Milliseconds, storeNow: Milliseconds, sent: Milliseconds) -> Milliseconds {
        let leaseEnd = sent + ttl - min(AccountingLimits.leaseSkew, Milliseconds(ttl.rawValue / 4))
        guard let windowEnd = windows.map(\.end).min() else { return leaseEnd }
        return min(leaseEnd, sent + (windowEnd - storeNow))
    }

    // MARK: The end

    /// Nothing is spent from now on. True when the driver is at rest, so that the lease may be settled.
    package mutating func beginSettle() -> Bool {
        isEnded = true
        return !isDriven
    }

    /// The last command of the current lease. An unanswered step needs no repeat: totals make up for it.
    package mutating func settlement(_ usage: FinalUsage) -> (settlement: PendingSettlement, usage: UsageClasses, cost: NanoUSD) {
        let final = run.final(usage)
        sequence += 1
        isSettling = true
        claim.settle(final.spent)
        let command = SettleLease(lease: lease, holder: holder, sequence: sequence, spent: final.spent)
        return (PendingSettlement(command: command, claim: claim), final.usage, final.cost)
    }

    /// For the board: what to charge if nothing more is ever heard of the run. By our own count, or, where deltas do not track what is
    /// billed, all that was reserved. A run that was admitted has its prompt.
    var progress: LeaseProgress {
        let spent: Spent =
            if isReserved {
                run.final(.assumed(UsageClasses(inputFresh: run.prompt.bound, outputVisible: outputMax ?? 0))).spent
            } else {
                run.final(.counted(inputTokens: nil)).spent
            }
        return LeaseProgress(sequence: sequence, granted: claim.granted, spent: spent)
    }

    /// What to tell counters that have forgotten the lease, and the number of the last step that counts as decided: one that
    /// is on its way will be decided anew, and its answer is void.
    mutating func reclaim() -> (claim: LeaseClaim, sequence: Int64) {
        isAnswerVoid = true
        return (claim, unanswered.map { $0.sequence - 1 } ?? (isSettling ? sequence - 1 : sequence))
    }

    /// The windows of the current lease.
    var path: [WindowRef] { claim.path }

    mutating func settled(_ windows: [WindowSnapshot]) {
        if !windows.isEmpty { self.windows = windows }
    }
}
