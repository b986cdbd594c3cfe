import JSON
import Testing

@testable import Engine

@Suite("Agent loop: limits, on both sides")
struct ToolLimitTests {
    private func run(
        _ limits: EngineLimits, _ model: RoundsModel, _ gate: TestGate = TestGate(), clock: any EngineClock = ManualClock()
    ) async throws -> [LogEntry] {
        let coordinator = coordinator(TestMeter(), model.provider, clock: clock, limits: limits, tools: gate)
        return await (try #require(await coordinator.start(request("x")).handle)).log.all()
    }

    private static func limits(_ change: (inout EngineLimits) -> Void) -> EngineLimits {
        var limits = EngineLimits()
        change(&limits)
        return limits
    }

    private static func looks(_ count: Int) -> [ModelEvent] { (0..<count).map { .call("look", index: $0, id: "c\($0)") } }

    @Test("rounds: the last answer may call nothing; its calls are skipped and the run completes with tool_limit")
    func rounds() async throws {
        let limits = Self.limits { $0.toolRoundsMax = 3 }
        let calling = Array(repeating: Self.looks(1), count: 2)
        let (gate, within) = (TestGate(), RoundsModel((calling + [[.word("ok")]]).map { ($0, .finish) }))
        #expect(try await run(limits, within, gate).end == "stop" && gate.record.calls.count == 2)
        let beyond = RoundsModel((calling + [[.word("more"), .call("look")]]).map { ($0, .finish) })
        let events = try await run(limits, beyond, gate)
        #expect(events.end == "tool_limit" && events.text.hasSuffix("more{}") && events.stepLines.last == "skipped look")
        #expect(gate.record.calls.count == 4 && beyond.requests.count == 3)
    }

    @Test("calls of one answer: those beyond the limit are not made, and the model reads so")
    func callsPerAnswer() async throws {
        let limits = Self.limits { $0.toolCallsPerAnswerMax = 3 }
        for (count, made) in [(3, 3), (5, 3)] {
            let (gate, model) = (TestGate(), RoundsModel(Self.looks(count), [.word("ok")]))
            let events = try await run(limits, model, gate)
            #expect(events.end == "stop" && gate.record.calls.count == made)
            let read = try #require(model.requests.last).messages.filter { $0.role == "tool" }.map(\.text)
            #expect(read.count == count && read.filter { $0.contains("tool_limit") }.count == count - made)
            #expect(events.steps.filter { $0.status == .error }.count == count - made)
        }
    }

    @Test("calls of one run: an answer that would pass the limit has its calls skipped, and the run completes with tool_limit")
    func callsPerRun() async throws {
        let limits = Self.limits { $0.toolCallsPerRunMax = 4 }
        for (second, end) in [(2, "stop"), (3, "tool_limit")] {
            let (gate, model) = (TestGate(), RoundsModel(Self.looks(2), Self.looks(second), [.word("ok")]))
            let events = try await run(limits, model, gate)
            #expect(events.end == end && gate.record.calls.count == (end == "stop" ? 4 : 2))
            #expect(events.steps.filter { $0.status == .skipped }.count == (end == "stop" ? 0 : 3))
        }
    }

    @Test("time: when the tools of a run have worked so long they are stopped, and the run completes with tool_limit")
    func time() async throws {
        let limits = Self.limits { $0.toolTimeMax = .seconds(10) }
        for (second, end) in [(Duration.milliseconds(3_999), "stop"), (.seconds(4), "tool_limit")] {
            let (clock, latches) = (ManualClock(), [Latch(), Latch()])
            let gate = TestGate { call, _ in
                await latches[call.callID == "c0" ? 0 : 1].wait()
                return ToolAnswer(content: "", isError: Task.isCancelled)
            }
            let model = RoundsModel(Self.looks(1), [.call("look", id: "d")], [.word("ok")])
            async let running = run(limits, model, gate, clock: clock)
            await latches[0].waitForWaiters(1)
            // What the model takes is not the tools' time, and the rounds' times add up.
            clock.advance(by: .seconds(6))
            latches[0].open()
            await latches[1].waitForWaiters(1)
            await clock.waitForSleeper()
            clock.advance(by: second)
            if end == "stop" { latches[1].open() }
            let events = try await running
            #expect(events.end == end && gate.record.stopped == (end == "stop" ? 0 : 1))
            #expect(events.steps.last?.status == (end == "stop" ? .completed : .error))
        }
    }

    @Test("the time that people take is counted by itself, and is not the tools'")
    func approvalTime() async throws {
        let limits = Self.limits { ($0.toolTimeMax, $0.approvalTimeMax) = (.seconds(10), .seconds(100)) }
        for (patience, end) in [(Duration.seconds(99), "stop"), (.seconds(100), "tool_limit")] {
            let (clock, latch) = (ManualClock(), Latch())
            let gate = TestGate { _, told in
                told(.approval(Self.approval("pending")))
                await latch.wait()
                if !Task.isCancelled { told(.approval(Self.approval("approved"))) }
                return ToolAnswer(content: "", isError: Task.isCancelled)
            }
            let model = RoundsModel(Self.looks(1), [.word("ok")])
            let coordinator = coordinator(TestMeter(), model.provider, clock: clock, limits: limits, tools: gate)
            let handle = try #require(await coordinator.start(request("x")).handle)
            await latch.waitForWaiters(1)
            #expect(coordinator.live(handle.identity.run)?.state == .waiting(.approval))
            // The tools' deadline gives way to the people's.
            while clock.sleepers != 1 { await Task.yield() }
            clock.advance(by: patience)
            if end == "stop" { latch.open() }
            let events = await handle.log.all()
            #expect(events.end == end)
            let states = events.compactMap { entry -> String? in
                guard case .approval(let approval) = entry.body else { return nil }
                return approval.state
            }
            #expect(states == (end == "stop" ? ["pending", "approved"] : ["pending"]))
        }
    }

    private static func approval(_ state: String) -> RunApproval {
        RunApproval(id: "a1", tool: "look", args: [:], from: "group:finance", quorum: 1, expiresAt: 1, state: state)
    }

    @Test("a result beyond the limit is cut between characters, and says so")
    func resultBytes() async throws {
        let limits = Self.limits { $0.toolResultBytesMax = 9 }
        for (content, read) in [
            ("123456789", "123456789"), ("1234567éx", "1234567é"), ("12345678é", "12345678"), ("12345678901", "123456789"),
        ] {
            let model = RoundsModel(Self.looks(1), [.word("ok")])
            _ = try await run(limits, model, TestGate { _, _ in ToolAnswer(content: content) })
            let text = try #require(model.requests.last?.messages.last?.text)
            let isCut = content.utf8.count > 9
            #expect(
                text
                    == (isCut
                        ? read + "\n[The last \(content.utf8.count - read.utf8.count) bytes of this result were left out: it is too long.]"
                        : read))
        }
    }

    @Test("results of one run: once they are as long as the limit, the run completes with tool_limit")
    func resultsBytes() async throws {
        let limits = Self.limits { $0.toolResultsBytesMax = 30 }
        for (size, end) in [(14, "stop"), (15, "tool_limit")] {
            let model = RoundsModel(Self.looks(1), Self.looks(1), [.word("ok")])
            let events = try await run(limits, model, TestGate { _, _ in ToolAnswer(content: String(repeating: "x", count: size)) })
            #expect(events.end == end && model.requests.count == (end == "stop" ? 3 : 2))
        }
    }

    @Test("what a tool prints without end does not push the run's text out of its log")
    func progress() async throws {
        let gate = TestGate { _, told in
            for line in 0..<20_000 { told(.output(line % 2 == 0 ? .stdout : .stderr, "line \(line)\n")) }
            return ToolAnswer(content: "ok", data: JSONObject([("exit", "ok")]))
        }
        let rounds = (0..<15).map { ([ModelEvent.word("round \($0) ")] + Self.looks(4), PlayedStream.End.finish) }
        let limits = EngineLimits()
        let model = RoundsModel(rounds + [([.word("end")], .finish)])
        let events = try await run(limits, model, gate)
        #expect(events.end == "stop" && events.first?.firstSeq == 1 && events.text.hasPrefix("round 0 "))
        #expect(events.map(\.body).filter { $0 == .gap }.isEmpty)
        let progress = events.steps.filter { $0.data["stream"] != nil }
        let bytes = progress.reduce(0) { $0 + RunEventBody.step($1).byteCount }
        #expect(bytes <= limits.toolProgressBytesPerRunMax && bytes > limits.toolProgressBytesPerRunMax - 4_096)
        let first = progress.filter { $0.data["call_id"] == progress[0].data["call_id"] }
        #expect(first.reduce(0) { $0 + RunEventBody.step($1).byteCount } <= limits.toolProgressBytesMax)
        // Each call says once that its progress was cut, and has its end.
        #expect(events.steps.filter { $0.data["truncated"] == true }.count == 60)
        #expect(events.steps.filter { $0.status == .completed }.count == 60)
    }

    @Test("the data of a step beyond the limit lacks its largest members, and names them")
    func stepBytes() async throws {
        let limits = Self.limits { $0.toolStepBytesMax = 200 }
        for (size, omitted) in [(40, nil), (400, [JSONValue.string("stdout")])] as [(Int, [JSONValue]?)] {
            let data = JSONObject([("exit", "ok"), ("stdout", .string(String(repeating: "x", count: size)))])
            let model = RoundsModel(Self.looks(1), [.word("ok")])
            let step = try await run(limits, model, TestGate { _, _ in ToolAnswer(content: "", data: data) }).steps.last
            #expect(step?.data["omitted"]?.arrayValue == omitted && step?.data["exit"] == "ok" && step?.data["args"] == [:])
            #expect((step?.data["stdout"] == nil) == (omitted != nil))
        }
    }

    @Test("arguments beyond the limit are an upstream's fault, in one piece as in many")
    func argumentBytes() async throws {
        let half = String(repeating: "x", count: EngineLimits.toolArgumentBytesMax / 2)
        let gate = TestGate()
        #expect(try await run(EngineLimits(), RoundsModel([.call("look", half), .arguments(half)], [.word("ok")]), gate).end == "stop")
        for events in [[.call("look", half), .arguments(half + "x")], [.call("look", half + half + "x")]] as [[ModelEvent]] {
            #expect(try await run(EngineLimits(), RoundsModel(events), gate).end == "upstream_error")
        }
        #expect(gate.record.calls.count == 1)
    }
}
