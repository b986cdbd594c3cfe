import EngineProviders
import JSON
import Synchronization
import Testing

@testable import Engine

@Suite("Run coordinator (in memory, no sockets)")
struct RunCoordinatorTests {
    @Test("a run streams what was paid, in order, and ends with one terminal event that agrees")
    func completes() async throws {
        let meter = TestMeter()
        let coordinator = coordinator(meter)
        let handle = try #require(await coordinator.start(request("@tokens 50\n@rate 0")).handle)
        let events = await handle.log.all()
        #expect(events.map(\.seq) == Array(1...events.count))
        #expect(events.first?.body == .start(model: "demo", message: "@tokens 50\n@rate 0"))
        #expect(events.dropFirst().first?.body.type == "chat.usage")
        guard case .complete(let answer, let reason, let settled)? = events.last?.body else {
            Issue.record("not complete")
            return
        }
        #expect(answer == events.text && reason == "stop")
        #expect(settled.outputTokens == 50 && !settled.isEstimated)
        #expect(meter.settled.map(\.taken) == [50])
        #expect(meter.settled.first?.usage.evidence == .upstream)
        #expect(meter.settled.first?.usage.usage.inputTokens == meter.admissions.first?.promptTokens.bound)
    }

    @Test("at the cap the stream is cut in the middle; delivered, taken and settled agree to the token (complaint 7)")
    func cuts() async throws {
        let meter = TestMeter(tokens: 37, slice: 10)
        let closed = Mutex(false)
        let provider = TestProvider { _ in
            let words = (0..<1_000).map { ModelEvent.delta(ModelDelta(text: " w\($0)", tokens: 1)) }
            return PlayedStream(words, end: .finish) { closed.withLock { $0 = true } }
        }
        let coordinator = coordinator(meter, provider)
        let handle = try #require(await coordinator.start(request("x")).handle)
        let events = await handle.log.all()
        guard case .cut(let cut, let settled)? = events.last?.body else {
            Issue.record("not cut")
            return
        }
        #expect(cut == TestMeter.cut)
        #expect(events.text == (0..<37).map { " w\($0)" }.joined())
        #expect(settled.outputTokens == 37 && settled.inputTokens == 7 && !settled.isEstimated)
        #expect(meter.settled.map(\.taken) == [37])
        #expect(meter.settled.first?.usage.evidence == .counted)
        #expect(closed.withLock { $0 })
    }

    @Test("thinking is paid and settled as reasoning, and is no part of the final answer")
    func thinking() async throws {
        let meter = TestMeter(slice: 3)
        let provider = TestProvider { _ in
            PlayedStream(
                [
                    .delta(ModelDelta(text: "hm", tokens: 2, marker: .thinking)),
                    .delta(ModelDelta(text: "so", tokens: 2, marker: .thinking)),
                    .delta(ModelDelta(text: "Yes", tokens: 1)),
                ], end: .finish)
        }
        let handle = try #require(await coordinator(meter, provider).start(request("x")).handle)
        guard case .complete("Yes", _, _)? = await handle.log.all().last?.body else {
            Issue.record("not complete")
            return
        }
        let settled = try #require(meter.settled.first)
        #expect(settled.taken == 5 && settled.reasoning == 4)
        #expect(settled.usage.usage.outputReasoning == 4 && settled.usage.usage.outputVisible == 1)
        #expect(settled.usage.usage.isEstimated, "the model was done and told no usage")
    }

    @Test("a refusal calls nothing upstream and leaves no turn behind")
    func refused() async throws {
        let store = MemoryConversationStore()
        let provider = TestProvider { _ in preconditionFailure("called upstream") }
        let conversation = ConversationID()
        let meter = TestMeter(answer: .refused(TestMeter.cut))
        let outcome = await coordinator(meter, provider, conversations: store).start(
            request("x", conversation: conversation))
        guard case .refused(let cut) = outcome else {
            Issue.record("not refused")
            return
        }
        #expect(cut == TestMeter.cut)
        #expect(try await store.history(of: conversation, for: ann, turnsMax: 9).isEmpty)
    }

    @Test("a meter that cannot answer refuses with its own code; an unknown model is not found")
    func failures() async {
        let down = TestMeter(answer: .failed(code: "accounting_unavailable", message: "no store"))
        guard case .failed(let failure) = await coordinator(down).start(request("x")) else {
            Issue.record("not failed")
            return
        }
        #expect(failure == StartFailure(.accountingUnavailable, "no store"))
        var unknown = request("x")
        unknown.model = "nope"
        guard case .failed(let missing) = await coordinator(TestMeter()).start(unknown) else {
            Issue.record("not failed")
            return
        }
        #expect(missing.code == .modelNotFound)
    }

    @Test("cancel completes with reason cancelled, is charged for what was delivered, and works once")
    func cancels() async throws {
        let meter = TestMeter()
        let provider = TestProvider { _ in
            PlayedStream([.delta(ModelDelta(text: "one", tokens: 1))], end: .silence)
        }
        let coordinator = coordinator(meter, provider)
        let handle = try #require(await coordinator.start(request("x")).handle)
        while handle.log.lastSeq < 3 { await Task.yield() }
        #expect(coordinator.cancel(handle.identity.run))
        #expect(!coordinator.cancel(handle.identity.run))
        let events = await handle.log.all()
        let settled = SettledUsage(inputTokens: 7, outputTokens: 1, costUSD: "0.01")
        #expect(events.last?.body == .complete(finalAnswer: "one", finishReason: "cancelled", settled))
    }

    @Test("kill cuts with reason killed and the operator's decision")
    func kills() async throws {
        let provider = TestProvider { _ in PlayedStream([], end: .silence) }
        let coordinator = coordinator(TestMeter(), provider)
        let handle = try #require(await coordinator.start(request("x")).handle)
        #expect(coordinator.live().map(\.handle.identity) == [handle.identity])
        #expect(coordinator.live(in: handle.identity.conversation, for: ann).count == 1)
        #expect(coordinator.live(in: handle.identity.conversation, for: bob).isEmpty)
        #expect(coordinator.live(handle.identity.run)?.deliveredTokens == 0)
        #expect(coordinator.kill(handle.identity.run, decisionID: "d9"))
        guard case .cut(let cut, _)? = await handle.log.all().last?.body else {
            Issue.record("not cut")
            return
        }
        #expect(cut.reason == .killed && cut.decisionID == "d9")
    }

    @Test("an upstream that refuses is an error and costs nothing; one that breaks costs what came")
    func upstreamFails() async throws {
        let refusal = ProviderError(.status(429), message: "busy", isRetryable: true, mayBeBilled: false)
        let drop = ProviderError(.dropped, message: "gone", isRetryable: true, mayBeBilled: true)
        for (error, events, taken) in [(refusal, 0, 0), (drop, 3, 3)] {
            let meter = TestMeter()
            let provider = TestProvider { _ in
                PlayedStream(
                    Array(repeating: .delta(ModelDelta(text: "w", tokens: 1)), count: events), end: .fail(error))
            }
            let handle = try #require(await coordinator(meter, provider).start(request("x")).handle)
            let log = await handle.log.all()
            guard case .error("upstream_error", error.message, let settled)? = log.last?.body else {
                Issue.record("not an error")
                return
            }
            #expect(meter.settled.first?.usage.evidence == (taken == 0 ? .nothingBilled : .counted))
            #expect(settled.outputTokens == taken && settled.inputTokens == (taken == 0 ? 0 : 7))
        }
    }

    @Test("a tool call is announced, its arguments stream as tool deltas, and the whole call stands at the end")
    func toolCalls() async throws {
        let handle = try #require(
            await coordinator(TestMeter()).start(request("@rate 0\n@tool crm.lookup {\"id\": 4, \"deep\": true}")).handle)
        let events = await handle.log.all()
        let steps = events.compactMap { entry -> RunStep? in
            guard case .step(let step) = entry.body else { return nil }
            return step
        }
        #expect(steps.map(\.status) == [.started, .running])
        #expect(steps.last?.data["args"]?["id"] == 4)
        #expect(steps.allSatisfy { $0.data["tool"] == "crm.lookup" && $0.data["call_id"] == "call_1" })
        #expect(events.compactMap(\.body.delta).allSatisfy { $0.marker == .tool })
        #expect(events.text == "{\"id\": 4, \"deep\": true}")
        guard case .complete("", "tool_calls", _)? = events.last?.body else {
            Issue.record("not tool_calls")
            return
        }
    }

    @Test("the next turn brings the conversation's past; another user cannot tell that it exists")
    func conversations() async throws {
        let seen = Mutex<[[ModelMessage]]>([])
        let provider = TestProvider { request in
            seen.withLock { $0.append(request.messages) }
            return PlayedStream([.delta(ModelDelta(text: "answer", tokens: 1))], end: .finish)
        }
        let coordinator = coordinator(TestMeter(), provider)
        let first = try #require(await coordinator.start(request("first")).handle)
        _ = await first.log.all()
        let conversation = first.identity.conversation
        let second = try #require(await coordinator.start(request("second", conversation: conversation)).handle)
        _ = await second.log.all()
        #expect(seen.withLock { $0.last }?.map(\.text) == ["first", "answer", "second"])
        let foreign = await coordinator.start(request("x", conversation: conversation, of: bob))
        guard case .failed(let failure) = foreign else {
            Issue.record("a foreign conversation was opened")
            return
        }
        #expect(failure.code == .conversationNotFound)
        var again = request("x", conversation: conversation)
        again.turn = second.identity.turn
        guard case .failed(let repeated) = await coordinator.start(again) else {
            Issue.record("a turn was repeated")
            return
        }
        #expect(repeated.code == .turnExists)
    }

    @Test("chat.usage comes at the start, at each warning, and else at most once a second")
    func usageEvents() async throws {
        let clock = ManualClock()
        let meter = TestMeter()
        let coordinator = coordinator(meter, ScriptedProvider(clock: clock), clock: clock)
        let handle = try #require(await coordinator.start(request("@tokens 35\n@rate 10")).handle)
        for tick in 1..<35 {
            await clock.waitForSleeper()
            if tick == 14 { meter.setWarning(80) }
            clock.advance(by: .milliseconds(100))
        }
        let events = await handle.log.all()
        let usages = events.compactMap { entry -> (Int64, Int?)? in
            guard case .usage(let report) = entry.body else { return nil }
            return (entry.timestamp - handle.startedAt, report.warning)
        }
        #expect(usages.map(\.0) == [0, 1_000, 1_400, 1_400, 2_400, 3_400])
        #expect(usages.map(\.1) == [nil, nil, 50, 80, nil, nil])
    }

    @Test("the limit of live runs is refused, and a place is free again when one ends")
    func runsMax() async throws {
        var limits = EngineLimits()
        limits.runsMax = 2
        let provider = TestProvider { _ in PlayedStream([], end: .silence) }
        let coordinator = coordinator(TestMeter(), provider, limits: limits)
        let first = try #require(await coordinator.start(request("x")).handle)
        _ = try #require(await coordinator.start(request("x")).handle)
        guard case .failed(let failure) = await coordinator.start(request("x")) else {
            Issue.record("a third run was let in")
            return
        }
        #expect(failure.code == .tooManyRuns)
        #expect(coordinator.cancel(first.identity.run))
        _ = await first.log.all()
        while coordinator.liveCount == 2 { await Task.yield() }
        #expect(await coordinator.start(request("x")).handle != nil)
        await coordinator.drain(deadline: .zero)
    }

    @Test("finished logs are kept within count, bytes and age")
    func retention() async throws {
        let clock = ManualClock()
        var limits = EngineLimits()
        limits.finishedRunsMax = 3
        limits.finishedAge = .seconds(10)
        let coordinator = coordinator(TestMeter(), clock: clock, limits: limits)
        var runs: [RunID] = []
        for _ in 0..<5 {
            let handle = try #require(await coordinator.start(request("@tokens 5\n@rate 0")).handle)
            runs.append(handle.identity.run)
            _ = await handle.log.all()
            while coordinator.liveCount > 0 { await Task.yield() }
        }
        #expect(runs.map { coordinator.handle(for: $0) != nil } == [false, false, true, true, true])
        clock.advance(by: .seconds(10))
        #expect(runs.allSatisfy { coordinator.handle(for: $0) == nil })
    }

    @Test("drain lets nobody in, waits for the live, and ends the rest with server_shutdown")
    func drains() async throws {
        let clock = ManualClock()
        let provider = TestProvider { _ in PlayedStream([], end: .silence) }
        let coordinator = coordinator(TestMeter(), provider, clock: clock)
        let handle = try #require(await coordinator.start(request("x")).handle)
        async let drained: Void = coordinator.drain(deadline: .seconds(5))
        await clock.waitForSleeper()
        guard case .failed(let failure) = await coordinator.start(request("x")) else {
            Issue.record("a run was let in")
            return
        }
        #expect(failure.code == .serverShutdown)
        #expect(handle.outcome == nil)
        clock.advance(by: .seconds(5))
        await drained
        guard case .error("server_shutdown", _, _)? = handle.log.terminal else {
            Issue.record("not ended")
            return
        }
        #expect(coordinator.liveCount == 0)
    }

    @Test("drain of an idle coordinator returns without waiting for its deadline")
    func drainsIdle() async {
        await coordinator(TestMeter(), clock: ManualClock()).drain(deadline: .seconds(3_600))
    }

    @Test("where the worst case is reserved, the upstream is asked for no more than that")
    func clamps() async throws {
        let meter = TestMeter(outputTokensMax: 12)
        let handle = try #require(await coordinator(meter).start(request("@tokens 50\n@rate 0")).handle)
        guard case .complete(_, "length", let settled)? = await handle.log.all().last?.body else {
            Issue.record("not clamped")
            return
        }
        #expect(settled.outputTokens == 12)
    }

    @Test("text beyond the limit ends the run with reason length")
    func textLimit() async throws {
        var limits = EngineLimits()
        limits.textBytesMax = 1_000
        let handle = try #require(
            await coordinator(TestMeter(), limits: limits).start(request("@tokens 5000\n@rate 0")).handle)
        guard case .complete(let answer, "length", _)? = await handle.log.all().last?.body else {
            Issue.record("not ended")
            return
        }
        #expect((1_000..<1_100).contains(answer.utf8.count))
    }
}
