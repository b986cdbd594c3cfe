import JSON
import Supervisor
import Testing

@Suite("Loading policies")
struct PolicyLoadingTests {
    @Test("67: a set without any policy is refused", arguments: ["", "// nothing\n", "\n\n"])
    func empty(_ text: String) throws {
        #expect(try Shop.findings(text).map(\.kind) == ["empty"])
        #expect(throws: PolicyLoadError.self) { try PolicyBundle(files: [], catalog: Shop.catalog()) }
    }

    @Test("67: what nobody knows, or what is not of the grammar, is refused, with its place and a sentence")
    func refused() throws {
        let table: [(text: String, kind: String, line: Int, column: Int, says: String)] = [
            ("@aproval(\"group:finance\")\npermit (principal, action, resource);", "annotation", 1, 11, "@aproval is not known"),
            ("@id(\"x\") @retention(\"1\")\npermit (principal, action, resource);", "annotation", 1, 22, "@retention"),
            ("permit (principal, action, resource)\nwhen { context.nothing };", "unknownAttribute", 2, 8, "nothing"),
            ("permit (principal, action == Action::\"no.tool\", resource);", "unknownAction", 1, 20, "no.tool"),
            ("permit (principal action, resource);", "syntax", 1, 19, "principal"),
            ("@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);", "id", 2, 1, "already"),
            ("@id(\"\") permit (principal, action, resource);", "id", 1, 6, "1 to 128"),
            ("@id(\"policy.default\") permit (principal, action, resource);", "id", 1, 6, "supervisor's own"),
            ("@approval(\"group:a\") forbid (principal, action, resource);", "obligation", 1, 12, "no @approval"),
            ("@limit(\"3 per day\") forbid (principal, action, resource);", "obligation", 1, 9, "no @limit"),
            ("@approval(\"group:a quorum:x\")\npermit (principal, action, resource);", "obligation", 1, 20, "from 1 to 10"),
            ("@limit(\"3 per day; 4 of it\")\npermit (principal, action, resource);", "obligation", 1, 22, "expected per"),
            ("permit (principal == ?principal, action, resource);", "template", 1, 1, "template"),
            ("@shadow(\"yes\") permit (principal, action, resource);", "annotation", 1, 10, "nothing but its name"),
            ("@message(\"\") forbid (principal, action, resource);", "annotation", 1, 11, "1 to 1024"),
        ]
        for row in table {
            let findings = try Shop.findings(row.text)
            #expect(
                findings.contains {
                    $0.kind == row.kind && $0.line == row.line && $0.column == row.column && $0.message.contains(row.says)
                },
                "\(row.text): \(findings)")
            #expect(findings.allSatisfy { $0.severity == .error })
        }
    }

    @Test("67: all findings come at once, in the order of files and lines")
    func allAtOnce() throws {
        let files = [
            PolicyFile(name: "b.cedar", text: "@what(\"\") permit (principal, action, resource);"),
            PolicyFile(
                name: "a.cedar",
                text:
                    "@id(\"x\") permit (principal, action, resource) when { context.args.nothing };\n@id(\"x\") @limit(\"x\") permit (principal, action, resource);"
            ),
            PolicyFile(name: "c.cedar", text: "permit ("),
        ]
        let tests = [
            PolicyTestFile(name: "a.test.yaml", value: ["tests": [["name": "t", "call": "no.tool", "expect": ["decision": "allow"]]]])
        ]
        let catalog = try Shop.catalog()
        do throws(PolicyLoadError) {
            _ = try PolicyBundle(files: files, tests: tests, catalog: catalog)
            Issue.record("the set is taken")
        } catch {
            let places = error.findings.map { "\($0.file):\($0.line) \($0.kind)" }
            #expect(places.first == "a.cedar:1 unknownAttribute")
            #expect(places.contains("a.cedar:2 id"))
            #expect(places.contains("a.cedar:2 obligation"))
            #expect(places.contains("b.cedar:1 annotation"))
            #expect(places.contains("c.cedar:1 syntax"))
            #expect(places.last == "a.test.yaml:0 test")
            #expect(places.dropLast() == places.dropLast().sorted())
        }
    }

    @Test("67: tests that are none are refused")
    func badTests() throws {
        let table: [(JSONValue, String)] = [
            (["tests": []], "not empty"), ([:], "not empty"), (["tests": [["name": "x"]]], "expects"),
            (["tests": [], "more": 1], "not empty"), (["Tests": [["name": "x"]]], "list of tests"),
            (["tests": [["name": "x", "call": "mail.send", "expect": ["decision": "perhaps"]]]], "allow, deny or approval"),
            (["tests": [["name": "x", "cal": "mail.send", "expect": ["decision": "allow"]]]], "missing"),
            (["tests": [["name": "x", "call": "crm.lookup", "argz": [:], "expect": ["decision": "allow"]]]], "no such key"),
            (["tests": [["name": "x", "call": "crm.lookup", "as": ["role": "x"], "expect": ["decision": "allow"]]]], "no such key"),
            (["tests": [["name": "x", "call": "crm.lookup", "expect": ["decision": "allow", "code": "denied"]]]], "Only a deny"),
            (["tests": [["name": "x", "call": "crm.lookup", "expect": ["decision": "deny"], "now": "today"]]], "moment"),
            (["tests": [["name": "", "call": "crm.lookup", "expect": ["decision": "deny"]]]], "has a name"),
        ]
        for (tests, says) in table {
            let findings = try Shop.findings(Shop.rest, tests: tests)
            #expect(findings.contains { $0.kind == "test" && $0.message.contains(says) }, "\(tests): \(findings)")
        }
    }

    @Test("67: a set whose tests fail is refused, and each failure says what differs")
    func failingTests() throws {
        let tests: JSONValue = [
            "tests": [
                ["name": "reads", "call": "crm.lookup", "expect": ["decision": "allow", "rule": "reads"]],
                ["name": "mails", "call": "mail.send", "args": ["draft_id": "d", "to": []], "expect": ["decision": "deny"]],
                ["name": "by", "call": "crm.lookup", "expect": ["decision": "allow", "rule": "other"]],
                [
                    "name": "bad", "call": "crm.lookup", "args": ["limit": 500],
                    "expect": ["decision": "deny", "code": "bad_args", "rule": "supervisor.arguments"],
                ],
                [
                    "name": "foreign", "call": "crm.lookup",
                    "args": ["customers": [["url": "https://crm.example/other/web/customers/1"]]],
                    "expect": ["decision": "deny", "rule": "no-cross-tenant"],
                ],
            ]
        ]
        let findings = try Shop.findings(Shop.rest, tests: tests)
        #expect(findings.map(\.rule) == ["mails", "by"])
        #expect(findings.first?.message == "The test fails: expected deny, and the answer is allow by mail.")
        #expect(findings.last?.message == "The test fails: expected the rule other, and it is reads.")
    }

    @Test("67: sets beyond the limits are refused")
    func limits() throws {
        let permit = "permit (principal, action, resource);\n"
        let catalog = try Shop.catalog()
        func kinds(_ files: [PolicyFile]) -> Set<String> {
            do throws(PolicyLoadError) {
                _ = try PolicyBundle(files: files, catalog: catalog)
                return []
            } catch {
                return Set(error.findings.map(\.kind))
            }
        }
        #expect(kinds((0..<257).map { PolicyFile(name: "\($0).cedar", text: permit) }) == ["size"])
        #expect(kinds([PolicyFile(name: "a", text: String(repeating: " ", count: 1 << 20) + permit)]) == ["size"])
        #expect(kinds((0..<5).map { PolicyFile(name: "\($0)", text: String(repeating: " ", count: 1_000_000) + permit) }) == ["size"])
        #expect(kinds([PolicyFile(name: "a", text: String(repeating: permit, count: 2_001))]) == ["size"])
        #expect(kinds([PolicyFile(name: "a", text: permit), PolicyFile(name: "a", text: permit)]) == ["size"])
        #expect(kinds([PolicyFile(name: "a", text: permit)]) == [])
    }

    @Test("rules keep their places and names")
    func rules() throws {
        let bundle = try PolicyBundle(
            files: [
                PolicyFile(name: "b.cedar", text: "permit (principal, action, resource);"),
                PolicyFile(
                    name: "a.cedar",
                    text: "// first\n@id(\"one\")\nforbid (principal,action,resource) when {false};\npermit (principal, action, resource);"),
            ], catalog: try Shop.catalog())
        #expect(bundle.rules.map(\.id) == ["one", "a.cedar#2", "b.cedar#1"])
        #expect(bundle.rules.map(\.line) == [2, 4, 1])
        #expect(bundle.rules.map(\.effect) == [.forbid, .permit, .permit])
        #expect(bundle.rules[0].text == "@id(\"one\")\nforbid (principal, action, resource)\nwhen { false };\n")
        #expect(bundle.rules[0].annotations.map { "\($0.name)=\($0.value)" } == ["id=one"])
        #expect(bundle.rules[0].file == "a.cedar")
    }

    @Test("73: the version follows the texts, their names and the tools; not the order in which files come, and not the tests")
    func version() throws {
        let catalog = try Shop.catalog()
        let one = PolicyFile(name: "a.cedar", text: Shop.refunds)
        let two = PolicyFile(name: "b.cedar", text: Shop.rest)
        let version = try PolicyBundle(files: [one, two], catalog: catalog).version
        #expect(version.utf8.count == 64)
        #expect(try PolicyBundle(files: [two, one], catalog: catalog).version == version)
        let tests = PolicyTestFile(name: "t", value: ["tests": [["name": "x", "call": "crm.lookup", "expect": ["decision": "allow"]]]])
        #expect(try PolicyBundle(files: [one, two], tests: [tests], catalog: catalog).version == version)
        #expect(try PolicyBundle(files: [one], catalog: catalog).version != version)
        #expect(try PolicyBundle(files: [PolicyFile(name: "c.cedar", text: Shop.refunds), two], catalog: catalog).version != version)
        #expect(try PolicyBundle(files: [PolicyFile(name: "a.cedar", text: Shop.refunds + " "), two], catalog: catalog).version != version)
        #expect(throws: PolicyLoadError.self) { try PolicyBundle(files: [one, two], catalog: Shop.catalog([Shop.refund])) }
        guard case .object(var tool) = Shop.lookup else { return }
        tool["roles"] = ["support"]
        let other = try Shop.catalog([Shop.refund, Shop.draft, Shop.send, .object(tool)])
        #expect(try PolicyBundle(files: [one, two], catalog: other).version != version)
    }

    @Test("73: a call is decided by the set it began with, and its record names it")
    func swap() async throws {
        let catalog = try Shop.catalog()
        let old = try Shop.bundle(Shop.refunds)
        let new = try Shop.bundle(Shop.refunds.replacing("50.00", with: "10.00"))
        let decider = PolicyDecider(old)
        let request = try DecisionRequest(question: Shop.refundQuestion(), catalog: catalog)
        let before = await decider.decide(request)
        decider.replace(with: new)
        let after = await decider.decide(request)
        #expect(before.told == "allow refund-small")
        #expect(before.basis?.version == old.version)
        #expect(after.told == "approval refund-large" || after.told == "deny denied policy.default")
        #expect(after.basis?.version == new.version)
        #expect(decider.current.version == new.version)
    }

    @Test("the schema is Cedar's own text, without secrets")
    func schemaText() throws {
        let text = try PolicySchema(Shop.catalog()).text()
        #expect(text.contains("action \"payments.refund\" in [\"effect:write\"] appliesTo {"))
        #expect(text.contains("amount: decimal,"))
        #expect(text.contains("reason?: String,"))
        #expect(text.contains("since?: datetime,"))
        #expect(text.contains("customers?: Set<{"))
        #expect(!text.contains("card_number"))
        #expect(!text.contains("memo"))
        let findings = try Shop.findings(
            "permit (principal, action == Action::\"payments.refund\", resource) when { context.args has card_number };")
        #expect(
            try Shop.findings(
                "permit (principal, action == Action::\"payments.refund\", resource) when { context.args.card_number == \"1\" };"
            )
            .map(\.kind) == ["unknownAttribute"])
        #expect(findings.isEmpty, "to ask for what is never there is no error: \(findings)")
    }
}
