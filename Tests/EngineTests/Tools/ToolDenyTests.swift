import JSON
import Testing

@testable import Engine

@Suite("Agent loop: denied calls")
struct ToolDenyTests {
    private func run(
        _ policy: RunRequest.DenyPolicy, _ gate: TestGate, _ first: [ModelEvent], _ meter: TestMeter = TestMeter()
    ) async throws -> (events: [LogEntry], model: RoundsModel) {
        let model = RoundsModel(first, [.word("Then not.")])
        var asked = request("x")
        asked.onDeny = policy
        let handle = try #require(await coordinator(meter, model.provider, tools: gate).start(asked).handle)
        return (await handle.log.all(), model)
    }

    /// Denies by the arguments, which only the whole call can be judged by.
    private static func late(_ others: Latch? = nil) -> TestGate {
        TestGate { call, _ in
            if call.name == "write" { return .denied(TestGate.refusal) }
            await others?.wait()
            return ToolAnswer(content: "seen")
        }
    }

    private static let calls: [ModelEvent] = [.call("write", "{", id: "w"), .arguments("}"), .call("look", index: 1, id: "l"), .word("so")]

    private func denied(_ events: [LogEntry]) -> RunStep? { events.steps.last { $0.title == "write" } }

    @Test("feed_back: the model reads the refusal and goes on, whether the name or the call was denied", arguments: [true, false])
    func feedBack(isEarly: Bool) async throws {
        let gate = isEarly ? TestGate(forbidden: ["write"]) : Self.late()
        let (events, model) = try await run(.feedBack, gate, Self.calls)
        #expect(events.end == "stop" && events.text.hasSuffix("Then not."))
        #expect(gate.record.calls.map(\.name).sorted() == (isEarly ? ["look"] : ["look", "write"]))
        let step = try #require(denied(events))
        #expect(step.status == .error && step.data["decision"] == "deny" && step.data["rule"] == "policy7" && step.data["args"] == [:])
        let messages = try #require(model.requests.last?.messages)
        let read = try JSONValue(parsing: messages[2].text)
        #expect(messages[2].extra["tool_call_id"] == "w" && read["error"] == ["code": "policy_denied", "message": "no", "rule": "policy7"])
        #expect(messages[3].extra["tool_call_id"] == "l" && messages[3].text.contains(isEarly ? "look says" : "seen"))
    }

    @Test("stop_turn, the name denied: the answer is read to its end, and none of its calls is made")
    func stopEarly() async throws {
        let gate = TestGate(forbidden: ["write"])
        let meter = TestMeter()
        let (events, model) = try await run(.stopTurn, gate, Self.calls, meter)
        #expect(events.end == "tool_denied" && events.text.hasSuffix("so") && gate.record.calls.isEmpty && model.requests.count == 1)
        #expect(events.stepLines == ["started write", "started look", "skipped look", "error write"])
        #expect(meter.settled.count == 1 && meter.settled[0].taken == 4)
    }

    @Test("stop_turn, the call denied: what works already is done, and then the run completes with tool_denied")
    func stopLate() async throws {
        let latch = Latch()
        let gate = Self.late(latch)
        async let running = run(.stopTurn, gate, Self.calls)
        await latch.waitForWaiters(1)
        latch.open()
        let (events, model) = try await running
        #expect(events.end == "tool_denied" && model.requests.count == 1 && gate.record.stopped == 0)
        #expect(events.steps.last { $0.title == "look" }?.status == .completed && denied(events)?.status == .error)
    }

    @Test("cut_stream, the name denied: the stream is cut when the name closes, and no token more is paid")
    func cutEarly() async throws {
        let gate = TestGate(forbidden: ["write"])
        let meter = TestMeter()
        let (events, model) = try await run(.cutStream, gate, [.word("I "), .call("look", id: "l")] + Self.calls.map(\.shifted), meter)
        guard case .cut(let cut, let settled)? = events.last?.body else {
            Issue.record("not cut")
            return
        }
        #expect(cut.reason == .policyDenied && cut.decisionID == "d7")
        #expect(events.stepLines == ["started look", "started write", "error write", "skipped look"])
        #expect(denied(events)?.data["decision"] == "deny" && events.text == "I {}{")
        #expect(gate.record.calls.isEmpty && model.requests.count == 1)
        #expect(meter.settled.map(\.taken) == [3] && settled.outputTokens == 3)
    }

    @Test("cut_stream, the call denied: the run is cut at once, and what works beside it is stopped")
    func cutLate() async throws {
        let gate = Self.late(Latch())
        let (events, _) = try await run(.cutStream, gate, Self.calls)
        guard case .cut(let cut, _)? = events.last?.body else {
            Issue.record("not cut")
            return
        }
        #expect(cut.reason == .policyDenied && cut.decisionID == "d7" && gate.record.stopped == 1)
        #expect(denied(events)?.status == .error && events.terminals.count == 1)
    }

    @Test("a gate can end the run: its other tools are stopped, and the run ends as it says")
    func endsRun() async throws {
        let fault = RunEnding.error(code: "accounting_unavailable", message: "no log")
        for ending in [fault, .cut(TestMeter.cut), .complete(finishReason: "tool_denied")] {
            let latch = Latch()
            let gate = TestGate { call, _ in
                if call.name == "write" { return ToolAnswer(content: "", isError: true, verdict: .endsRun(ending)) }
                await latch.wait()
                return ToolAnswer(content: "late")
            }
            let (events, model) = try await run(.feedBack, gate, Self.calls)
            #expect(gate.record.stopped == 1 && model.requests.count == 1 && events.terminals.count == 1)
            #expect(events.terminals.first?.outcome == ending.outcome)
            #expect(["accounting_unavailable", "budget_exceeded", "tool_denied"].contains(events.end))
        }
    }
}

extension ModelEvent {
    /// The same with its call's index one higher.
    fileprivate var shifted: ModelEvent {
        guard case .toolCallDelta(let delta) = self else { return self }
        return .toolCallDelta(
            ToolCallDelta(
                index: delta.index + 1, id: delta.id, name: delta.name, argumentsFragment: delta.argumentsFragment, tokens: delta.tokens))
    }
}
