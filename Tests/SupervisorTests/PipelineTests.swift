import Digest
import JSON
import Supervisor
import Synchronization
import Testing

@Suite("The way of a call through the supervisor", .timeLimit(.minutes(1)))
struct PipelineTests {
    @Test("an allowed call is reserved, recorded, made, charged and its outcome recorded, in this order")
    func order() async throws {
        let journal = Mutex<Journal?>(nil)
        let bench = try Bench(
            adapter: ScriptedTool { call in
                journal.withLock { $0 }?.note("dispatch")
                return .success(.object(call.arguments))
            })
        journal.withLock { $0 = bench.journal }
        let result = await bench.call()
        #expect(result.value == ["order_id": "A1", "amount": 5])
        #expect(bench.journal.all == ["reserve", "log allow tool.catalog", "dispatch", "commit", "outcome ok"])
        let record = try #require(bench.log.records.first)
        #expect(record.id == result.decisionID)
        #expect(record.id.hasPrefix("dec_") && record.id.utf8.count == 24)
        #expect(record.arguments == #"{"amount":5,"order_id":"A1"}"#)
        #expect(record.argumentsDigest == Digest.hex(Digest.sha256(#"{"amount":5,"order_id":"A1"}"#.utf8)))
        #expect(bench.log.outcomes.first?.id == record.id)
        #expect(bench.supervisor.callsInFlight == 0)
    }

    @Test("nothing is called when the decision cannot be recorded, and what was held is given back")
    func logDown() async throws {
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                Issue.record("called")
                return .success(.null)
            })
        bench.log.fail()
        let result = await bench.call()
        #expect(result.code == "log_unavailable")
        #expect(result.decisionID == nil)
        #expect(bench.meter.refunds == 1)
        #expect(bench.meter.commits == 0)
    }

    @Test(
        "52: an unknown name, one in capitals, a lookalike and names of programs are unknown tools, and recorded",
        arguments: [
            "payments.void", "Payments.Refund", "p\u{0430}yments.refund", "__class__", "os.system", "", "payments.refund ",
            String(repeating: "a", count: 5_000),
        ])
    func unknownTool(name: String) async throws {
        let bench = try Bench()
        let result = await bench.call(tool: name)
        #expect(result.code == "unknown_tool")
        #expect(result.rule == "supervisor.unknown_tool")
        let record = try #require(bench.log.records.first)
        #expect(record.decision == .deny)
        #expect(record.tool.utf8.count <= 100)
        #expect(record.tool.utf8.allSatisfy { (0x21...0x7E).contains($0) })
        #expect(bench.meter.commits == 0)
    }

    @Test(
        "47, 48, 49: what two readers could understand differently is no argument",
        arguments: [
            #"{"order_id":"A1","amount":1,"amount":9999}"#, #"{"order_id":"A1","amount":NaN}"#, #"{"order_id":"A1","amount":Infinity}"#,
            #"{"order_id":"A1","amount":1e999}"#, #"{"order_id":"A1","amount":-0}"#, #"{"order_id":"A1","amount":1.0000000000000001}"#,
            #"{"order_id":"A1","amount":1000000000000000000000000000000}"#, #"{"order_id":"\ud800","amount":1}"#,
            "\u{FEFF}{\"order_id\":\"A1\",\"amount\":1}", #"{"order_id":"A\u0000","amount":1}"#, "[]", "", "{",
            #"{"order_id":"A1","amount":1}x"#,
        ])
    func strictJSON(text: String) async throws {
        let bench = try Bench()
        let result = await bench.call(text)
        #expect(result.code == "bad_args")
        #expect(bench.log.records.first?.code == "bad_args")
        #expect(bench.log.records.first?.arguments == nil)
    }

    @Test("49: overlong UTF-8 is no argument")
    func overlong() async throws {
        let bench = try Bench()
        let bytes = Array(#"{"order_id":""#.utf8) + [0xC0, 0xAF] + Array(#"","amount":1}"#.utf8)
        let request = CallRequest(
            caller: ann, callID: "c", parentCallID: nil, source: .model, tool: "payments.refund", arguments: .text(bytes))
        #expect(await bench.supervisor.call(request).code == "bad_args")
    }

    @Test(
        "53: an argument more is refused, also one that only looks like a known one",
        arguments: [
            #"{"order_id":"A1","amount":1,"admin":true}"#, #"{"order_id":"A1","amount":1,"\u212Aey":1}"#, #"{"order_id":"A1"}"#,
        ])
    func extraArgument(text: String) async throws {
        let bench = try Bench()
        let result = await bench.call(text)
        #expect(result.code == "bad_args")
        #expect(result.refusal?.details["path"] != nil)
    }

    @Test("a role, the kill switch and code in code are denied by their rules")
    func denials() async throws {
        let code: JSONValue = [
            "type": "object", "additionalProperties": false, "required": ["code"], "properties": ["code": ["type": "string"]],
        ]
        let bench = try Bench([
            tool("a", roles: ["finance"]), tool("b"), tool("run_code", builtin: "run_code", parameters: code),
        ])
        bench.killSwitch.switchOff("b")
        #expect(await bench.call(tool: "a").rule == "tool.roles")
        #expect(await bench.call(tool: "b").code == "tool_disabled")
        let nested = CallRequest(
            caller: ann, callID: "c", parentCallID: "p", source: .code, tool: "run_code", arguments: .object(JSONObject([("code", "1")])))
        #expect(await bench.supervisor.call(nested).rule == "supervisor.code")
        #expect(bench.supervisor.offers(for: ann).map(\.name) == ["run_code"])
        #expect(bench.supervisor.refusal(ofName: "a", for: ann)?.rule == "tool.roles")
        #expect(bench.supervisor.refusal(ofName: "run_code", for: ann) == nil)
        #expect(bench.log.records.filter { $0.decision == .deny }.count >= 3)
    }

    @Test("what somebody else refused is recorded as it was")
    func attempted() async throws {
        let bench = try Bench([tool(roles: ["finance"])])
        let early = try #require(bench.supervisor.refusal(ofName: "payments.refund", for: ann))
        #expect(bench.log.records.isEmpty && early.decisionID == nil)
        let request = CallRequest(caller: ann, callID: "call_7", tool: "payments.refund", text: "")
        let refusal = bench.supervisor.attempted(request, as: early)
        while bench.log.records.isEmpty { await Task.yield() }
        #expect(bench.log.records.first?.id == refusal.decisionID && refusal.decisionID != nil)
        #expect(bench.log.records.first?.callID == "call_7" && bench.log.records.first?.rule == "tool.roles")
    }

    @Test("a budget that has no room refuses with its scope; so do rates, and budgets that cannot be asked")
    func budgets() async throws {
        let bench = try Bench([tool(cost: "0.01")], budget: 0)
        let refused = await bench.call()
        #expect(refused.code == "budget_exceeded")
        #expect(refused.refusal?.details["scope"]?["kind"] == "user")
        bench.meter.state.withLock { $0.kind = .rateLimited }
        #expect(await bench.call().code == "rate_limited")
        bench.meter.state.withLock { $0.isAvailable = false }
        #expect(await bench.call().code == "accounting_unavailable")
        #expect(bench.log.records.map(\.decision) == [.deny, .deny, .deny])
    }

    @Test("62: of 16 parallel calls of 50 against 200 exactly 4 are made")
    func parallelReservations() async throws {
        let bench = try Bench([tool(cost: "50")], budget: 200_000_000_000)
        let codes = await withTaskGroup(of: String?.self) { group in
            for index in 0..<16 { group.addTask { await bench.call(id: "call_\(index)").code } }
            return await group.reduce(into: [String?]()) { $0.append($1) }
        }
        #expect(codes.filter { $0 == nil }.count == 4)
        #expect(codes.filter { $0 == "budget_exceeded" }.count == 12)
        #expect(bench.meter.spent == 200_000_000_000)
    }

    @Test("a decision that a long reservation has made old is made again")
    func decidedAgain() async throws {
        let bench = try Bench()
        bench.meter.onReserve.withLock { hook in
            hook = { [clock = bench.clock, killSwitch = bench.killSwitch] in
                killSwitch.switchOff("payments.refund")
                clock.advance(by: 1)
            }
        }
        #expect(await bench.call().code == "tool_disabled")
        #expect(bench.meter.refunds == 1)
    }

    @Test("an approval that nobody can give is a denial")
    func approval() async throws {
        struct Asking: Decider {
            func decide(_ request: DecisionRequest) async -> Ruling {
                Ruling(.needsApproval(ApprovalDemand(rule: "large", from: [[.group("finance")]], quorum: 2, timeout: .seconds(60))))
            }
            func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal? { nil }
        }
        let bench = try Bench(decider: Asking(), asksPeople: false)
        let result = await bench.call()
        #expect(result.code == "approval_unavailable")
        #expect(result.rule == "large")
    }

    @Test("91: secrets stand in no record")
    func redaction() async throws {
        let bench = try Bench()
        _ = await bench.call(#"{"order_id":"A1","amount":5,"card_number":"4111111111111111"}"#)
        let record = try #require(bench.log.records.first)
        #expect(record.redacted == ["card_number"])
        #expect(record.arguments?.contains("4111") == false)
    }
}
