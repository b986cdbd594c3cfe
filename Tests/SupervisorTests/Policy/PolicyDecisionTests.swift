import JSON
import Supervisor
import Testing

@Suite("Decisions by policies")
struct PolicyDecisionTests {
    @Test("59: an amount exactly at the limit is allowed, one minor unit above needs an approval")
    func boundaries() throws {
        let bundle = try Shop.bundle(Shop.refunds)
        #expect(try Shop.ask(bundle, Shop.refundQuestion(amount: "50.00")).told == "allow refund-small")
        #expect(try Shop.ask(bundle, Shop.refundQuestion(amount: "50")).told == "allow refund-small")
        let above = try Shop.ask(bundle, Shop.refundQuestion(amount: "50.01"))
        #expect(above.told == "approval refund-large")
        #expect(above.demand == ApprovalDemand(rule: "refund-large", from: [[.group("finance")]], quorum: 2, timeout: .seconds(1800)))
        #expect(try Shop.ask(bundle, Shop.refundQuestion(amount: "1000.00")).told == "approval refund-large")
        #expect(try Shop.ask(bundle, Shop.refundQuestion(amount: "1000.01")).told == "deny denied policy.default")
        #expect(try Shop.ask(bundle, Shop.refundQuestion(roles: [])).told == "deny denied policy.default")
    }

    @Test(
        "60: what is no amount is no question, and another currency meets no permit",
        arguments: ["-1.00", "0", "50.001", "", "1e2", "5,00"])
    func amounts(_ amount: String) throws {
        let catalog = try Shop.catalog()
        let question = Shop.refundQuestion(amount: amount)
        do throws(QuestionError) {
            _ = try DecisionRequest(question: question, catalog: catalog)
            Issue.record("\(amount) is taken for an amount")
        } catch {
            guard case .arguments(let argument) = error.kind else {
                Issue.record("\(error)")
                return
            }
            #expect(argument.path == "amount")
        }
        let bundle = try Shop.bundle(Shop.refunds)
        #expect(try Shop.ask(bundle, Shop.refundQuestion(currency: "USD")).told == "deny denied policy.default")
        // A number is no decimal string.
        var number = question
        if case .object(var object) = question {
            object["args"] = ["order_id": "A1", "amount": 50, "currency": "EUR", "customer": "acme/17"]
            number = .object(object)
        }
        #expect(throws: QuestionError.self) { try DecisionRequest(question: number, catalog: catalog) }
    }

    @Test("65: where a forbid and a permit are satisfied the forbid wins, with its message")
    func forbidWins() throws {
        let bundle = try Shop.bundle(
            Shop.refunds + """
                @id("no-code")
                @message("Refunds are the model's own business.")
                forbid (principal, action == Action::"payments.refund", resource) when { context.run.source == "code" };
                """)
        #expect(try Shop.ask(bundle, Shop.refundQuestion()).told == "allow refund-small")
        let ruling = try Shop.ask(bundle, Shop.refundQuestion(more: [("source", "code")]))
        #expect(ruling.told == "deny denied no-code")
        #expect(ruling.refusal?.message == "Refunds are the model's own business.")
        #expect(ruling.basis?.rules == ["no-code"])
    }

    @Test("66: an error inside a forbid denies with policy_error, and so does one in the permit that would have decided")
    func errors() throws {
        let overflow = "context.run.id == \"run_1\" && context.args.copies + 9223372036854775807 > 0"
        let question: JSONValue = ["call": "mail.send", "args": ["draft_id": "d1", "to": ["x"], "copies": 1]]
        let guarded = "context.args has copies && \(overflow)"
        let bundle = try Shop.bundle(
            Shop.rest + "@id(\"odd\") forbid (principal, action == Action::\"mail.send\", resource) when { \(guarded) };")
        let ruling = try Shop.ask(bundle, question)
        #expect(ruling.told == "deny policy_error odd")
        #expect(ruling.basis?.errors == ["odd"])
        #expect(try Shop.ask(bundle, ["call": "mail.send", "args": ["draft_id": "d1", "to": ["x"]]]).told == "allow mail")

        let permits = try Shop.bundle(
            "@id(\"odd\") permit (principal, action == Action::\"mail.send\", resource) when { \(guarded) };")
        #expect(try Shop.ask(permits, question).told == "deny policy_error odd")
        // Another permit decides: the error changes nothing, and is told.
        let both = try Shop.bundle(
            Shop.rest + "@id(\"odd\") permit (principal, action == Action::\"mail.send\", resource) when { \(guarded) };")
        #expect(try Shop.ask(both, question).told == "allow mail")
        #expect(try Shop.ask(both, question).basis?.errors == ["odd"])
    }

    @Test("69: a pattern is linear, whatever the text")
    func patterns() throws {
        let bundle = try Shop.bundle(
            "@id(\"notes\") permit (principal, action == Action::\"crm.lookup\", resource)"
                + " when { context.args has note && context.args.note like \"*a*a*a*a*a*a*a*b\" };")
        let text = String(repeating: "a", count: 300_000)
        let clock = ContinuousClock()
        let begun = clock.now
        let ruling = try Shop.ask(bundle, ["call": "crm.lookup", "args": ["note": .string(text)]])
        let elapsed = clock.now - begun
        #expect(ruling.told == "deny denied policy.default")
        #expect(elapsed < .seconds(10), "an exponential match would not end")
        let pattern = try ArgumentSchema(
            Shop.closed(["note": ["type": "string", "pattern": "^(a|aa)+$"]]))
        #expect(throws: ArgumentError.self) { try pattern.validate(JSONObject([("note", .string(text + "b"))])) }
    }

    @Test("70: a policy beyond the budget of steps denies with policy_error")
    func budget() throws {
        let pattern = String(repeating: "*a", count: 200) + "*"
        let bundle = try Shop.bundle(
            Shop.rest + "@id(\"slow\") forbid (principal, action == Action::\"crm.lookup\", resource)"
                + " when { context.args has note && context.args.note like \"\(pattern)b\" };")
        let text = String(repeating: "a", count: 510_000)
        let ruling = try Shop.ask(bundle, ["call": "crm.lookup", "args": ["note": .string(text)]])
        #expect(ruling.told == "deny policy_error slow")
        #expect(try Shop.ask(bundle, ["call": "crm.lookup", "args": ["note": "short"]]).told == "allow reads")
    }

    @Test("71: a rule that is only tried never changes the outcome")
    func shadowRules() async throws {
        let tried = """
            @id("strict") @shadow("")
            forbid (principal, action == Action::"payments.refund", resource) when { context.args.amount.greaterThan(decimal("10.00")) };
            """
        let bundle = try Shop.bundle(Shop.refunds + tried)
        let plain = try Shop.bundle(Shop.refunds)
        for amount in ["5.00", "20.00", "60.00", "2000.00"] {
            let with = try Shop.ask(bundle, Shop.refundQuestion(amount: amount))
            let without = try Shop.ask(plain, Shop.refundQuestion(amount: amount))
            #expect(with.verdict == without.verdict)
            #expect(with.limits == without.limits)
            #expect(without.shadow == nil)
            let expected = amount == "5.00" ? nil : ShadowRuling(version: bundle.version, decision: .deny, rule: "strict")
            #expect(with.shadow == expected)
        }
    }

    @Test("71: in shadow mode the roles decide, and the policies are only told of")
    func shadowMode() async throws {
        let catalog = try Shop.catalog()
        let decider = PolicyDecider(try Shop.bundle(Shop.refunds), mode: .shadow)
        let request = try DecisionRequest(question: Shop.refundQuestion(amount: "2000.00"), catalog: catalog)
        let ruling = await decider.decide(request)
        #expect(ruling.told == "allow tool.catalog")
        #expect(ruling.limits.isEmpty)
        #expect(ruling.shadow == ShadowRuling(version: decider.current.version, decision: .deny, rule: "policy.default"))
        #expect(decider.refusal(of: request.tool, for: request.caller, source: .model) == nil)
    }

    @Test("71: a candidate is told of where it says something else")
    func candidate() async throws {
        let catalog = try Shop.catalog()
        let current = try Shop.bundle(Shop.refunds)
        let next = try Shop.bundle(Shop.refunds.replacing("50.00", with: "30.00"))
        let decider = PolicyDecider(current, candidate: next)
        let same = await decider.decide(try DecisionRequest(question: Shop.refundQuestion(amount: "20.00"), catalog: catalog))
        #expect(same.told == "allow refund-small")
        #expect(same.shadow == nil)
        let other = await decider.decide(try DecisionRequest(question: Shop.refundQuestion(amount: "40.00"), catalog: catalog))
        #expect(other.told == "allow refund-small")
        #expect(other.shadow == ShadowRuling(version: next.version, decision: .approval, rule: "refund-large"))
    }

    @Test("the obligations of all satisfied permits apply: everyone in every list, the higher quorum, the shorter time, each limit once")
    func obligations() throws {
        let bundle = try Shop.bundle(
            """
            @id("a") @approval("group:finance quorum:1 timeout:2h") @limit("3 per session")
            permit (principal, action == Action::"payments.refund", resource);
            @id("b") @approval("group:legal user:bert quorum:3") @limit("sum(args.amount) <= 200.00 per customer per day")
            permit (principal, action in [Action::"payments.refund"], resource);
            """)
        let ruling = try Shop.ask(bundle, Shop.refundQuestion(amount: "20.50"))
        #expect(
            ruling.demand
                == ApprovalDemand(
                    rule: "a", from: [[.group("finance")], [.group("legal"), .user("bert")]], quorum: 3, timeout: .seconds(1800)))
        #expect(ruling.limits.map(\.text) == ["3 per session", "sum(args.amount) <= 200.00 per customer per day"])
        #expect(ruling.limits.map(\.amount) == [1, 205_000])
        #expect(ruling.limits.map(\.cap) == [3, 2_000_000])
        #expect(ruling.limits.map(\.places) == [0, 4])
        #expect(ruling.limits.map(\.period) == [.ever, .day])
        #expect(ruling.basis?.rules == ["a", "b"])
    }

    @Test("a decision against a thousand policies takes microseconds")
    func speed() throws {
        let tools = (0..<50).map { number -> JSONValue in
            guard case .object(var tool) = Shop.refund else { return Shop.refund }
            tool["name"] = .string("shop.tool_\(number)")
            return .object(tool)
        }
        let catalog = try Shop.catalog(tools)
        let text = (0..<1_000).map { number in
            """
            @id("rule-\(number)") @limit("\(number + 1) per session")
            permit (principal in Role::"role-\(number % 7)", action == Action::"shop.tool_\(number % 50)", resource)
            when { context.args.amount.lessThanOrEqual(decimal("\(number).00")) && context.args.currency == "EUR" };

            """
        }.joined()
        let bundle = try Shop.bundle(text, catalog: catalog)
        let request = try DecisionRequest(
            question: [
                "call": "shop.tool_7", "as": ["roles": ["role-0"]],
                "args": ["order_id": "A1", "amount": "20.00", "currency": "EUR", "customer": "acme/17"],
            ], catalog: catalog)
        #expect(bundle.decide(request).refusal == nil)
        let elapsed = ContinuousClock().measure { for _ in 0..<1_000 { _ = bundle.decide(request) } }
        print("a decision took \(elapsed / 1_000)")
        // Fifty microseconds in a release build; tests run unoptimised, on busy machines.
        #expect(elapsed / 1_000 < .milliseconds(5))
    }
}
