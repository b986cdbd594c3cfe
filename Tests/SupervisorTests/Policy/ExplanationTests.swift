import JSON
import Supervisor
import Testing

@Suite("Explanations")
struct ExplanationTests {
    private func explanation(_ text: String, _ question: JSONValue) throws -> PolicyExplanation {
        PolicyExplanation(try Shop.bundle(text), try DecisionRequest(question: question, catalog: Shop.catalog()))
    }

    @Test("each rule says what became of it, and one that is not satisfied its first failing clause with its values")
    func clauses() throws {
        let explanation = try explanation(
            Shop.refunds + Shop.rest + """
                @id("evening") forbid (principal, action == Action::"payments.refund", resource)
                unless { context.now < datetime("2027-01-01") || principal.user == "anna" };
                @id("odd") @shadow("") permit (principal, action == Action::"payments.refund", resource)
                when { context.counts["mail.send"] + 9223372036854775807 + 1 > 0 };
                """, Shop.refundQuestion(amount: "50.01"))
        #expect(explanation.ruling.told == "approval refund-large")
        let rules = Dictionary(uniqueKeysWithValues: explanation.considered.map { ($0.rule, $0) })
        #expect(explanation.considered.map(\.rule) == ["refund-small", "refund-large", "mail", "reads", "evening", "odd"])
        let small = try #require(rules["refund-small"])
        #expect(small.outcome == .notSatisfied)
        #expect(small.clause == "context.args.amount.lessThanOrEqual(decimal(\"50.00\"))")
        #expect(small.readings.map { "\($0.access)=\($0.value)" } == ["context.args.amount=50.01"])
        #expect(rules["refund-large"]?.outcome == .satisfied)
        #expect(rules["refund-large"]?.obligations == ["@approval(\"group:finance quorum:2 timeout:30m\")"])
        #expect(rules["mail"]?.outcome == .outOfScope)
        #expect(rules["mail"]?.clause == "action")
        #expect(rules["evening"]?.outcome == .notSatisfied)
        #expect(rules["evening"]?.clause == "unless { context.now < datetime(\"2027-01-01\") }")
        #expect(rules["evening"]?.readings.map(\.value) == ["2026-01-01T12:00:00Z"])
        #expect(rules["odd"]?.outcome == .error)
        #expect(rules["odd"]?.error == "the result does not fit in 64 bits")
        #expect(rules["odd"]?.isShadow ?? false)
        let text = explanation.text
        #expect(text.hasPrefix("payments.refund: approval by refund-large\n"))
        #expect(text.contains("    where context.args.amount = 50.01\n"))
        #expect(text.contains("2 rules are about other tools."))
        #expect(explanation.json["considered"]?.arrayValue?.count == 6)
        #expect(explanation.json["approval"]?["quorum"] == 2)
    }

    @Test("sets, absent values, callers and texts are shown; the second condition is looked at only where the first holds")
    func values() throws {
        let text = """
            @id("sent") permit (principal, action == Action::"mail.send", resource)
            when { context.args.to.contains("boss") || context.args has copies && context.args.copies > 3 };
            @id("who") permit (principal in Role::"support", action == Action::"mail.send", resource)
            when { principal.user like "b*" } when { context.history.contains({tool: "mail.draft", key: context.args.draft_id}) };
            """
        let question: JSONValue = ["call": "mail.send", "args": ["draft_id": "d\"1", "to": ["b", "a"]]]
        let rules = try explanation(text, question).considered
        #expect(rules[0].readings.map { "\($0.access)=\($0.value)" } == [#"context.args.to=["a", "b"]"#, "context.args.copies=absent"])
        #expect(rules[1].outcome == .outOfScope)
        #expect(rules[1].clause == #"principal in Role::"support""#)
        guard case .object(var object) = question else { return }
        object["as"] = ["roles": ["support"], "user": "bert"]
        object["history"] = [["tool": "mail.draft", "key": "d2"]]
        let second = try explanation(text, .object(object)).considered[1]
        #expect(second.clause == #"context.history.contains({tool: "mail.draft", key: context.args.draft_id})"#)
        #expect(
            second.readings.map { "\($0.access)=\($0.value)" } == [
                #"context.history=[{key: "d2", tool: "mail.draft"}]"#, #"context.args.draft_id="d\"1""#,
            ])
    }

    @Test("coverage says which rules the tests satisfy, and which they do not")
    func coverage() throws {
        let tests: JSONValue = [
            "tests": [
                .object(test("small", "20.00", ["decision": "allow", "rule": "refund-small", "limits": []])),
                .object(test("large", "60.00", ["decision": "approval", "quorum": 2])),
                ["name": "reads", "call": "crm.lookup", "expect": ["decision": "allow"]],
            ]
        ]
        let bundle = try Shop.bundle(Shop.refunds + Shop.rest, tests: tests)
        let runner = PolicyTestRunner(bundle)
        #expect(runner.run().map(\.passed) == [true, true, true])
        let coverage = runner.coverage()
        #expect(
            coverage.map { "\($0.rule) \($0.matched) \($0.notMatched)" } == [
                "refund-small 1 1", "refund-large 1 1", "mail 0 0", "reads 1 0",
            ])
        // Nobody is outside of the last one's scope, and it has no clause.
        #expect(coverage.map(\.isComplete) == [true, true, false, true])
    }

    private func test(_ name: String, _ amount: String, _ expect: JSONValue) -> JSONObject {
        guard case .object(var test) = Shop.refundQuestion(amount: amount) else { return JSONObject() }
        test["name"] = .string(name)
        test["expect"] = expect
        return test
    }
}
