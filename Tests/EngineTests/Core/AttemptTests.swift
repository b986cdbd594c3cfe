import EngineProviders
import JSON
import Synchronization
import Testing

@testable import Engine

@Suite("Attempts: each physical call has its own lease (metering.md §9, trap 7)")
struct AttemptTests {
    private static let busy = ProviderError(.status(503), message: "busy", isRetryable: true, mayBeBilled: false)
    private static let dropped = ProviderError(.dropped, message: "gone", isRetryable: true, mayBeBilled: true)
    private static let bad = ProviderError(.status(400), message: "bad", isRetryable: false, mayBeBilled: false)
    private static let gone = ProviderError(.status(404), message: "no such model", isRetryable: false, mayBeBilled: false)

    private static func asking(_ wait: Duration) -> ProviderError {
        ProviderError(.status(429), message: "later", isRetryable: true, mayBeBilled: false, retryAfter: wait)
    }

    @Test("repeats first, with doubling pauses, then each fallback once; then nothing is left")
    func order() {
        var plan = AttemptPlan(model: "a", policy: RetryPolicy(retries: 2, fallbacks: ["b", "c"]))
        let steps = (0..<5).map { _ in plan.next(after: Self.busy) }
        #expect(steps.map { $0?.model } == ["a", "a", "b", "c", nil])
        #expect(steps.map { $0?.number } == [2, 3, 4, 5, nil])
        #expect(steps.map { $0?.pause } == [.milliseconds(250), .milliseconds(500), .zero, .zero, nil])
    }

    @Test("a request that is at fault is not sent anywhere else; a model that is not there is not asked again")
    func hopeless() {
        var plan = AttemptPlan(model: "a", policy: RetryPolicy(retries: 2, fallbacks: ["b"]))
        #expect(plan.next(after: Self.bad) == nil)
        #expect(plan.next(after: .cancelled) == nil)
        #expect(plan.next(after: Self.gone)?.model == "b")
    }

    @Test("Retry-After is honoured up to the limit; an upstream that asks for more is left alone")
    func retryAfter() {
        let policy = RetryPolicy(retries: 3, fallbacks: ["b"])
        var plan = AttemptPlan(model: "a", policy: policy)
        #expect(plan.next(after: Self.asking(.seconds(7)))?.pause == .seconds(7))
        let step = plan.next(after: Self.asking(.seconds(11)))
        #expect(step?.model == "b" && step?.pause == .zero && step?.isFallback == true)
    }

    @Test("attempts are bounded whatever the policy says, and pauses differ by at most a quarter")
    func bounds() async {
        await forSeeds(0..<200) { seed, generator in
            let policy = RetryPolicy(retries: .max, fallbacks: (0..<50).map { "m\($0)" })
            var plan = AttemptPlan(model: "a", policy: policy, jitter: generator.next())
            var attempts = 1
            while let step = plan.next(after: Self.busy) {
                attempts += 1
                let full = Duration.milliseconds(250 << min(step.number - 2, 6))
                #expect(step.pause <= full && step.pause >= full * 3 / 4, "seed \(seed)")
            }
            #expect(attempts == EngineLimits.attemptsMax, "seed \(seed)")
        }
    }

    @Test("a round begins with the run's model again, and has as many attempts as the one before; the numbers go on")
    func rounds() {
        var plan = AttemptPlan(model: "a", policy: RetryPolicy(retries: 1, fallbacks: (0..<50).map { "m\($0)" }))
        var number = 1
        for _ in 0..<3 {
            var attempts = 1
            while let step = plan.next(after: Self.busy) {
                attempts += 1
                number += 1
                #expect(step.number == number && step.model == (attempts == 2 ? "a" : "m\(attempts - 3)"))
            }
            #expect(attempts == EngineLimits.attemptsMax)
            number += 1
            #expect(plan.nextRound() == AttemptStep(number: number, model: "a", pause: .zero, isFallback: false))
        }
    }

    @Test("no attempt follows a forwarded token, and an end that was asked for wins over a retry")
    func machine() {
        var machine = RunStateMachine(plan: AttemptPlan(model: "a", policy: RetryPolicy(retries: 5)))
        #expect(machine.handle(.begin) == [.announce, .callUpstream])
        let step = AttemptStep(number: 2, model: "a", pause: .milliseconds(250), isFallback: false)
        #expect(machine.handle(.upstreamFailed(Self.busy)) == [.retry(step, after: Self.busy)])
        var ended = machine
        #expect(ended.handle(.endRequested(.cancelled)) == [.stopUpstream])
        #expect(ended.handle(.attemptOpened) == [.settle(.cancelled)])
        #expect(machine.handle(.attemptOpened) == [.callUpstream])
        #expect(machine.handle(.deltaPaid) == [.append])
        #expect(machine.handle(.upstreamFailed(Self.dropped)) == [.settle(.error(code: "upstream_error", message: "gone"))])
    }

    private struct Rig {
        let clock = ManualClock()
        let meter: TestMeter
        let coordinator: RunCoordinator

        /// Each model plays its scripts one after the other; the last one again and again.
        init(_ scripts: [String: [([ModelEvent], PlayedStream.End)]], _ policy: RetryPolicy, tokens: Int = .max) {
            meter = TestMeter(tokens: tokens)
            var models = SeveralModels(providers: [:], policies: ["demo": policy])
            for (name, plays) in scripts {
                let next = Counter()
                models.providers[name] = TestProvider { _ in
                    let (events, end) = plays[min(next.advance(), plays.count - 1)]
                    return PlayedStream(events, end: end)
                }
            }
            coordinator = RunCoordinator(meter: meter, models: models, conversations: MemoryConversationStore(), clock: clock)
        }

        func events() async throws -> [LogEntry] {
            let handle = try #require(await coordinator.start(request("x")).handle)
            while handle.outcome == nil {
                if clock.sleepers > 0 { clock.advance(by: .seconds(10)) }
                await Task.yield()
            }
            return await handle.log.all()
        }
    }

    private final class Counter: Sendable {
        private let value = Mutex(-1)
        func advance() -> Int {
            value.withLock { value in
                value += 1
                return value
            }
        }
    }

    private static let word = ModelEvent.delta(ModelDelta(text: "one", tokens: 1))
    private static let usage = ModelEvent.usage(ModelUsage(inputFresh: 7, outputVisible: 1))
    private static let answer: ([ModelEvent], PlayedStream.End) = ([word, usage], .finish)

    @Test("a retry and a fallback each have a lease, and the run has one terminal event with the sum of their charges")
    func leases() async throws {
        let rig = Rig(
            ["demo": [([], .fail(Self.busy)), ([], .fail(Self.dropped))], "other": [Self.answer]],
            RetryPolicy(retries: 1, fallbacks: ["other"]))
        let events = try await rig.events()
        #expect(events.terminals.count == 1)
        guard case .complete("one", "stop", let settled)? = events.last?.body else {
            Issue.record("not complete")
            return
        }
        #expect(rig.meter.admissions.map(\.model) == ["demo", "demo", "other"])
        #expect(rig.meter.admissions.map(\.attempt) == [1, 2, 3])
        #expect(Set(rig.meter.admissions.map(\.run)).count == 1)
        // Refused: nothing. Broken off: its prompt. Answered: what it reported.
        #expect(rig.meter.settled.map(\.usage.evidence) == [.nothingBilled, .counted, .upstream])
        #expect(settled.inputTokens == 0 + 7 + 7 && settled.outputTokens == 1 && settled.costUSD == "0.03")
        let steps = events.compactMap { entry -> RunStep? in
            guard case .step(let step) = entry.body else { return nil }
            return step
        }
        #expect(steps.map(\.title) == ["demo", "demo"] && steps.allSatisfy { $0.step == "attempt" && $0.status == .error })
        #expect(steps.last?.data["next_model"] == "other")
    }

    @Test("what a failed attempt reported is charged (complaint 13: failed calls were not billed)")
    func failedIsCharged() async throws {
        let reported = ModelEvent.usage(ModelUsage(inputFresh: 7, outputReasoning: 20))
        let rig = Rig(["demo": [([reported], .fail(Self.dropped)), Self.answer]], RetryPolicy(retries: 1))
        guard case .complete(_, _, let settled)? = try await rig.events().last?.body else {
            Issue.record("not complete")
            return
        }
        #expect(rig.meter.settled.map(\.usage.usage.outputTokens) == [20, 1])
        #expect(settled.inputTokens == 14 && settled.outputTokens == 21)
    }

    @Test("when all attempts fail the last error is told, once")
    func allFail() async throws {
        let rig = Rig(["demo": [([], .fail(Self.busy)), ([], .fail(Self.dropped))]], RetryPolicy(retries: 1))
        let events = try await rig.events()
        guard case .error("upstream_error", "gone", _)? = events.last?.body else {
            Issue.record("not an error")
            return
        }
        #expect(events.terminals.count == 1 && rig.meter.settled.count == 2)
    }

    @Test("an answer that breaks off after a token is an error, not a second answer")
    func noRetryAfterToken() async throws {
        let rig = Rig(["demo": [([Self.word], .fail(Self.dropped)), Self.answer]], RetryPolicy(retries: 3))
        let events = try await rig.events()
        #expect(events.text == "one" && rig.meter.admissions.count == 1)
        guard case .error? = events.last?.body else {
            Issue.record("not an error")
            return
        }
    }

    @Test("an attempt that no cap allows is not made: the run is cut by that cap")
    func denied() async throws {
        var scripts: [String: [([ModelEvent], PlayedStream.End)]] = ["demo": [([], .fail(Self.busy))]]
        scripts["other"] = [Self.answer]
        let rig = Rig(scripts, RetryPolicy(fallbacks: ["other"]), tokens: 0)
        // The test meter refuses only reservations; an unknown model is refused by the engine.
        let missing = Rig(["demo": [([], .fail(Self.busy))]], RetryPolicy(fallbacks: ["other"]))
        guard case .error("model_not_found", _, _)? = try await missing.events().last?.body else {
            Issue.record("not refused")
            return
        }
        guard case .cut(TestMeter.cut, _)? = try await rig.events().last?.body else {
            Issue.record("not cut")
            return
        }
        #expect(rig.meter.settled.count == 2)
    }

    @Test("a run that is cancelled in the pause between two attempts ends at once and calls nothing more")
    func cancelledInPause() async throws {
        let rig = Rig(["demo": [([], .fail(Self.asking(.seconds(9)))), Self.answer]], RetryPolicy(retries: 1))
        let handle = try #require(await rig.coordinator.start(request("x")).handle)
        await rig.clock.waitForSleeper()
        #expect(rig.coordinator.cancel(handle.identity.run))
        let events = await handle.log.all()
        guard case .complete("", "cancelled", .nothing)? = events.last?.body.withoutCost else {
            Issue.record("not cancelled: \(String(describing: events.last?.body))")
            return
        }
        #expect(rig.meter.admissions.count == 1 && rig.meter.settled.count == 1)
    }

    @Test(
        "decimal text is added without going through a float",
        arguments: [
            ("0", "0", "0"), ("0.00125", "0.1", "0.10125"), ("9.999999999", "0.000000001", "10.000000000"), ("12", "0.5", "12.5"),
            ("0.5", "0.5", "1.0"), ("9000000", "9000000", "18000000"),
        ])
    func decimals(left: String, right: String, sum: String) {
        #expect(DecimalSum.of(left, right) == sum && DecimalSum.of(right, left) == sum)
    }
}

extension RunEventBody {
    /// The test meter's charge is a constant; here only the tokens matter.
    fileprivate var withoutCost: RunEventBody {
        guard case .complete(let answer, let reason, let settled) = self else { return self }
        let usage = SettledUsage(inputTokens: settled.inputTokens, outputTokens: settled.outputTokens, costUSD: "0")
        return .complete(finalAnswer: answer, finishReason: reason, usage)
    }
}
