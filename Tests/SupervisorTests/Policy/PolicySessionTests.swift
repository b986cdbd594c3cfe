import JSON
import Supervisor
import Testing

@Suite("Sessions, names and questions")
struct PolicySessionTests {
    static let workflow = """
        @id("mail") permit (principal, action in [Action::"mail.draft", Action::"mail.send"], resource);
        @id("drafted-and-approved") @message("Only a draft that people agreed to is sent.")
        forbid (principal, action == Action::"mail.send", resource)
        unless { context.approvals.contains({tool: "mail.draft", key: context.args.draft_id}) };
        @id("no-mail-after-refund")
        forbid (principal, action == Action::"mail.draft", resource)
        when { context.counts["payments.refund"] > 0 };
        """

    @Test("75: what was not drafted and approved is not sent, and a session's past is what the question says")
    func workflow() throws {
        let bundle = try Shop.bundle(Self.workflow)
        #expect(bundle.looksAtSession)
        func send(_ more: [(String, JSONValue)]) throws -> String {
            try Shop.ask(bundle, .object(JSONObject([("call", "mail.send"), ("args", ["draft_id": "d1", "to": ["x"]])] + more))).told
        }
        #expect(try send([]) == "deny denied drafted-and-approved")
        #expect(try send([("history", [["tool": "mail.draft", "key": "d1"]])]) == "deny denied drafted-and-approved")
        #expect(try send([("approvals", [["tool": "mail.draft", "key": "d2"]])]) == "deny denied drafted-and-approved")
        #expect(try send([("approvals", [["tool": "mail.draft", "key": "d1"]])]) == "allow mail")
        let draft: [(String, JSONValue)] = [("call", "mail.draft"), ("args", ["draft_id": "d1", "text": "x"])]
        #expect(try Shop.ask(bundle, .object(JSONObject(draft))).told == "allow mail")
        let refunded: [(String, JSONValue)] = [("called", [["tool": "payments.refund", "key": "A1"]])]
        #expect(try Shop.ask(bundle, .object(JSONObject(draft + refunded))).told == "deny denied no-mail-after-refund")
        let counted: [(String, JSONValue)] = [("counts", ["payments.refund": 0])]
        #expect(try Shop.ask(bundle, .object(JSONObject(draft + refunded + counted))).told == "allow mail")
    }

    @Test(
        "the session is looked at only where a rule mentions it",
        arguments: [
            ("context.history.isEmpty()", true), ("context.called.isEmpty()", true), ("context.approvals.isEmpty()", true),
            ("context.counts[\"mail.send\"] > 3", true), ("context.run.source == \"model\"", false),
            ("context.args.order_id == \"x\"", false),
            ("principal.user == \"anna\"", false), ("context.now > datetime(\"2026-01-01\")", false),
        ])
    func lookingAtSessions(_ clause: String, _ looks: Bool) throws {
        let text = "permit (principal, action == Action::\"payments.refund\", resource) when { \(clause) };"
        let bundle = try Shop.bundle(text)
        #expect(bundle.looksAtSession == looks)
        #expect(try Shop.bundle("@shadow(\"\") " + text).looksAtSession == looks)
        #expect(PolicyDecider(bundle).looksAtSession == looks)
        #expect(PolicyDecider(try Shop.bundle(Shop.rest), candidate: bundle).looksAtSession == looks)
    }

    @Test("the name alone is refused where no permit's scope fits, or a forbid without clauses does; nil is no permission")
    func names() throws {
        let catalog = try Shop.catalog()
        let bundle = try Shop.bundle(
            Shop.refunds + """
                @id("maybe") permit (principal in Role::"x", action == Action::"mail.send", resource) when { false };
                @id("drafts") permit (principal == User::"acme/web/anna", action == Action::"mail.draft", resource);
                @id("reads") permit (principal, action in Action::"effect:read", resource in Org::"acme");
                @id("quiet") @message("Not today.") forbid (principal in Role::"night", action in Action::"effect:read", resource);
                @id("tried") @shadow("") permit (principal, action == Action::"mail.send", resource);
                """)
        func refused(_ tool: String, roles: Set<String> = [], org: OrgID = "acme", user: String = "anna") throws -> String? {
            let caller = CallerIdentity(org: org, project: "web", user: user, roles: roles, run: "r")
            return bundle.refusal(of: try #require(catalog[tool]), for: caller, source: .model)?.rule
        }
        #expect(try refused("payments.refund") == "policy.default")
        #expect(try refused("payments.refund", roles: ["support"]) == nil)
        #expect(try refused("mail.send") == "policy.default")
        #expect(try refused("mail.send", roles: ["x"]) == nil)
        #expect(try refused("mail.draft") == nil)
        #expect(try refused("mail.draft", user: "bert") == "policy.default")
        #expect(try refused("mail.draft", org: "other") == "policy.default")
        #expect(try refused("crm.lookup") == nil)
        #expect(try refused("crm.lookup", org: "other") == "policy.default")
        #expect(try refused("crm.lookup", roles: ["night"]) == "quiet")
        let night = CallerIdentity(org: "acme", project: "web", user: "anna", roles: ["night"], run: "r")
        #expect(bundle.refusal(of: try #require(catalog["crm.lookup"]), for: night, source: .model)?.message == "Not today.")
    }

    @Test("the roles of the catalog narrow, whatever the policies allow")
    func roles() async throws {
        guard case .object(var tool) = Shop.lookup else { return }
        tool["roles"] = ["support"]
        let catalog = try Shop.catalog([.object(tool)])
        let bundle = try Shop.bundle("@id(\"all\") permit (principal, action, resource);", catalog: catalog)
        for mode in PolicyDecider.Mode.allCases {
            let decider = PolicyDecider(bundle, mode: mode)
            let without = try DecisionRequest(question: ["call": "crm.lookup"], catalog: catalog)
            #expect(await decider.decide(without).told == "deny denied tool.roles")
            #expect(decider.refusal(of: without.tool, for: without.caller, source: .model)?.rule == "tool.roles")
            let with = try DecisionRequest(question: ["call": "crm.lookup", "as": ["roles": ["support"]]], catalog: catalog)
            #expect(await decider.decide(with).told == (mode == .enforce ? "allow all" : "allow tool.roles"))
        }
    }

    @Test("a caller whose tenant has no plain name is denied: two tenants could look alike")
    func slashes() throws {
        let bundle = try Shop.bundle("permit (principal, action, resource);")
        #expect(throws: QuestionError.self) { try Shop.ask(bundle, ["call": "crm.lookup", "as": ["org": "a/b"]]) }
        #expect(try Shop.ask(bundle, ["call": "crm.lookup", "as": ["project": "a/b"]]).told == "deny policy_error policy.question")
        #expect(try Shop.ask(bundle, ["call": "crm.lookup", "as": ["user": "a/b"]]).told == "allow shop.cedar#1")
    }

    @Test("a question has defaults for all but the call")
    func defaults() throws {
        let request = try DecisionRequest(question: ["call": "crm.lookup"], catalog: Shop.catalog())
        #expect(request.caller == CallerIdentity(org: "acme", project: "web", user: "anna", run: "run_1"))
        #expect(request.source == .model)
        #expect(request.session == SessionState())
        #expect(request.now == 1_767_268_800_000)
        #expect(request.arguments.isEmpty)
        let past = try DecisionRequest(
            question: [
                "call": "crm.lookup", "history": [["tool": "a", "key": "1"], ["tool": "a", "key": "2"]], "now": "2026-11-28T09:00:00.250Z",
                "run": ["id": "r", "conversation": "c"], "source": "code", "as": ["user": "", "key": "k", "roles": ["x"]],
            ], catalog: Shop.catalog())
        #expect(past.session.called == past.session.history)
        #expect(past.session.counts == ["a": 2])
        #expect(past.now == 1_795_856_400_250)
        #expect(past.caller.conversation == "c")
        #expect(past.caller.key == "k")
        #expect(past.source == .code)
    }

    @Test(
        "questions that are none are refused with their place",
        arguments: [
            ("[]", ""), ("{}", "call"), (#"{"call":"no.tool"}"#, "call"), (#"{"call":"crm.lookup","x":1}"#, "x"),
            (#"{"call":"crm.lookup","as":{"role":"x"}}"#, "as.role"), (#"{"call":"crm.lookup","as":{"roles":"x"}}"#, "as.roles"),
            (#"{"call":"crm.lookup","source":"human"}"#, "source"), (#"{"call":"crm.lookup","now":"yesterday"}"#, "now"),
            (#"{"call":"crm.lookup","history":[{"tool":"a"}]}"#, "history"), (#"{"call":"crm.lookup","counts":{"a":-1}}"#, "counts"),
            (#"{"call":"crm.lookup","args":[]}"#, "args"), (#"{"call":"crm.lookup","args":{"limit":0}}"#, "args.limit"),
            (#"{"call":"crm.lookup","args":{"what":0}}"#, "args.what"), (#"{"call":"crm.lookup","run":{"name":"x"}}"#, "run.name"),
        ])
    func badQuestions(_ text: String, _ path: String) throws {
        let catalog = try Shop.catalog()
        let question = try JSONValue(parsing: text)
        do throws(QuestionError) {
            _ = try DecisionRequest(question: question, catalog: catalog)
            Issue.record("\(text) is taken")
        } catch {
            #expect(error.path == path, "\(error)")
        }
    }
}
