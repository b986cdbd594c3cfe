import EngineProviders
import JSON
import Testing

@testable import Engine

@Suite("Modes S and H (metering.md §4.2)")
struct MeteringTests {
    private func call(_ parameters: JSONObject = JSONObject()) -> ModelRequest {
        ModelRequest(model: "m", messages: [ModelMessage(role: "user", text: "x")], parameters: parameters)
    }

    @Test("a model is streamed unless the operator or a rule says otherwise; every rule forces a reservation")
    func rules() {
        #expect(ModelMetering().decide(for: call()) == MeteringDecision(mode: .stream))
        #expect(ModelMetering(configured: .reserve).decide(for: call()) == MeteringDecision(mode: .reserve))
        #expect(ModelMetering(configured: .reserve).decide(for: call()).deltasTrackBilling)
        var billing = ModelMetering(configured: .stream, reasoning: .hidden)
        #expect(billing.decide(for: call()) == MeteringDecision(mode: .reserve, reasons: [.hiddenReasoning]))
        billing.billsAfterCancel = true
        billing.isStreamed = false
        #expect(billing.standingReasons == [.hiddenReasoning, .billsAfterCancel, .notStreamed])
        #expect(!billing.decide(for: call()).deltasTrackBilling)
    }

    @Test(
        "what a client asks for may force a reservation, for that call alone",
        arguments: [
            ("reasoning_effort", "high", nil, [ReserveReason.reasoningRequested]), ("reasoning_effort", "none", nil, []),
            ("reasoning_effort", "high", .streamed, []), ("reasoning_effort", "high", ModelMetering.Reasoning.none, []),
            ("reasoning", ["effort": "low"], nil, [.reasoningRequested]), ("thinking", true, nil, [.reasoningRequested]),
            ("thinking", false, nil, []), ("prediction", ["type": "content"], .streamed, [.prediction]), ("prediction", nil, nil, []),
        ] as [(String, JSONValue?, ModelMetering.Reasoning?, [ReserveReason])])
    func requestRules(key: String, value: JSONValue?, reasoning: ModelMetering.Reasoning?, expected: [ReserveReason]) {
        let decision = ModelMetering(reasoning: reasoning).decide(for: call(JSONObject([(key, value ?? .null)])))
        #expect(decision.reasons == expected)
        #expect(decision.mode == (expected.isEmpty ? .stream : .reserve))
    }

    @Test("never more is paid than was reserved; an estimate does not end a good answer early, a count of deltas does")
    func reservedOutput() async {
        await forSeeds(0..<500) { seed, generator in
            let most = Int.random(in: 1...50, using: &generator)
            let isExact = generator.chance(50)
            var reserved = ReservedOutput(prompt: 9, most: most, countsAreExact: isExact)
            var paid = 0
            var taken = 0
            for _ in 0..<80 {
                let tokens = Int.random(in: 1...4, using: &generator)
                guard let due = reserved.due(tokens) else { break }
                paid += due
                taken += 1
                if isExact { #expect(due == tokens, "seed \(seed)") }
            }
            #expect(paid <= most && reserved.paid == paid, "seed \(seed)")
            // 80 deltas are more than can be reserved: it ended, and not before its limit.
            #expect(isExact ? paid + 4 > most : taken == most, "seed \(seed)")
        }
    }

    @Test("a report beyond the reservation is charged up to it, in every class")
    func clamps() {
        let reserved = ReservedOutput(prompt: 100, most: 20, countsAreExact: true)
        let honest = ModelUsage(inputFresh: 30, inputCacheRead: 60, outputVisible: 5, outputReasoning: 15)
        #expect(reserved.clamp(honest).usage == honest && reserved.clamp(honest).excess == 0)
        let lie = ModelUsage(inputFresh: 90, inputCacheRead: 60, outputVisible: 15, outputReasoning: 500)
        let (usage, excess) = reserved.clamp(lie)
        #expect(usage.inputTokens == 100 && usage.outputTokens == 20 && excess == 50 + 495)
    }

    private func run(
        _ metering: ModelMetering, _ provider: any ModelProvider, meter: TestMeter, max: Int? = nil, mayLower: Bool = false
    ) async -> StartOutcome {
        let models = SeveralModels(providers: ["demo": provider], meterings: ["demo": metering])
        var asked = request("@tokens 500\n@rate 0")
        asked.outputTokensMax = max
        asked.mayLowerOutput = mayLower
        return await RunCoordinator(meter: meter, models: models, conversations: MemoryConversationStore()).start(asked)
    }

    @Test("in mode H all of the output is held before the upstream is called, and asked for, and the run is never cut")
    func reserves() async throws {
        let meter = TestMeter(tokens: 100)
        let handle = try #require(await run(ModelMetering(configured: .reserve), ScriptedProvider(), meter: meter, max: 60).handle)
        guard case .complete(_, "length", let settled)? = await handle.log.all().last?.body else {
            Issue.record("not complete")
            return
        }
        #expect(settled.outputTokens == 60 && meter.admissions.first?.metering == .reserve)
        #expect(meter.admissions.first?.outputTokensMin == 60)
    }

    @Test("what does not fit is refused before the upstream is called; only what the client left open is lowered (complaint 4, shrink)")
    func refusesOrLowers() async throws {
        let never = TestProvider { _ in preconditionFailure("called upstream") }
        guard case .refused = await run(ModelMetering(configured: .reserve), never, meter: TestMeter(tokens: 59), max: 60) else {
            Issue.record("admitted beyond the cap")
            return
        }
        for (max, mayLower) in [(nil, false), (60, true)] as [(Int?, Bool)] {
            let meter = TestMeter(tokens: 40)
            let metering = ModelMetering(configured: .reserve)
            let handle = try #require(
                await run(metering, ScriptedProvider(), meter: meter, max: max, mayLower: mayLower).handle)
            guard case .complete(_, "length", let settled)? = await handle.log.all().last?.body else {
                Issue.record("not lowered")
                return
            }
            #expect(settled.outputTokens == 40)
            #expect(meter.admissions.first?.outputTokensMax == max ?? EngineLimits.reservedOutputTokens)
        }
        guard case .refused = await run(ModelMetering(configured: .reserve), never, meter: TestMeter(tokens: 15)) else {
            Issue.record("admitted with too little to be of use")
            return
        }
    }

    @Test("without a limit of the client's, the model's own is reserved where it is lower than ours")
    func modelLimit() async throws {
        let meter = TestMeter()
        let metering = ModelMetering(configured: .reserve, outputTokensMax: 33)
        for max in [nil, 500] as [Int?] {
            let handle = try #require(await run(metering, ScriptedProvider(), meter: meter, max: max).handle)
            _ = await handle.log.all()
        }
        #expect(meter.admissions.map(\.outputTokensMax) == [33, 33])
    }

    @Test("an upstream that sends more than it was asked for is closed at the limit, and the run completes with length")
    func ignoresLimit() async throws {
        let meter = TestMeter(tokens: 100)
        let provider = TestProvider { _ in
            PlayedStream(Array(repeating: .delta(ModelDelta(text: "w ", tokens: 1)), count: 1_000), end: .finish)
        }
        let handle = try #require(await run(ModelMetering(configured: .reserve), provider, meter: meter, max: 10).handle)
        let events = await handle.log.all()
        guard case .complete(_, "length", let settled)? = events.last?.body else {
            Issue.record("not ended with length")
            return
        }
        #expect(settled.outputTokens == 10 && events.text == String(repeating: "w ", count: 10))
        #expect(meter.left == 90)
    }

    /// As an upstream tells of the prompt before it answers.
    private static var opening: ModelUsage {
        var usage = ModelUsage(inputFresh: 2, inputCacheRead: 4, inputCacheWrite: 1)
        usage.isInputOnly = true
        return usage
    }

    @Test("a prompt that the upstream has told of is charged class by class, however its answer ends")
    func openingUsage() async throws {
        let drop = PlayedStream.End.fail(ProviderError(.inBand, message: "overloaded", isRetryable: true, mayBeBilled: true))
        let deltas: [ModelEvent] = Array(repeating: .delta(ModelDelta(text: "w ", tokens: 1)), count: 9)
        let cases: [(PlayedStream.End, Int)] = [(.finish, 20), (drop, 20), (.finish, 5)]
        for (end, tokens) in cases {
            let meter = TestMeter(tokens: tokens)
            let provider = TestProvider(countsAreExact: false) { _ in PlayedStream([.usage(Self.opening)] + deltas, end: end) }
            let handle = try #require(await run(ModelMetering(), provider, meter: meter).handle)
            _ = await handle.log.all()
            let settled = try #require(meter.settled.first?.usage)
            let usage = settled.usage
            #expect((usage.inputFresh, usage.inputCacheRead, usage.inputCacheWrite) == (2, 4, 1))
            #expect(settled.evidence == .counted && usage.outputTokens == min(9, tokens) && usage.isEstimated)
        }
    }

    @Test("a count that came before the end is not the last one: a client that leaves pays for what it was sent (complaint 14)")
    func earlyCount() async throws {
        let early = ModelEvent.usage(ModelUsage(inputFresh: 5, outputVisible: 0))
        let deltas: [ModelEvent] = Array(repeating: .delta(ModelDelta(text: "w ", tokens: 1)), count: 9)
        let meter = TestMeter(tokens: 100)
        let models = SeveralModels(
            providers: ["demo": TestProvider { _ in PlayedStream([early] + deltas, end: .silence) }], meterings: ["demo": ModelMetering()])
        let coordinator = RunCoordinator(meter: meter, models: models, conversations: MemoryConversationStore())
        let handle = try #require(await coordinator.start(request("x")).handle)
        var text = ""
        for await batch in handle.log.batches(after: 0) {
            text += batch.text
            if text.utf8.count == 18 { break }
        }
        _ = coordinator.cancel(handle.identity.run)
        _ = await handle.log.all()
        #expect(try #require(meter.settled.first?.usage).usage.outputTokens == 9)
    }

    @Test("hidden tokens: the upstream's count is charged; without one all that was reserved is, as estimated (complaints 14, 15)")
    func evidence() async throws {
        let delta = ModelEvent.delta(ModelDelta(text: "Yes", tokens: 1))
        let usage = ModelEvent.usage(ModelUsage(inputFresh: 5, outputVisible: 1, outputReasoning: 30))
        let drop = PlayedStream.End.fail(ProviderError(.dropped, message: "gone", isRetryable: true, mayBeBilled: true))
        let refused = PlayedStream.End.fail(ProviderError(.status(500), message: "no", isRetryable: true, mayBeBilled: false))
        let cases: [([ModelEvent], PlayedStream.End, Int, FinalUsage.Evidence)] = [
            ([delta, usage], .finish, 31, .upstream), ([delta], .finish, 60, .reserved), ([delta], drop, 60, .reserved),
            ([usage], drop, 31, .upstream), ([], refused, 0, .nothingBilled),
            // What is told before the answer is no count of it.
            ([.usage(Self.opening), delta], drop, 60, .reserved), ([.usage(Self.opening), delta], .finish, 60, .reserved),
            ([.usage(Self.opening), delta, usage], .finish, 31, .upstream),
        ]
        for (events, end, tokens, evidence) in cases {
            let meter = TestMeter(tokens: 60)
            let provider = TestProvider { _ in PlayedStream(events, end: end) }
            let handle = try #require(await run(ModelMetering(reasoning: .hidden), provider, meter: meter, max: 60).handle)
            _ = await handle.log.all()
            let settled = try #require(meter.settled.first?.usage)
            #expect(settled.evidence == evidence && settled.usage.outputTokens == tokens)
            if evidence == .reserved { #expect(settled.usage.inputTokens == 7 && settled.usage.isEstimated) }
        }
    }
}
