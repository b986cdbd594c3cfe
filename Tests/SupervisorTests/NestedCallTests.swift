import JSON
import Supervisor
import Synchronization
import Testing

@Suite("Calls that code makes", .timeLimit(.minutes(1)))
struct NestedCallTests {
    static let code: JSONValue = [
        "type": "object", "additionalProperties": false, "required": ["code"], "properties": ["code": ["type": "string"]],
    ]

    @Test("a nested call is the same caller's, of source code, with its parent, and told of as a step")
    func nested() async throws {
        let news = Mutex<[ToolNews]>([])
        let bench = try Bench(
            [tool(), tool("run_code", builtin: "run_code", parameters: Self.code)],
            others: [
                "run_code": ScriptedTool { call in
                    call.told(.output(.stdout, "hi"))
                    let made = await call.nested(
                        NestedCall(tool: "payments.refund", arguments: JSONObject([("order_id", "A1"), ("amount", 5)])))
                    let denied = await call.nested(NestedCall(tool: "run_code", arguments: JSONObject([("code", "1")])))
                    return .success([made.value ?? .null, .string(denied.rule ?? "")])
                }
            ])
        let request = CallRequest(caller: ann, callID: "call_1", tool: "run_code", text: #"{"code":"x"}"#)
        let result = await bench.supervisor.call(request) { item in news.withLock { $0.append(item) } }
        #expect(result.value == [["order_id": "A1", "amount": 5], "supervisor.code"])
        let made = try #require(bench.log.records.first { $0.tool == "payments.refund" })
        #expect(made.source == .code)
        #expect(made.parentCallID == "call_1")
        #expect(made.callID == "call_1.1")
        #expect(made.caller == ann)
        let steps = news.withLock { $0 }.compactMap { item -> String? in
            guard case .nested(let step) = item else { return nil }
            return "\(step.callID) \(step.status.rawValue)"
        }
        #expect(steps == ["call_1.1 running", "call_1.1 completed", "call_1.2 error"])
    }

    @Test("one job's calls are counted apart from the model's, and refused when the job is over")
    func over() async throws {
        let kept = Mutex<AdmittedCall?>(nil)
        let bench = try Bench(
            [tool(), tool("run_code", builtin: "run_code", parameters: Self.code)],
            others: [
                "run_code": ScriptedTool { call in
                    kept.withLock { $0 = call }
                    return .success(.null)
                }
            ])
        _ = await bench.call(#"{"code":"x"}"#, tool: "run_code")
        let call = try #require(kept.withLock { $0 })
        let late = await call.nested(NestedCall(tool: "payments.refund", arguments: JSONObject([("order_id", "A1"), ("amount", 5)])))
        #expect(late.code == "call_over")
        #expect(bench.log.records.last?.code == "call_over")
    }

    @Test("the calls of a job that is stopped are stopped with it")
    func stopped() async throws {
        let bench = try Bench(
            [tool(), tool("run_code", timeout: "20s", builtin: "run_code", parameters: Self.code)],
            adapter: ScriptedTool.obedient,
            others: [
                "run_code": ScriptedTool { call in
                    let made = await call.nested(
                        NestedCall(tool: "payments.refund", arguments: JSONObject([("order_id", "A1"), ("amount", 5)])))
                    return .success(.string(made.code ?? ""))
                }
            ])
        let task = Task { await bench.call(#"{"code":"x"}"#, tool: "run_code") }
        await bench.clock.waitForSleeper(dueAt: 10)
        task.cancel()
        #expect(await task.value.value == "cancelled")
        #expect(bench.supervisor.callsInFlight == 0)
    }
}
