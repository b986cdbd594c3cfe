import EngineProviders
import JSON
import Synchronization
import Testing

@testable import Engine

@Suite("Agent loop: the end while tools work, and what is paid")
struct ToolEndTests {
    private struct Rig {
        let clock = ManualClock()
        let meter: TestMeter
        let gate: TestGate
        let latch = Latch()
        let model: RoundsModel
        let coordinator: RunCoordinator

        init(
            _ rounds: [([ModelEvent], PlayedStream.End)] = [([.word("one"), .call("look", id: "c")], .finish), ([.word("two")], .finish)],
            tokens: Int = .max, slice: Int = 1, retries: RetryPolicy = RetryPolicy(), metering: ModelMetering = ModelMetering(),
            isStubborn: Bool = false, record: any EngineMetrics = NoEngineMetrics()
        ) {
            meter = TestMeter(tokens: tokens, slice: slice)
            gate = TestGate { [latch] _, told in
                told(.output(.stdout, "begun"))
                if isStubborn { await latch.waitStubbornly() } else { await latch.wait() }
                if !Task.isCancelled { return ToolAnswer(content: "done") }
                return ToolAnswer(content: "killed", data: JSONObject([("exit", "killed")]), isError: true)
            }
            model = RoundsModel(rounds)
            let models = SeveralModels(
                providers: ["demo": model.provider, "other": model.provider], meterings: ["demo": metering], policies: ["demo": retries])
            coordinator = RunCoordinator(
                meter: meter, models: models, conversations: MemoryConversationStore(), tools: gate, clock: clock, metrics: record)
        }

        func start(_ asked: RunRequest = request("x")) async throws -> RunHandle {
            try #require(await coordinator.start(asked).handle)
        }

        /// A run whose tool is at work.
        func working(_ asked: RunRequest = request("x")) async throws -> RunHandle {
            let handle = try await start(asked)
            await latch.waitForWaiters(1)
            return handle
        }
    }

    @Test("while tools work nothing is held, and the run says that it waits for them")
    func nothingHeld() async throws {
        let rig = Rig(tokens: 100)
        let handle = try await rig.working()
        #expect(rig.meter.settled.map(\.taken) == [2] && rig.meter.left == 98)
        #expect(rig.coordinator.live(handle.identity.run)?.state == .waiting(.tool))
        #expect(rig.coordinator.live(handle.identity.run)?.report.outputTokens == 2)
        rig.latch.open()
        #expect(await handle.log.all().end == "stop")
    }

    @Test("cancel, kill, a revoked key and the shutdown stop the tool at once and end the run", arguments: 0..<4)
    func ends(kind: Int) async throws {
        let rig = Rig()
        let handle = try await rig.working()
        let run = handle.identity.run
        switch kind {
        case 0: #expect(rig.coordinator.cancel(run))
        case 1: #expect(rig.coordinator.kill(run, decisionID: "d1"))
        case 2: #expect(rig.coordinator.cut(run, CutDescription(reason: .policyDenied)))
        default: await rig.coordinator.drain(deadline: .zero)
        }
        // The clock stands still: nothing here waited for a time.
        let events = await handle.log.all()
        #expect(events.end == ["cancelled", "killed", "policy_denied", "server_shutdown"][kind] && events.terminals.count == 1)
        #expect(rig.gate.record.stopped == 1 && rig.model.requests.count == 1)
        let step = try #require(events.steps.last)
        #expect(step.status == .error && step.data["exit"] == "killed" && events.last?.body.outcome != nil)
        #expect(rig.meter.settled.count == 1 && events.settled?.outputTokens == 2)
    }

    @Test("a lost client stops the tool after its grace; the bill of a call that is over is no reason to go on")
    func clientLost() async throws {
        for metering in [ModelMetering(), ModelMetering(reasoning: .hidden, outputTokensMax: 10)] {
            let rig = Rig(metering: metering)
            var asked = request("x")
            asked.onClientLoss = .stop(grace: .seconds(30))
            let handle = try await rig.working(asked)
            handle.log.subscribe {}?.cancel()
            while rig.clock.sleepers < 3 { await Task.yield() }
            rig.clock.advance(by: .seconds(30))
            while handle.outcome == nil { await Task.yield() }
            let events = await handle.log.all()
            #expect(events.end == "client_lost" && rig.gate.record.stopped == 1)
        }
    }

    @Test("a client that was lost while a call had to be paid to its end is given up before its tools are called")
    func clientLostBefore() async throws {
        let latch = Latch()
        let provider = TestProvider { _ in HeldStream([.call("look")], latch) }
        let gate = TestGate()
        let clock = ManualClock()
        let models = SeveralModels(
            providers: ["demo": provider], meterings: ["demo": ModelMetering(reasoning: .hidden, outputTokensMax: 10)])
        let coordinator = RunCoordinator(
            meter: TestMeter(), models: models, conversations: MemoryConversationStore(), tools: gate, clock: clock)
        var asked = request("x")
        asked.onClientLoss = .stop(grace: .zero)
        let handle = try #require(await coordinator.start(asked).handle)
        await latch.waitForWaiters(1)
        handle.log.subscribe {}?.cancel()
        for _ in 0..<50 { await Task.yield() }
        #expect(handle.outcome == nil)
        latch.open()
        while handle.outcome == nil { await Task.yield() }
        let events = await handle.log.all()
        #expect(events.end == "client_lost" && gate.record.calls.isEmpty && events.stepLines == ["started look", "skipped look"])
    }

    @Test("a tool that does not stop is left behind after a grace; what it says later reaches nobody")
    func stubborn() async throws {
        let rig = Rig(isStubborn: true)
        let handle = try await rig.working()
        #expect(rig.coordinator.kill(handle.identity.run))
        while rig.clock.sleepers < 2 { await Task.yield() }
        rig.clock.advance(by: EngineLimits.toolStopGrace - .milliseconds(1))
        for _ in 0..<50 { await Task.yield() }
        #expect(handle.outcome == nil)
        rig.clock.advance(by: .milliseconds(1))
        while handle.outcome == nil { await Task.yield() }
        let last = handle.log.lastSeq
        rig.latch.open()
        for _ in 0..<50 { await Task.yield() }
        let events = await handle.log.all()
        #expect(events.end == "killed" && events.steps.last?.data["error"]?["code"] == "tool_abandoned")
        #expect(handle.log.lastSeq == last && rig.clock.sleepers == 0)
    }

    @Test("a cap that is reached in round 2 cuts there, in the middle of the sentence")
    func capInRoundTwo() async throws {
        let words = (0..<50).map { ModelEvent.word("w\($0) ") }
        let rig = Rig([([.call("look")], .finish), (words, .finish)], tokens: 6, slice: 2)
        rig.latch.open()
        let events = await (try await rig.start()).log.all()
        guard case .cut(TestMeter.cut, let settled)? = events.last?.body else {
            Issue.record("not cut")
            return
        }
        #expect(events.compactMap(\.body.delta).filter { $0.marker == .answer }.count == 5 && rig.meter.left == 0)
        #expect(rig.meter.settled.map(\.taken) == [1, 5] && settled.outputTokens == 6 && settled.inputTokens == 14)
    }

    @Test("a round that no cap admits is not asked for: the run is cut by that cap")
    func refusedRound() async throws {
        let rig = Rig()
        rig.latch.open()
        rig.meter.refuse(attempt: 2)
        let events = await (try await rig.start()).log.all()
        guard case .cut(TestMeter.cut, let settled)? = events.last?.body else {
            Issue.record("not cut")
            return
        }
        #expect(rig.model.requests.count == 1 && rig.meter.settled.count == 1 && settled.outputTokens == 2)
        #expect(rig.gate.record.calls.count == 1 && events.steps.last?.status == .completed)
    }

    private static let busy = ProviderError(.status(503), message: "busy", isRetryable: true, mayBeBilled: false)
    private static let dropped = ProviderError(.dropped, message: "gone", isRetryable: true, mayBeBilled: true)

    @Test("round 2 is tried again like round 1 was, with a lease for each attempt, and reads the same")
    func retryInRoundTwo() async throws {
        let rig = Rig(
            [
                ([], .fail(Self.busy)), ([.word("one"), .call("look"), .spent(7, 2)], .finish), ([], .fail(Self.busy)),
                ([], .fail(Self.dropped)), ([.word("two"), .spent(9, 1)], .finish),
            ], retries: RetryPolicy(retries: 1, fallbacks: ["other"]))
        rig.latch.open()
        let handle = try await rig.start()
        while handle.outcome == nil {
            if rig.clock.sleepers > 0 { rig.clock.advance(by: .seconds(1)) }
            await Task.yield()
        }
        let events = await handle.log.all()
        guard case .complete("onetwo", "stop", let settled)? = events.last?.body else {
            Issue.record("not complete: \(String(describing: events.last?.body))")
            return
        }
        #expect(rig.meter.admissions.map(\.model) == ["demo", "demo", "demo", "demo", "other"])
        #expect(rig.meter.admissions.map(\.attempt) == [1, 2, 3, 4, 5] && rig.meter.settled.map(\.admission.attempt) == [1, 2, 3, 4, 5])
        #expect(settled.inputTokens == 0 + 7 + 0 + 7 + 9 && settled.outputTokens == 3 && settled.costUSD == "0.05")
        #expect(Set(rig.model.requests[2...].map(\.messages)).count == 1 && rig.gate.record.calls.count == 1)
    }

    @Test("an answer of round 2 that breaks off after a token is an error, and all rounds are charged")
    func breaksInRoundTwo() async throws {
        let rig = Rig(
            [([.call("look"), .spent(7, 1)], .finish), ([.word("two")], .fail(Self.dropped))], retries: RetryPolicy(retries: 3))
        rig.latch.open()
        let events = await (try await rig.start()).log.all()
        #expect(events.end == "upstream_error" && rig.meter.settled.count == 2 && events.settled?.outputTokens == 2)
    }

    @Test("who comes back in the middle of a tool's work misses nothing and sees nothing twice")
    func resumes() async throws {
        let rig = Rig()
        let handle = try await rig.working()
        let seen = handle.log.lastSeq - 2
        async let rest = { () -> [LogEntry] in
            var entries: [LogEntry] = []
            for await batch in handle.log.batches(after: seen) { entries += batch }
            return entries
        }()
        for _ in 0..<20 { await Task.yield() }
        rig.latch.open()
        let entries = await rest
        #expect(entries.first?.firstSeq == seen + 1 && entries.last?.body.outcome == .complete)
        for (entry, next) in zip(entries, entries.dropFirst()) { #expect(next.firstSeq == entry.seq + 1) }
        #expect(entries.stepLines == ["running look", "running look", "completed look"])
        #expect(entries.steps[1].data["text"] == "begun")
    }

    @Test("what a tool prints is seen while it works, also its last words before it falls silent")
    func live() async throws {
        let (clock, latch) = (ManualClock(), Latch())
        let gate = TestGate { _, told in
            for text in ["one ", "two ", "three"] { told(.output(.stdout, text)) }
            await latch.wait()
            told(.output(.stdout, "four"))
            return ToolAnswer(content: "ok")
        }
        let model = RoundsModel([.call("look")], [.word("ok")])
        let coordinator = coordinator(TestMeter(), model.provider, clock: clock, tools: gate)
        let handle = try #require(await coordinator.start(request("x")).handle)
        await latch.waitForWaiters(1)
        func texts() -> [String] { handle.log.read(after: 0, maxBytes: 1 << 20).steps.compactMap { $0.data["text"]?.stringValue } }
        #expect(texts() == ["one "])
        while clock.sleepers < 2 { await Task.yield() }
        clock.advance(by: EngineLimits.toolProgressInterval)
        while texts().count < 2 { await Task.yield() }
        #expect(texts() == ["one ", "two three"] && handle.outcome == nil)
        latch.open()
        #expect(await handle.log.all().stepLines.last == "completed look" && texts().joined() == "one two threefour")
    }

    @Test("calls of the code are steps of their own, and approvals are events; neither outlives the call")
    func nested() async throws {
        let latch = Latch()
        let told = Mutex<TestGate.Tell?>(nil)
        let step = { @Sendable (status: RunStep.Status) in
            ToolNews.nested(ToolNews.NestedCall(callID: "n1", name: "crm.lookup", status: status, data: JSONObject([("rule", "p1")])))
        }
        let gate = TestGate(["run_code"]) { _, tell in
            told.withLock { $0 = tell }
            tell(step(.started))
            tell(.approval(RunApproval(id: "a", tool: "crm.lookup", args: [:], from: "g", quorum: 1, expiresAt: 1, state: "pending")))
            await latch.wait()
            tell(step(.completed))
            return ToolAnswer(content: "ok")
        }
        let model = RoundsModel([.call("run_code", id: "c")], [.word("ok")])
        let coordinator = coordinator(TestMeter(), model.provider, clock: ManualClock(), tools: gate)
        let handle = try #require(await coordinator.start(request("x")).handle)
        await latch.waitForWaiters(1)
        #expect(coordinator.live(handle.identity.run)?.state == .waiting(.approval))
        latch.open()
        let events = await handle.log.all()
        told.withLock { $0 }?(step(.error))
        #expect(handle.log.lastSeq == events.last?.seq)
        #expect(
            events.stepLines == [
                "started run_code", "running run_code", "started crm.lookup", "completed crm.lookup", "completed run_code",
            ])
        #expect(events.steps[2].data["parent_call_id"] == "c" && events.steps[2].data["rule"] == "p1" && events.end == "stop")
        #expect(events.contains { $0.body.type == "chat.approval" })
    }

    @Test("each attempt is told to the metrics once, and each call with how it ended")
    func metrics() async throws {
        let record = Record()
        let rig = Rig(record: record)
        rig.latch.open()
        _ = await (try await rig.start()).log.all()
        while rig.coordinator.liveCount > 0 { await Task.yield() }
        #expect(record.counts.attempts == [.answered, .answered] && record.counts.calls == [.completed] && record.counts.firsts == 1)
        let killed = Rig(isStubborn: true, record: record)
        let handle = try await killed.working()
        #expect(killed.coordinator.kill(handle.identity.run))
        while killed.clock.sleepers < 2 { await Task.yield() }
        killed.clock.advance(by: EngineLimits.toolStopGrace)
        while killed.coordinator.liveCount > 0 { await Task.yield() }
        #expect(record.counts.attempts.count == 3 && record.counts.calls == [.completed, .error] && record.counts.abandoned == 1)
        killed.latch.open()
    }

    private final class Record: EngineMetrics {
        struct Counts {
            var attempts: [AttemptOutcome] = []
            var calls: [RunStep.Status] = []
            var abandoned = 0
            var firsts = 0
        }

        private let state = Mutex(Counts())
        var counts: Counts { state.withLock { $0 } }

        func attemptEnded(model: String, outcome: AttemptOutcome) { state.withLock { $0.attempts.append(outcome) } }
        func toolCallEnded(_ status: RunStep.Status, after: Duration) { state.withLock { $0.calls.append(status) } }
        func toolAbandoned() { state.withLock { $0.abandoned += 1 } }
        func firstToken(model: String, after: Duration) { state.withLock { $0.firsts += 1 } }
        func runStarted(model: String) {}
        func runEnded(model: String, outcome: RunOutcome, cutReason: CutReason?) {}
        func runRefused() {}
        func reservationForced(model: String, reason: ReserveReason) {}
        func usageBeyondReservation(model: String, tokens: Int) {}
        func tokensSettled(model: String, input: Int, output: Int) {}
        func deltaLatency(nanoseconds: Int64) {}
        func cutLatency(_ latency: Duration) {}
        func conversationNotSaved() {}
    }
}

/// Plays events once a latch is open.
private final class HeldStream: ModelStream {
    private var events: ArraySlice<ModelEvent>
    private let latch: Latch

    init(_ events: [ModelEvent], _ latch: Latch) {
        self.events = events[...]
        self.latch = latch
    }

    func next() async throws(ProviderError) -> ModelEvent? {
        if let event = events.popFirst() { return event }
        await latch.wait()
        return .finished(reason: "stop")
    }

    func close() {}
}
