import JSON
import Supervisor
import Synchronization
import Testing

@Suite("Sessions that decisions look back at", .timeLimit(.minutes(1)))
struct SessionTests {
    static let mail: JSONValue = [
        "type": "object", "additionalProperties": false, "required": ["draft_id"],
        "properties": ["draft_id": ["type": "string"], "text": ["type": "string"]],
    ]

    static func mailTool(_ name: String) -> JSONValue {
        guard case .object(var object) = tool(name, parameters: mail) else { return .null }
        object["correlate"] = "draft_id"
        return .object(object)
    }

    /// Mail is sent only as it was drafted and agreed to.
    static let rules = Rules(looksAtSession: true) { request in
        let step = SessionState.Step(tool: "mail.draft", key: request.arguments["draft_id"]?.stringValue ?? "")
        switch request.tool.name {
        case "mail.draft": return Ruling(.needsApproval(.finance()))
        case "mail.edit": return Ruling(.allow(rule: "edit"))
        default:
            guard request.session.history.contains(step) else {
                return Ruling(.deny(Refusal(code: "denied", message: "Nothing was drafted.", rule: "mail-after-draft")))
            }
            guard request.session.approvals.contains(step) else {
                return Ruling(.deny(Refusal(code: "denied", message: "Nobody agreed to it.", rule: "mail-as-agreed")))
            }
            return Ruling(.allow(rule: "mail"))
        }
    }

    static func bench(adapter: any ToolAdapter = ScriptedTool.echo, decider: any Decider = rules) throws -> Bench {
        try Bench([mailTool("mail.draft"), mailTool("mail.send")], adapter: adapter, decider: decider)
    }

    static func draft(_ bench: Bench, _ text: String) async throws -> CallResult {
        async let result = bench.call(text, tool: "mail.draft")
        let approval = try #require(await bench.pending().first)
        _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve)
        return await result
    }

    @Test("75: what was not drafted is not sent; what was, in this session, is")
    func order() async throws {
        let bench = try Self.bench()
        #expect(await bench.call(#"{"draft_id":"d1"}"#, tool: "mail.send").rule == "mail-after-draft")
        #expect(try await Self.draft(bench, #"{"draft_id":"d1"}"#).code == nil)
        #expect(await bench.call(#"{"draft_id":"d2"}"#, tool: "mail.send").rule == "mail-after-draft")
        let other = CallerIdentity(org: "acme", project: "shop", user: "ann", run: "run_2", conversation: "other")
        #expect(await bench.call(#"{"draft_id":"d1"}"#, tool: "mail.send", caller: other).rule == "mail-after-draft")
        #expect(await bench.call(#"{"draft_id":"d1"}"#, tool: "mail.send").code == nil)
    }

    @Test("76: a draft that was edited after people agreed is not sent")
    func edited() async throws {
        let isFree = Mutex(false)
        let inner = Self.rules
        let bench = try Self.bench(
            decider: Rules(looksAtSession: true) { request in
                if request.tool.name == "mail.draft", isFree.withLock({ $0 }) { return Ruling(.allow(rule: "edit")) }
                return await inner.decide(request)
            })
        #expect(try await Self.draft(bench, #"{"draft_id":"d1","text":"agreed"}"#).code == nil)
        isFree.withLock { $0 = true }
        #expect(await bench.call(#"{"draft_id":"d1","text":"edited"}"#, tool: "mail.draft").code == nil)
        #expect(await bench.call(#"{"draft_id":"d1"}"#, tool: "mail.send").rule == "mail-as-agreed")
    }

    @Test("16 calls at once of what may be done once, or three times: each decision knows the calls before it")
    func parallel() async throws {
        for most in [1, 3] {
            let bench = try Self.bench(
                decider: Rules(looksAtSession: true) { request in
                    await Task.yield()
                    let count = request.session.counts["mail.draft"] ?? 0
                    guard count < most else { return Ruling(.deny(Refusal(code: "denied", message: "", rule: "enough"))) }
                    return Ruling(.allow(rule: "r"), limits: [.count(100)])
                })
            let rules = await withTaskGroup(of: String?.self) { group in
                for index in 0..<16 {
                    group.addTask { await bench.call(#"{"draft_id":"d\#(index)"}"#, tool: "mail.draft", id: "call_\(index)").rule }
                }
                return await group.reduce(into: [String?]()) { $0.append($1) }
            }
            #expect(rules.count { $0 == nil } == most)
            #expect(rules.count { $0 == "enough" } == 16 - most)
            #expect(bench.limits.used("l1") == Int64(most) && bench.meter.commits == most)
        }
    }

    @Test("a call that failed is no history, but it was called")
    func failed() async throws {
        let seen = Mutex<SessionState?>(nil)
        let bench = try Self.bench(
            adapter: ScriptedTool { _ in .failure(ToolFailure(code: "x", message: "")) },
            decider: Rules(looksAtSession: true) { request in
                seen.withLock { $0 = request.session }
                return Ruling(.allow(rule: "r"))
            })
        _ = await bench.call(#"{"draft_id":"d1"}"#, tool: "mail.draft")
        _ = await bench.call(#"{"draft_id":"d1"}"#, tool: "mail.send")
        let state = try #require(seen.withLock { $0 })
        #expect(state.history.isEmpty && state.called == [SessionState.Step(tool: "mail.draft", key: "d1")])
        #expect(state.counts == ["mail.draft": 1])
    }

    @Test("a log that cannot be read is no empty session; a decider that does not look spares the reading")
    func unavailable() async throws {
        let bench = try Self.bench()
        bench.log.fail()
        let refused = await bench.call(#"{"draft_id":"d1"}"#, tool: "mail.send")
        #expect(refused.code == "session_unavailable" && refused.rule == "supervisor.session")
        #expect(bench.meter.refunds == 0)
        let blind = try Self.bench(decider: AllowListDecider())
        blind.log.fail()
        #expect(await blind.call(#"{"draft_id":"d1"}"#, tool: "mail.send").code == "log_unavailable")
    }

    @Test("91: a thing whose name looks like a card's number is found again, and the log does not have it")
    func hidden() async throws {
        let bench = try Self.bench()
        #expect(try await Self.draft(bench, #"{"draft_id":"4111 1111 1111 1111"}"#).code == nil)
        #expect(await bench.call(#"{"draft_id":"4111 1111 1111 1111"}"#, tool: "mail.send").code == nil)
        #expect(await bench.call(#"{"draft_id":"5500 0000 0000 0004"}"#, tool: "mail.send").rule == "mail-after-draft")
        for record in bench.log.records {
            #expect(record.subject?.hasPrefix("sha256:") == true)
            #expect(!"\(record)".contains("1111 1111"))
        }
    }
}
