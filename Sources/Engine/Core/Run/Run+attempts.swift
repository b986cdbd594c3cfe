internal import JSON

/// From one attempt to the next.
extension Run {
    /// Tells the readers, and settles the attempt that failed: what its upstream billed for it is charged.
    func abandon(for step: AttemptStep, after error: ProviderError, _ tally: RunTally) async {
        let failed = attempt
        var data = JSONObject([("attempt", .integer(Int64(failed.number))), ("model", .string(failed.model))])
        data["error"] = .string(error.message)
        data["next_model"] = .string(step.model)
        data["pause_ms"] = .integer(step.pause.wholeNanoseconds / 1_000_000)
        append(.step(RunStep(step: "attempt", status: .error, title: failed.model, data: data)))
        await settleAttempt(.error, tally, as: step.isFallback ? .fellBack : .retried)
    }

    /// Waits for the pause of `step` and opens its lease.
    func openNext(_ step: AttemptStep, _ opener: AttemptOpener) async -> RunStateMachine.Event {
        let clock = parts.clock
        if step.pause > .zero {
            let due = clock.nowNanoseconds + step.pause.wholeNanoseconds
            let pause = Task { await clock.sleep(until: due) }
            await stoppable({ pause.cancel() }) { await pause.value }
        }
        guard !isEnding else { return .upstreamStopped }
        switch await opener.open(step.number, model: step.model) {
        case .opened(let attempt):
            begin(attempt)
            return .attemptOpened
        case .refused(let cut): return .attemptDenied(.cut(cut))
        case .failed(let failure): return .attemptDenied(.error(code: failure.code.rawValue, message: failure.message))
        }
    }
}
