import EngineProviders
import JSON
import Synchronization
import Testing

@testable import Engine

@Suite("Agent loop: rounds (in memory, no sockets)")
struct ToolLoopTests {
    private func events(
        _ model: RoundsModel, _ gate: TestGate, _ meter: TestMeter = TestMeter(), asking: RunRequest = request("x")
    ) async throws -> [LogEntry] {
        let handle = try #require(await coordinator(meter, model.provider, tools: gate).start(asking).handle)
        return await handle.log.all()
    }

    @Test("the tools of one answer are called, and the model reads what they said in a next round, in the order of the calls")
    func loop() async throws {
        let model = RoundsModel(
            [.word("Well. "), .call("look", #"{"a":"#, id: "c1"), .arguments("1}"), .call("write", index: 1, id: "c2"), .spent(7, 4)],
            [.word("Done."), .spent(30, 1)])
        let (gate, meter) = (TestGate(), TestMeter())
        let events = try await events(model, gate, meter)
        #expect(events.map(\.seq) == Array(1...events.count))
        guard case .complete("Well. Done.", "stop", let settled)? = events.last?.body else {
            Issue.record("not complete: \(String(describing: events.last?.body))")
            return
        }
        #expect(gate.record.calls.map(\.arguments).sorted() == [#"{"a":1}"#, "{}"])
        let second = try #require(model.requests.last)
        #expect(model.requests.count == 2 && second.messages.map(\.role) == ["user", "assistant", "tool", "tool"])
        #expect(second.messages[1].text == "Well. ")
        #expect(second.messages[1].extra["tool_calls"]?.arrayValue?.map { $0["function"]?["arguments"] } == [#"{"a":1}"#, "{}"])
        #expect(second.messages[2...].map(\.text) == [#"look says {"a":1}"#, "write says {}"])
        #expect(second.messages[2...].map { $0.extra["tool_call_id"] } == ["c1", "c2"])
        // Each round has a lease, settled with its own usage; the run is one request.
        #expect(meter.admissions.map(\.attempt) == [1, 2] && meter.settled.map(\.admission.attempt) == [1, 2])
        #expect(meter.settled.map(\.usage.usage.inputTokens) == [7, 30] && meter.settled.map(\.taken) == [4, 1])
        #expect(settled.inputTokens == 37 && settled.outputTokens == 5 && settled.costUSD == "0.02")
    }

    @Test("a call has a step when its name is known, when it is made and when it has ended; its arguments stream between")
    func steps() async throws {
        let model = RoundsModel([.call("look", #"{"a":1}"#, id: "c1")], [.word("ok")])
        let events = try await events(model, TestGate())
        let steps = events.steps
        #expect(steps.map(\.status) == [.started, .running, .completed] && steps.allSatisfy { $0.step == "tool_call" && $0.isServerCall })
        #expect(steps.allSatisfy { $0.data["tool"] == "look" && $0.data["call_id"] == "c1" && $0.data["index"] == 0 })
        #expect(steps[0].data["args"] == nil && steps[1].data["args"] == ["a": 1] && steps[2].data["args"] == ["a": 1])
        #expect(steps[2].data["result"] == "of look")
        #expect(events.compactMap(\.body.delta).map(\.marker) == [.tool, .answer])
    }

    @Test("calls of one answer work at the same time")
    func parallel() async throws {
        let latch = Latch()
        let come = Mutex(0)
        let gate = TestGate { call, _ in
            // Each waits until the other has come.
            let isSecond = come.withLock { count in
                count += 1
                return count == 2
            }
            if isSecond { latch.open() }
            await latch.wait()
            return ToolAnswer(content: call.callID)
        }
        let model = RoundsModel([.call("look", id: "c1"), .call("look", index: 1, id: "c2")], [.word("ok")])
        #expect(try await events(model, gate).end == "stop")
        #expect(model.requests.last?.messages.suffix(2).map(\.text) == ["c1", "c2"])
    }

    @Test("indices and names of calls are the run's: what an upstream repeats in a later round is told apart")
    func identity() async throws {
        let model = RoundsModel(
            [.call("look", id: "same"), .call("look", index: 1, id: "same")], [.call("look", id: "same")], [.call("look", id: "not safe")],
            [.word("ok")])
        let gate = TestGate()
        let events = try await events(model, gate)
        let started = events.steps.filter { $0.status == .started }
        #expect(started.map { $0.data["index"] } == [0, 1, 2, 3])
        let ids = started.compactMap { $0.data["call_id"]?.stringValue }
        #expect(ids.first == "same" && Set(ids).count == 4 && Set(ids) == Set(gate.record.calls.map(\.callID)))
        #expect(!ids.contains("not safe"))
        #expect(events.compactMap(\.body.delta).filter { $0.marker == .tool }.map(\.index) == [0, 1, 2, 3])
        // Each result is read under the name of its call.
        let last = try #require(model.requests.last).messages
        #expect(last.filter { $0.role == "tool" }.compactMap { $0.extra["tool_call_id"]?.stringValue } == ids)
    }

    @Test("the gate learns who calls, for which run; the model is told of what it offers, beside the client's own tools")
    func offers() async throws {
        let model = RoundsModel([.word("ok")])
        let gate = TestGate()
        var asked = request("x")
        asked.roles = ["finance"]
        asked.tools = [TestGate.definition("mine", "client"), TestGate.definition("look", "client")]
        let handle = try #require(await coordinator(TestMeter(), model.provider, tools: gate).start(asked).handle)
        _ = await handle.log.all()
        #expect(gate.record.callers == [ToolCaller(tenant: ann, roles: ["finance"], identity: handle.identity)])
        let told = model.requests.first?.tools?.arrayValue?.map { [$0["function"]?["name"], $0["function"]?["description"]] }
        #expect(told == [["mine", "client"], ["look", "server"], ["write", "server"]])
    }

    @Test("a client's tool is handed through as ever; beside it the server's are called first, and the run completes with tool_calls")
    func clientTools() async throws {
        let gate = TestGate()
        var asked = request("x")
        asked.tools = [TestGate.definition("mine", "client")]
        let alone = try await events(RoundsModel([.call("mine", "{}", id: "")]), gate, asking: asked)
        #expect(alone.stepLines == ["started mine", "running mine"] && alone.steps.allSatisfy { !$0.isServerCall })
        #expect(alone.steps.last?.data == JSONObject([("tool", "mine"), ("call_id", ""), ("args", [:]), ("index", 0)]))
        #expect(gate.record.calls.isEmpty)
        let both = try await events(
            RoundsModel([.call("mine", "{}", id: "c1"), .call("look", index: 1, id: "c2")], [.word("never")]), gate, asking: asked)
        #expect(both.end == "tool_calls")
        #expect(both.stepLines == ["started mine", "started look", "running look", "completed look", "running mine"])
        #expect(gate.record.calls.map(\.name) == ["look"])
    }

    @Test("which of the server's tools a run has: a message all, a whole prompt none, or those that are named")
    func serverTools() async throws {
        let call = ModelEvent.call("look")
        var prompt = request("x")
        prompt = RunRequest(tenant: ann, model: "demo", input: .prompt([ModelMessage(role: "user", text: "x")]))
        let gate = TestGate()
        let model = RoundsModel([call])
        // As without a gate: every call is the client's.
        let handed = try await events(model, gate, asking: prompt)
        #expect(handed.stepLines == ["started look", "running look"] && model.requests.first?.tools == nil && gate.record.names.isEmpty)
        prompt.serverTools = .names(["look", "nothing"])
        let named = RoundsModel([call, .call("write", index: 1)], [.word("ok")])
        let events = try await events(named, gate, asking: prompt)
        #expect(named.requests.first?.tools?.arrayValue?.count == 1 && gate.record.calls.map(\.name) == ["look"])
        // A tool that the client did not name is not called, whatever the model says.
        #expect(events.steps.last { $0.title == "write" }?.data["error"]?["code"] == "unknown_tool")
    }

    @Test("a name that nobody defined is refused; the model reads so, and the gate has heard of it")
    func unknown() async throws {
        let model = RoundsModel([.call("nope")], [.word("Sorry.")])
        let gate = TestGate()
        let events = try await events(model, gate)
        #expect(events.stepLines == ["started nope", "error nope"] && events.end == "stop")
        #expect(gate.record.names == ["nope"] && gate.record.refused == ["nope"] && gate.record.calls.isEmpty)
        let read = try JSONValue(parsing: try #require(model.requests.last?.messages.last?.text))
        #expect(read["error"]?["code"] == "unknown_tool")
    }

    @Test("an answer that was broken off makes no call")
    func brokenOff() async throws {
        let gate = TestGate()
        let model = RoundsModel([.call("look", #"{"a":"#), .usage(ModelUsage()), .finished(reason: "length")])
        let events = try await events(model, gate)
        #expect(events.stepLines == ["started look", "skipped look"] && events.end == "length" && gate.record.calls.isEmpty)
    }

    @Test("a choice that the client forced is forced once")
    func toolChoice() async throws {
        for (choice, later) in [("required", nil), ("auto", "auto")] as [(JSONValue, JSONValue?)] {
            let model = RoundsModel([.call("look")], [.word("ok")])
            var asked = request("x")
            asked.parameters["tool_choice"] = choice
            _ = try await events(model, TestGate(), asking: asked)
            #expect(model.requests.map { $0.parameters["tool_choice"] } == [choice, later])
        }
    }

    @Test("arguments that are no JSON are the gate's to refuse, and no reason for an upstream to fail")
    func badArguments() async throws {
        let model = RoundsModel([.call("look", "{oops", id: "c")], [.word("ok")])
        let gate = TestGate()
        let events = try await events(model, gate)
        #expect(gate.record.calls.map(\.arguments) == ["{oops"] && events.steps.last?.data["args"] == "{oops")
        let calls = model.requests.last?.messages[1].extra["tool_calls"]
        #expect(calls?.arrayValue?.first?["function"]?["arguments"] == "{}")
    }

    @Test("the conversation keeps the text of all rounds, and the next turn reads no tools")
    func conversation() async throws {
        let model = RoundsModel([.word("Let me see. "), .call("look")], [.word("It is 4.")], [.word("ok")])
        let coordinator = coordinator(TestMeter(), model.provider, tools: TestGate())
        let first = try #require(await coordinator.start(request("How many?")).handle)
        _ = await first.log.all()
        let second = try #require(await coordinator.start(request("Sure?", conversation: first.identity.conversation)).handle)
        _ = await second.log.all()
        #expect(model.requests.last?.messages.map(\.role) == ["user", "assistant", "user"])
        #expect(model.requests.last?.messages[1].text == "Let me see. It is 4.")
    }

    @Test("the scripted model goes through its rounds, and tells at last what the tools answered")
    func scripted() async throws {
        let text = "@rate 0\n@tool look {\"n\":1}\n@then\n@tool look {\"n\":2}\n@tool write {}\n@then\n@tokens 3\n@tool look {}"
        let gate = TestGate()
        let handle = try #require(await coordinator(TestMeter(), tools: gate).start(request(text)).handle)
        let events = await handle.log.all()
        #expect(gate.record.calls.map(\.callID).sorted() == ["call_1", "call_2", "call_3", "call_4"])
        #expect(events.end == "stop" && events.map(\.body).compactMap(\.delta).last?.marker == .answer)
        guard case .complete(let answer, _, _)? = events.last?.body else { return }
        #expect(answer == "The tools answered:" + "\n\nThe tool answered: look says {}")
    }
}
