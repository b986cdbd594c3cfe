internal import Traces

/// The run's hot path: pull, pay, forward.
extension Run {
    /// Reads the upstream until it ends or the run does. Closes the upstream before it returns, whatever happened.
    func pump(_ tally: RunTally) async -> PumpResult {
        guard let trace = parts.trace else { return await read(tally, nil) }
        let call = trace.call(attempt, round: tally.round)
        let result = await Span.within(call) { await read(tally, call) }
        call.end(result)
        return result
    }

    private func read(_ tally: RunTally, _ span: Span?) async -> PumpResult {
        var pump = Pump(run: self, tally, span)
        let event = await pump.run()
        return PumpResult(event: event, tally: pump.tally)
    }

    /// The state of one reading of the upstream. Confined to the pump's task.
    private struct Pump {
        let run: Run
        let attempt: Attempt
        let lease: any RunLease
        let clock: any EngineClock
        let tools: RunTools?
        /// Nil for a run that is not traced.
        let span: Span?
        let began: Int64
        var tally: RunTally
        private var deltas = 0
        private var usageTold: Int64
        private var usageChecked: Int64

        init(run: Run, _ tally: RunTally, _ span: Span?) {
            self.run = run
            self.span = span
            self.tally = tally
            attempt = run.attempt
            lease = attempt.lease
            self.tally.reserved = attempt.reserved
            clock = run.parts.clock
            began = clock.nowNanoseconds
            tools = run.parts.tools
            usageTold = run.parts.startedNanoseconds
            usageChecked = usageTold
            // `chat.usage` at the start told this one.
            if tally.round == 1 { self.tally.warnings = UsageWarnings(told: lease.report().warning) }
        }

        mutating func run() async -> RunStateMachine.Event {
            if Task.isCancelled { return .upstreamStopped }
            let stream = attempt.provider.stream(attempt.request)
            defer { stream.close() }
            tally.wasCalled = true
            do {
                while !Task.isCancelled, let event = try await stream.next() {
                    let now = clock.nowNanoseconds
                    if let end = try await accept(event, now: now, arrived: stream.arrivedAt ?? now) { return end }
                    if tally.textBytes >= run.parts.limits.textBytesMax { return .upstreamFinished(reason: "length") }
                }
                return .upstreamStopped
            } catch {
                tally.failure = error
                return .upstreamFailed(error)
            }
        }

        /// - Parameters:
        ///   - now: when the event was taken up.
        ///   - arrived: when its chunk came from the upstream, which was earlier where the pump was busy.
        /// - Returns: how the reading ends, if this event ends it.
        private mutating func accept(
            _ event: ModelEvent, now: Int64, arrived: Int64
        ) async throws(ProviderError) -> RunStateMachine.Event? {
            switch event {
            case .delta(let delta):
                guard let tokens = due(delta.tokens) else { return .upstreamFinished(reason: "length") }
                guard let now = await pay(tokens, reasoning: delta.marker == .thinking, now: now) else { return .upstreamStopped }
                run.log.append(text: delta.text, marker: delta.marker, index: delta.index, at: run.timestamp(now))
                tally.add(delta, paid: tokens)
                await afterDelta(arrived: arrived)
            case .toolCallDelta(let delta):
                guard let tokens = due(delta.tokens) else { return .upstreamFinished(reason: "length") }
                guard let now = await pay(tokens, now: now) else { return .upstreamStopped }
                let call = try tally.add(delta, paid: tokens, tools: tools)
                if let call { run.log.append(.step(call.started), at: run.timestamp(now)) }
                if !delta.argumentsFragment.isEmpty {
                    run.log.append(
                        text: delta.argumentsFragment, marker: .tool, index: tally.firstCall &+ delta.index, at: run.timestamp(now))
                }
                if let call, cutsStream(call) { return .upstreamStopped }
                await afterDelta(arrived: arrived)
            case .sealed(let seal):
                tally.add(seal)
                run.log.append(.step(seal.told), at: run.timestamp(now))
            case .usage(let usage): tally.upstreamUsage = usage
            case .finished(let reason):
                tally.isFinished = true
                return tally.callsServer(reason) ? .toolsCalled : .upstreamFinished(reason: reason)
            }
            return nil
        }

        /// Whether the run is cut for the name of this call alone: no token more is bought for what will not be done.
        private mutating func cutsStream(_ call: ToolCall) -> Bool {
            guard case .denied(let refusal) = call.maker, let tools, tools.onDeny == .cutStream else { return false }
            let answer = ToolAnswer.denied(tools.gate.record(refusal, of: tools.invocation(call)))
            run.parts.trace?.tool(call).end(answer)
            run.append(.step(call.ended(.error, answer.data, bytesMax: run.parts.limits.toolStepBytesMax)))
            tally.end(call)
            if let ending = answer.ending(.cutStream) { _ = run.requestEnd(ending) }
            return true
        }

        /// What a delta costs; nil when it is beyond what the upstream was asked for.
        private mutating func due(_ tokens: Int) -> Int? {
            guard tally.reserved != nil else { return tokens }
            return tally.reserved?.due(tokens)
        }

        /// Takes from the lease, waits for a grant where it must.
        ///
        /// - Returns: when the tokens were paid, from which moment they may be forwarded; nil when they were not.
        private func pay(_ tokens: Int, reasoning: Bool = false, now: Int64) async -> Int64? {
            switch lease.take(outputTokens: tokens, reasoning: reasoning) {
            case .paid: return run.handle(.deltaPaid, tokens: tokens).isEmpty ? nil : now
            case .cut(let cut):
                _ = run.requestEnd(.cut(cut))
                return nil
            case .awaitGrant:
                guard !run.handle(.leaseEmpty).isEmpty, await payWhenGranted(tokens) else { return nil }
                return clock.nowNanoseconds
            }
        }

        private func payWhenGranted(_ tokens: Int) async -> Bool {
            while true {
                switch await lease.awaitGrant() {
                case .paid: return !run.handle(.grant, tokens: tokens).isEmpty
                case .cut(let cut):
                    _ = run.requestEnd(.cut(cut))
                    return false
                case .awaitGrant:
                    if Task.isCancelled { return false }
                    await Task.yield()
                }
            }
        }

        private mutating func afterDelta(arrived: Int64) async {
            let limits = run.parts.limits
            let now = clock.nowNanoseconds
            run.parts.metrics.deltaLatency(nanoseconds: now - arrived)
            if deltas == 0 { first(now) }
            deltas += 1
            if now - usageChecked >= limits.warningInterval.wholeNanoseconds {
                usageChecked = now
                tellUsage(now, interval: limits.usageInterval.wholeNanoseconds)
            }
            if deltas % EngineLimits.deltasPerSlice == 0 { await Task.yield() }
        }

        /// The call's first delta.
        private func first(_ now: Int64) {
            span?.setFirstChunk(after: now - began)
            guard tally.round == 1 else { return }
            run.parts.trace?.span.setFirstChunk(after: now - run.parts.startedNanoseconds)
            run.parts.metrics.firstToken(model: run.parts.handle.model, after: .nanoseconds(now - run.parts.startedNanoseconds))
        }

        private mutating func tellUsage(_ now: Int64, interval: Int64) {
            let report = run.report()
            guard !tellWarnings(report, now), now - usageTold >= interval else { return }
            usageTold = now
            run.log.append(.usage(report.warning(nil)), at: run.timestamp(now))
        }

        private mutating func tellWarnings(_ report: UsageReport, _ now: Int64) -> Bool {
            guard run.tellWarnings(report, &tally.warnings, at: run.timestamp(now)) else { return false }
            usageTold = now
            return true
        }
    }
}
