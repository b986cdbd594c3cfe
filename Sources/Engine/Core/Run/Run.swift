internal import Synchronization

/// One run at work: executes what ``RunStateMachine`` decides.
///
/// The run's own task is never cancelled and therefore always settles. Below it are the pump's, which reads the upstream and is
/// cancelled to close it, and between two rounds one for each tool call. The machine is in a short `Mutex`, because clients and
/// operators ask for the end from other threads; everything else belongs to the one task that is running.
final class Run: Sendable {
    private struct Control {
        var machine: RunStateMachine
        var audience: Audience
        /// The newest attempt.
        var attempt: Attempt
        /// What the settled attempts were charged for; the newest is one of them when `isSettled`.
        var settled = SettledUsage.nothing
        var isSettled = false
        /// Ends what the run's task waits for: the upstream, the pause before the next attempt, the tools.
        var stop: (@Sendable () -> Void)?
        var deliveredTokens = 0
        /// The first of the server's tools that are under way.
        var tool: String?
        /// When the end was decided, for the latency of a cut.
        var endDecidedAt: Int64?
        /// The grace after which the run would have been given up, but for the bill of the call that was under way.
        var postponed: Int?
    }

    struct PumpResult: Sendable {
        let event: RunStateMachine.Event
        let tally: RunTally
    }

    /// What the coordinator gives each run.
    struct Parts: Sendable {
        let handle: RunHandle
        let first: Attempt
        let opener: AttemptOpener
        let plan: AttemptPlan
        let userText: String
        /// The server's tools; nil where every tool is the client's.
        let tools: RunTools?
        let onClientLoss: RunRequest.ClientLossPolicy
        let conversations: any ConversationStore
        let clock: any EngineClock
        let metrics: any EngineMetrics
        let limits: EngineLimits
        /// ``EngineClock/nowNanoseconds`` at ``RunHandle/startedAt``.
        let startedNanoseconds: Int64
        /// Nil for a run that is not traced.
        let trace: RunTrace?
    }

    let parts: Parts
    /// What the progress of the run's tools may still occupy in the log. In a `Mutex`, because tools tell from any thread.
    let toolProgressLeft: Mutex<Int>
    private let control: Mutex<Control>

    init(_ parts: Parts) {
        self.parts = parts
        toolProgressLeft = Mutex(parts.limits.toolProgressBytesPerRunMax)
        control = Mutex(
            Control(
                machine: RunStateMachine(plan: parts.plan), audience: Audience(parts.onClientLoss), attempt: parts.first))
    }

    var log: RunLog { parts.handle.log }

    // MARK: From any thread

    /// Asks for the end.
    ///
    /// - Returns: false when another ending was decided before.
    func requestEnd(_ ending: RunEnding) -> Bool {
        let now = parts.clock.nowNanoseconds
        let (isFirst, stop) = control.withLock { control -> (Bool, (@Sendable () -> Void)?) in
            guard !control.machine.isEnding else { return (false, nil) }
            control.endDecidedAt = now
            let actions = control.machine.handle(.endRequested(ending))
            return (true, actions.contains(.stopUpstream) ? control.stop : nil)
        }
        stop?()
        return isFirst
    }

    var live: LiveRun {
        let (state, tokens, tool) = control.withLock { ($0.machine.state, $0.deliveredTokens, $0.tool) }
        return LiveRun(handle: parts.handle, state: state, deliveredTokens: tokens, tool: tool, report: report())
    }

    /// Tells operators which tool the run waits for; nil: none.
    func works(on tool: String?) { control.withLock { $0.tool = tool } }

    var attempt: Attempt { control.withLock { $0.attempt } }

    /// What all attempts have used so far.
    func report() -> UsageReport {
        let (attempt, settled, isSettled) = control.withLock { ($0.attempt, $0.settled, $0.isSettled) }
        let report = attempt.lease.report()
        guard isSettled else { return report.adding(settled) }
        return UsageReport(
            inputTokens: settled.inputTokens, outputTokens: settled.outputTokens, costUSD: settled.costUSD, windows: report.windows,
            warning: report.warning)
    }

    /// Feeds the machine; `tokens` were paid with the event.
    func handle(_ event: RunStateMachine.Event, tokens: Int = 0) -> [RunStateMachine.Action] {
        control.withLock {
            $0.deliveredTokens += tokens
            return $0.machine.handle(event)
        }
    }

    /// The `ts` of an event at `nanoseconds`: wall time at the start plus monotonic time since, so it never goes back.
    func timestamp(_ nanoseconds: Int64) -> Int64 {
        parts.handle.startedAt + (nanoseconds - parts.startedNanoseconds) / 1_000_000
    }

    func append(_ body: RunEventBody) {
        log.append(body, at: timestamp(parts.clock.nowNanoseconds))
    }

    // MARK: The run's task

    /// What the run's task keeps from one attempt to the next.
    struct Course: Sendable {
        var tally = RunTally()
        var opener: AttemptOpener
        var budget: ToolBudget
    }

    /// Runs from the announcement to the terminal event. Called once; does not react to cancellation.
    func perform() async {
        var course = Course(opener: parts.opener, budget: ToolBudget(parts.limits))
        var pending = handle(.begin)
        while !pending.isEmpty {
            switch pending.removeFirst() {
            case .announce: announce()
            case .callUpstream:
                let result = await runPump(course.tally)
                course.tally = result.tally
                pending += handle(result.event)
            case .retry(let step, let error):
                await abandon(for: step, after: error, course.tally)
                course.tally = course.tally.nextAttempt()
                pending += handle(await openNext(step, course.opener))
            case .callTools: pending += handle(.toolsAnswered(await callTools(&course)))
            case .openRound(let step): pending += handle(await openNext(step, course.opener))
            case .settle(let ending):
                let settled = await settle(ending, course.tally)
                pending += handle(.settled(settled))
            case .conclude(let ending, let settled): conclude(ending, settled, course.tally)
            case .append, .awaitGrant, .stopUpstream:
                // The pump's and the requester's own; they execute them where they feed the event.
                break
            }
        }
    }

    private func announce() {
        append(.start(model: parts.handle.model, message: parts.userText))
        append(.usage(report()))
    }

    private func runPump(_ tally: RunTally) async -> PumpResult {
        let pump = Task { await self.pump(tally) }
        return await stoppable({ pump.cancel() }) { await pump.value }
    }

    /// Waits for `work`, which `stop` ends early once the run is to end.
    func stoppable<Value: Sendable>(_ stop: @escaping @Sendable () -> Void, _ work: () async -> Value) async -> Value {
        let isEnding = control.withLock {
            $0.stop = stop
            return $0.machine.isEnding
        }
        // The end may have been asked for between the machine's decision and the work's being known.
        if isEnding { stop() }
        let value = await work()
        control.withLock { $0.stop = nil }
        return value
    }

    /// Writes the charge and the turn, side by side: both stand before the client is told.
    private func settle(_ ending: RunEnding, _ tally: RunTally) async -> SettledUsage {
        async let saved: Void = save(ending, tally)
        let settled = await settleAttempt(ending.outcome, tally, as: tally.attemptOutcome)
        await saved
        return settled
    }

    /// Settles the newest attempt, unless it is settled.
    ///
    /// - Parameter kind: what the metrics are told of it; nil for nothing.
    /// - Returns: what all attempts were charged for.
    @discardableResult
    func settleAttempt(_ outcome: RunOutcome, _ tally: RunTally, as kind: AttemptOutcome?) async -> SettledUsage {
        let (attempt, earlier, isSettled) = control.withLock { ($0.attempt, $0.settled, $0.isSettled) }
        guard !isSettled else { return earlier }
        if let kind { parts.metrics.attemptEnded(model: attempt.model, outcome: kind) }
        let settled = await attempt.lease.settle(tally.finalUsage(outcome, of: attempt))
        if tally.excessTokens > 0 { parts.metrics.usageBeyondReservation(model: attempt.model, tokens: tally.excessTokens) }
        parts.metrics.tokensSettled(model: attempt.model, input: settled.inputTokens, output: settled.outputTokens)
        return control.withLock {
            $0.settled = earlier == .nothing ? settled : earlier.adding(settled)
            $0.isSettled = true
            return $0.settled
        }
    }

    /// The next attempt takes the place of the settled one.
    func begin(_ attempt: Attempt) {
        control.withLock {
            $0.attempt = attempt
            $0.isSettled = false
        }
        parts.tellForced(attempt)
    }

    var isEnding: Bool { control.withLock { $0.machine.isEnding } }

    /// Changes the audience, and starts the grace that it asks for.
    func audience(_ change: (inout Audience) -> Audience.Grace?) {
        guard let grace = control.withLock({ change(&$0.audience) }) else { return }
        guard grace.length > .zero else { return giveUp(grace.number) }
        // Ends by itself; the run may well end before it, and then it changes nothing.
        Task {
            await parts.clock.sleep(until: parts.clock.nowNanoseconds + grace.length.wholeNanoseconds)
            giveUp(grace.number)
        }
    }

    private func giveUp(_ grace: Int) {
        let isOver = control.withLock { control in
            guard control.audience.isOver(grace) else { return false }
            control.postponed = grace
            return control.isSettled || control.attempt.decision.deltasTrackBilling
        }
        if isOver { _ = requestEnd(.clientLost) }
    }

    /// Between two rounds nothing is under way that would have to be paid to its end.
    func giveUpPostponed() {
        if let grace = control.withLock({ $0.postponed }) { giveUp(grace) }
    }

    private func save(_ ending: RunEnding, _ tally: RunTally) async {
        let turn = TurnEnd(
            identity: parts.handle.identity, answer: String(decoding: tally.answer, as: UTF8.self),
            outcome: ending.outcome, endedAt: timestamp(parts.clock.nowNanoseconds))
        do {
            try await parts.conversations.finishTurn(turn, for: parts.handle.tenant)
        } catch {
            parts.metrics.conversationNotSaved()
        }
    }

    private func conclude(_ ending: RunEnding, _ settled: SettledUsage, _ tally: RunTally) {
        let now = timestamp(parts.clock.nowNanoseconds)
        var warnings = tally.warnings
        // What was reached since the last look; the settlement has brought the windows up to date.
        _ = tellWarnings(report(), &warnings, at: now)
        parts.metrics.runConcluded(parts.handle, ending, settled, at: now)
        parts.trace?.end(ending, settled)
        closeCalls(tally, ending)
        // Before the event: who has seen the end finds it counted.
        countEnd(ending)
        switch ending {
        case .complete(let reason):
            let answer = String(decoding: tally.answer, as: UTF8.self)
            append(.complete(finalAnswer: answer, finishReason: reason, settled))
        case .cut(let cut): append(.cut(cut, settled))
        case .error(let code, let message): append(.error(code: code, message: message, settled))
        }
    }

    private func countEnd(_ ending: RunEnding) {
        var cutReason: CutReason?
        if case .cut(let cut) = ending {
            cutReason = cut.reason
            if let decided = control.withLock({ $0.endDecidedAt }) {
                parts.metrics.cutLatency(.nanoseconds(parts.clock.nowNanoseconds - decided))
            }
        }
        parts.metrics.runEnded(model: parts.handle.model, outcome: ending.outcome, cutReason: cutReason)
    }
}

extension Run.Parts {
    /// Tells the metrics what an attempt's mode was forced by.
    func tellForced(_ attempt: Attempt) {
        for reason in attempt.decision.reasons { metrics.reservationForced(model: attempt.model, reason: reason) }
    }
}
