internal import Synchronization

/// One run at work: executes what ``RunStateMachine`` decides.
///
/// Two tasks: the run's own, which is never cancelled and therefore always settles, and the pump's below it, which
/// reads the upstream and is cancelled to close it. The machine is in a short `Mutex`, because clients and operators
/// ask for the end from other threads; everything else belongs to the one task that is running.
final class Run: Sendable {
    private struct Control {
        var machine = RunStateMachine()
        var pump: Task<PumpResult, Never>?
        var deliveredTokens = 0
        /// When the end was decided, for the latency of a cut.
        var endDecidedAt: Int64?
    }

    struct PumpResult: Sendable {
        let event: RunStateMachine.Event
        let tally: RunTally
    }

    /// What the coordinator gives each run.
    struct Parts: Sendable {
        let handle: RunHandle
        let request: ModelRequest
        let userText: String
        let onClientLoss: RunRequest.ClientLossPolicy
        let provider: any ModelProvider
        let prompt: PromptCount
        let lease: any RunLease
        let conversations: any ConversationStore
        let clock: any EngineClock
        let metrics: any EngineMetrics
        let limits: EngineLimits
        /// ``EngineClock/nowNanoseconds`` at ``RunHandle/startedAt``.
        let startedNanoseconds: Int64
    }

    let parts: Parts
    private let control = Mutex(Control())

    init(_ parts: Parts) { self.parts = parts }

    var log: RunLog { parts.handle.log }

    // MARK: From any thread

    /// Asks for the end.
    ///
    /// - Returns: false when another ending was decided before.
    func requestEnd(_ ending: RunEnding) -> Bool {
        let now = parts.clock.nowNanoseconds
        let (isFirst, pump) = control.withLock { control -> (Bool, Task<PumpResult, Never>?) in
            guard !control.machine.isEnding else { return (false, nil) }
            control.endDecidedAt = now
            let actions = control.machine.handle(.endRequested(ending))
            return (true, actions.contains(.stopUpstream) ? control.pump : nil)
        }
        pump?.cancel()
        return isFirst
    }

    var live: LiveRun {
        let (state, tokens) = control.withLock { ($0.machine.state, $0.deliveredTokens) }
        return LiveRun(handle: parts.handle, state: state, deliveredTokens: tokens, report: parts.lease.report())
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

    /// Runs from the announcement to the terminal event. Called once; does not react to cancellation.
    func perform() async {
        var tally = RunTally()
        var pending = handle(.begin)
        while !pending.isEmpty {
            switch pending.removeFirst() {
            case .announce: announce()
            case .callUpstream:
                let result = await runPump()
                tally = result.tally
                pending += handle(result.event)
            case .settle(let ending):
                let settled = await settle(ending, tally)
                pending += handle(.settled(settled))
            case .conclude(let ending, let settled): conclude(ending, settled, tally)
            case .append, .awaitGrant, .stopUpstream:
                // The pump's and the requester's own; they execute them where they feed the event.
                break
            }
        }
    }

    private func announce() {
        append(.start(model: parts.handle.model, message: parts.userText))
        append(.usage(parts.lease.report()))
    }

    private func runPump() async -> PumpResult {
        let pump = Task { await self.pump() }
        let isEnding = control.withLock {
            $0.pump = pump
            return $0.machine.isEnding
        }
        // The end may have been asked for between the machine's decision to call and the pump's being known.
        if isEnding { pump.cancel() }
        let result = await pump.value
        control.withLock { $0.pump = nil }
        return result
    }

    /// Writes the charge and the turn, side by side: both stand before the client is told.
    private func settle(_ ending: RunEnding, _ tally: RunTally) async -> SettledUsage {
        let parts = parts
        let usage = tally.finalUsage(
            ending.outcome, prompt: parts.prompt, countsAreExact: parts.provider.countsAreExact)
        async let saved: Void = save(ending, tally)
        let settled = await parts.lease.settle(usage)
        await saved
        return settled
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
        _ = tellWarnings(parts.lease.report(), &warnings, at: now)
        parts.metrics.runConcluded(parts.handle, ending, settled, at: now)
        switch ending {
        case .complete(let reason):
            for step in tally.finishedCalls() { append(.step(step)) }
            let answer = String(decoding: tally.answer, as: UTF8.self)
            append(.complete(finalAnswer: answer, finishReason: reason, settled))
        case .cut(let cut):
            append(.cut(cut, settled))
            if let decided = control.withLock({ $0.endDecidedAt }) {
                parts.metrics.cutLatency(.nanoseconds(parts.clock.nowNanoseconds - decided))
            }
        case .error(let code, let message): append(.error(code: code, message: message, settled))
        }
        var cutReason: CutReason?
        if case .cut(let cut) = ending { cutReason = cut.reason }
        let model = parts.handle.model
        parts.metrics.tokensSettled(model: model, input: settled.inputTokens, output: settled.outputTokens)
        parts.metrics.runEnded(model: model, outcome: ending.outcome, cutReason: cutReason)
    }
}
