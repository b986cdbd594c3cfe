import JSON
import Supervisor
import Testing

/// The same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Decisions made again")
struct ReplayTests {
    static let policies =
        Shop.refunds + PolicySessionTests.workflow + """
            @id("reads") permit (principal, action in Action::"effect:read", resource);
            @id("weekend") @limit("2 per user per day") permit (principal in Role::"night", action, resource)
            when { context.run.source == "code" };
            @id("late") forbid (principal, action in Action::"effect:write", resource)
            when { context.now.toTime() > duration("22h") };
            """

    /// A question made of random parts.
    static func question(_ generator: inout SeededGenerator) -> JSONValue {
        func pick<Element>(_ elements: [Element], _ generator: inout SeededGenerator) -> Element {
            elements[Int(generator.next() % UInt64(elements.count))]
        }
        func steps(_ generator: inout SeededGenerator) -> JSONValue {
            .array(
                (0..<Int(generator.next() % 4)).map { _ in
                    [
                        "tool": .string(pick(["mail.draft", "mail.send", "payments.refund"], &generator)),
                        "key": .string(pick(["d1", "d2", "A1"], &generator)),
                    ]
                })
        }
        let call = pick(["payments.refund", "mail.draft", "mail.send", "crm.lookup"], &generator)
        let draft = pick(["d1", "d2"], &generator)
        let args: JSONValue =
            switch call {
            case "payments.refund":
                [
                    "order_id": "A1", "amount": .string(pick(["0.01", "50.00", "50.01", "999.99", "1000.01"], &generator)),
                    "currency": .string(pick(["EUR", "USD"], &generator)),
                    "customer": .string(pick(["acme/1", "other/1"], &generator)), "card_number": "4111",
                ]
            case "mail.draft": ["draft_id": .string(draft), "text": "t"]
            case "mail.send": ["draft_id": .string(draft), "to": ["x"]]
            default: ["limit": .integer(Int64(generator.next() % 100) + 1)]
            }
        return [
            "call": .string(call), "args": args, "source": .string(pick(["model", "code"], &generator)),
            "as": [
                "user": .string(pick(["anna", "bert"], &generator)),
                "roles": .array(pick([[], ["support"], ["night"], ["support", "night"]], &generator)),
            ],
            "run": ["id": "r", "conversation": "c"], "history": steps(&generator), "called": steps(&generator),
            "approvals": steps(&generator), "now": .string("2026-11-28T\(pick(["09", "23"], &generator)):00:00Z"),
        ]
    }

    @Test("72: ten thousand decisions made twice, and by two sets of one version, are identical")
    func determinism() throws {
        let catalog = try Shop.catalog()
        let one = try PolicyBundle(files: [PolicyFile(name: "p.cedar", text: Self.policies)], catalog: catalog)
        let two = try PolicyBundle(files: [PolicyFile(name: "p.cedar", text: Self.policies)], catalog: try Shop.catalog())
        #expect(one.version == two.version)
        var generator = SeededGenerator(seed: 72)
        var told: [String: Int] = [:]
        var differences = 0
        for _ in 0..<10_000 {
            let request = try DecisionRequest(question: Self.question(&generator), catalog: catalog)
            let ruling = one.ruling(request)
            if ruling != one.ruling(request) || ruling != two.ruling(request) { differences += 1 }
            told[ruling.told, default: 0] += 1
        }
        #expect(differences == 0)
        #expect(told.count >= 8, "the questions reach most rules: \(told)")
    }

    @Test("72: what was recorded is decided again as it was, from its JSON form alone")
    func replay() throws {
        let catalog = try Shop.catalog()
        let bundle = try PolicyBundle(files: [PolicyFile(name: "p.cedar", text: Self.policies)], catalog: catalog)
        let stricter = try PolicyBundle(
            files: [PolicyFile(name: "p.cedar", text: Self.policies.replacing("50.00", with: "20.00"))], catalog: catalog)
        var generator = SeededGenerator(seed: 73)
        var differences = 0
        for number in 0..<2_000 {
            let request = try DecisionRequest(question: Self.question(&generator), catalog: catalog)
            let ruling = bundle.decide(request)
            let record = Self.record(request, ruling)
            let inputs = try #require(ruling.basis?.inputs)
            let again = try DecisionRequest(record: record, inputs: inputs, catalog: catalog)
            if bundle.decide(again) != ruling { Issue.record("\(number) differs") }
            guard bundle.ruling(request) == ruling else { continue }
            let question = JSONValue.object(try PolicyReplay.question(of: record, inputs: inputs))
            let recorded = PolicyReplay.Recorded(id: record.id, question: question, said: Self.said(ruling))
            #expect(PolicyReplay.compare(recorded, with: bundle, catalog: catalog) == .same)
            if case .differs(let was, let now) = PolicyReplay.compare(recorded, with: stricter, catalog: catalog) {
                differences += 1
                #expect(was != now)
            }
        }
        #expect(differences > 0)
    }

    /// As the log has it: without secrets.
    static func record(_ request: DecisionRequest, _ ruling: Ruling) -> DecisionRecord {
        var shown = request.arguments
        if shown["card_number"] != nil { shown["card_number"] = "[redacted]" }
        return DecisionRecord(
            id: "dec_1", time: request.now, caller: request.caller, callID: request.callID, parentCallID: nil, source: request.source,
            tool: request.tool.name, argumentsDigest: request.digest, arguments: JSONValue.object(shown).jsonText, redacted: [],
            decision: ruling.refusal == nil ? .allow : .deny, rule: "", code: nil, message: "")
    }

    static func said(_ ruling: Ruling) -> PolicyReplay.Said {
        switch ruling.verdict {
        case .allow(let rule): PolicyReplay.Said(decision: .allow, rule: rule)
        case .deny(let refusal): PolicyReplay.Said(decision: .deny, rule: refusal.rule, code: refusal.code)
        case .needsApproval(let demand): PolicyReplay.Said(decision: .approval, rule: demand.rule)
        }
    }

    @Test("a call that people agreed to was recorded as an allow, and is the same")
    func approved() throws {
        let catalog = try Shop.catalog()
        let bundle = try Shop.bundle(Shop.refunds)
        let question = Shop.refundQuestion(amount: "60.00")
        func compare(_ said: PolicyReplay.Said, _ question: JSONValue) -> PolicyReplay.Comparison {
            PolicyReplay.compare(PolicyReplay.Recorded(id: "d", question: question, said: said), with: bundle, catalog: catalog)
        }
        #expect(compare(PolicyReplay.Said(decision: .allow, rule: "refund-large"), question) == .same)
        #expect(
            compare(PolicyReplay.Said(decision: .allow, rule: "refund-small"), question)
                == .differs(
                    was: PolicyReplay.Said(decision: .allow, rule: "refund-small"),
                    now: PolicyReplay.Said(decision: .approval, rule: "refund-large")))
        guard case .unanswerable = compare(PolicyReplay.Said(decision: .allow, rule: "x"), ["call": "gone.tool"]) else {
            Issue.record("a tool that is gone has no answer")
            return
        }
    }

    @Test("a policy never sees a secret, so a decision without it is the same")
    func secrets() throws {
        let bundle = try Shop.bundle(Shop.refunds)
        guard case .object(var question) = Shop.refundQuestion(), case .object(var args)? = question["args"] else { return }
        args["card_number"] = "[redacted]"
        args["memo"] = "x"
        question["args"] = .object(args)
        #expect(try Shop.ask(bundle, .object(question)).told == "allow refund-small")
    }
}
