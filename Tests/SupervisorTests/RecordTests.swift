import JSON
import Synchronization
import Testing

@testable import Supervisor

@Suite("What stands in the decision log", .timeLimit(.minutes(1)))
struct RecordTests {
    static func basis(_ version: String, padding: Int = 0) -> RulingBasis {
        RulingBasis(
            version: version, rules: ["refund-small"], errors: ["odd"],
            inputs: JSONObject([("now", "2026-11-28T09:00:00Z"), ("history", .array([.string(String(repeating: "x", count: padding))]))]))
    }

    static func details(_ bench: Bench) throws -> JSONValue {
        try JSONValue(parsing: try #require(bench.log.records.last?.details))
    }

    @Test("allows and denials say their ruling, the version of the policies, and what it was made from")
    func details() async throws {
        let verdict = Mutex(Verdict.allow(rule: "refund-small"))
        let bench = try Bench(
            decider: Rules { _ in Ruling(verdict.withLock { $0 }, limits: [.sum(5, of: 200, id: "c")], basis: Self.basis("v1")) })
        _ = await bench.call()
        #expect(
            try Self.details(bench) == [
                "inputs": ["history": [""], "now": "2026-11-28T09:00:00Z"],
                "limits": [
                    [
                        "amount": "5", "id": "c", "limit": "sum(args.amount) <= 200.00 per customer per day", "max": "200",
                        "rule": "refund-small", "used": "5",
                    ]
                ], "policy": "v1",
                "ruling": ["decision": "allow", "errors": ["odd"], "rule": "refund-small", "rules": ["refund-small"]],
            ])
        verdict.withLock { $0 = .deny(Refusal(code: "denied", message: "no", rule: "stop")) }
        _ = await bench.call()
        #expect(try Self.details(bench)["ruling"]?["decision"] == "deny")
        #expect(try Self.details(bench)["policy"] == "v1")
        #expect(bench.log.records.last?.subject == "A1")
    }

    @Test("details that are too long lose their inputs, and say so")
    func truncated() async throws {
        let padding = Mutex(32_000)
        let bench = try Bench(decider: Rules { _ in Ruling(.allow(rule: "r"), basis: Self.basis("v1", padding: padding.withLock { $0 })) })
        _ = await bench.call()
        #expect(try Self.details(bench)["truncated"] == nil)
        padding.withLock { $0 = 33_000 }
        _ = await bench.call()
        #expect(try Self.details(bench)["truncated"] == true)
        #expect(try Self.details(bench)["inputs"] == nil && Self.details(bench)["ruling"]?["rule"] == "r")
    }

    @Test("71: policies that are only tried change no outcome, and stand in the record")
    func shadow() async throws {
        let ruling = Mutex(
            Ruling(.allow(rule: "r"), shadow: ShadowRuling(version: "v2", decision: .deny, rule: "tried")))
        let bench = try Bench(decider: Rules { _ in ruling.withLock { $0 } })
        #expect(await bench.call().code == nil)
        #expect(try Self.details(bench)["shadow"] == ["decision": "deny", "rule": "tried", "version": "v2"])
        ruling.withLock {
            $0 = Ruling(
                .deny(Refusal(code: "denied", message: "", rule: "stop")),
                shadow: ShadowRuling(version: "v2", decision: .allow, rule: "tried"))
        }
        #expect(await bench.call().rule == "stop")
        #expect(try Self.details(bench)["shadow"]?["decision"] == "allow")
        ruling.withLock { $0 = Ruling(.allow(rule: "r"), shadow: ShadowRuling(version: "v2", decision: .approval, rule: "tried")) }
        #expect(await bench.call().code == nil)
        #expect(bench.approvals.all.isEmpty)
    }

    @Test("73: policies that change while a call is at its tool do not change what is recorded of it")
    func swapped() async throws {
        let version = Mutex("v1")
        let hold = Hold()
        let bench = try Bench(
            adapter: ScriptedTool { _ in
                await hold.wait()
                return .success(.null)
            }, decider: Rules { _ in Ruling(.allow(rule: "r"), basis: Self.basis(version.withLock { $0 })) })
        async let result = bench.call()
        await hold.wait(forWaiters: 1)
        version.withLock { $0 = "v2" }
        hold.open()
        #expect(await result.code == nil)
        #expect(try Self.details(bench)["policy"] == "v1")
        _ = await bench.call()
        #expect(try Self.details(bench)["policy"] == "v2")
    }

    @Test("73: a call that waits for people is recorded with the policies that it was made under")
    func swappedWhilePending() async throws {
        let version = Mutex("v1")
        let bench = try Bench(decider: Rules { _ in Ruling(.needsApproval(.finance()), basis: Self.basis(version.withLock { $0 })) })
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        #expect(approval.policy == "v1")
        version.withLock { $0 = "v2" }
        _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve)
        #expect(await result.code == nil)
        #expect(try Self.details(bench)["policy"] == "v2" && Self.details(bench)["approval"] == .string(approval.id))
    }

    @Test("90: with a log that cannot be written nothing of effect is called, and what only reads where the configuration says so")
    func logDown() async throws {
        func bench(_ readsWithoutLog: Bool) throws -> Bench {
            guard case .object(var read) = tool("orders.get") else { throw CatalogError(path: "", rule: "", message: "") }
            read["effect"] = "read"
            let bench = try Bench([tool(), .object(read)], readsWithoutLog: readsWithoutLog)
            bench.log.fail()
            return bench
        }
        let strict = try bench(false)
        #expect(await strict.call().code == "log_unavailable")
        #expect(await strict.call(tool: "orders.get").code == "log_unavailable")
        let lenient = try bench(true)
        #expect(await lenient.call().code == "log_unavailable")
        let read = await lenient.call(tool: "orders.get")
        #expect(read.code == nil && read.decisionID == nil && read.value != nil)
        #expect(lenient.metrics.noted == ["unlogged orders.get"])
        #expect(lenient.meter.commits == 1 && lenient.log.outcomes.isEmpty)
    }

    @Test("91: card numbers in any text are masked in what is recorded, shown and asked")
    func cards() async throws {
        let parameters: JSONValue = [
            "type": "object", "additionalProperties": false,
            "properties": [
                "text": ["type": "string"],
                "items": [
                    "type": "array",
                    "items": ["type": "object", "additionalProperties": false, "properties": ["note": ["type": "string"]]],
                ],
            ],
        ]
        let bench = try Bench(
            [tool("mail.send", parameters: parameters)],
            decider: Rules { request in
                let inputs = JSONObject([("seen", request.arguments["text"] ?? .null)])
                return Ruling(.needsApproval(.finance()), basis: RulingBasis(version: "v1", rules: [], inputs: inputs))
            })
        let news = Mutex<[ToolNews]>([])
        let text = #"{"text":"pay 4111-1111-1111-1111, please","items":[{"note":"x"},{"note":"5500 0000 0000 0004"}]}"#
        async let result = bench.call(text, tool: "mail.send") { item in news.withLock { $0.append(item) } }
        let approval = try #require(await bench.pending().first)
        _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve)
        #expect(await result.value?["text"] == "pay 4111-1111-1111-1111, please")
        let record = try #require(bench.log.records.first)
        #expect(record.redacted == ["text", "items[1].note"])
        #expect(record.arguments == #"{"items":[{"note":"x"},{"note":"[redacted]"}],"text":"pay [redacted], please"}"#)
        #expect(approval.arguments == record.arguments)
        for shown in ["\(record)", "\(news.withLock { $0 })", "\(bench.watched.all)"] {
            #expect(!shown.contains("1111-1111") && !shown.contains("0000 0004"))
        }
    }

    @Test(
        "91: what is a card's number",
        arguments: [
            ("4111111111111111", "[redacted]"), ("4111 1111 1111 1111", "[redacted]"), ("4111-1111-1111-1111.", "[redacted]."),
            ("x4111111111111111y", "x[redacted]y"), ("378282246310005", "[redacted]"), ("4222222222222", "[redacted]"),
            ("4111111111111111 12/27", "[redacted] 12/27"), ("12 4111 1111 1111 1111 99", "12 [redacted] 99"),
            ("4111111111111111 5500000000000004", "[redacted] [redacted]"),
        ])
    func card(text: String, masked: String) { #expect(CardNumbers.masked(text) == masked) }

    @Test(
        "91: what is none",
        arguments: [
            "4111111111111112", "411111111111", "41111111111111111111", "4111  1111 1111 1111", "4111.1111.1111.1111", "0000000000000000",
            "", "order A1", "4111 1111 1111", "\u{661}\u{662}\u{663}\u{664}",
        ])
    func noCard(text: String) { #expect(CardNumbers.masked(text) == nil) }

    @Test("92: a denial has its record though its caller is gone before it is decided")
    func disconnected() async throws {
        let hold = Hold()
        let bench = try Bench(
            decider: Rules { _ in
                await hold.wait()
                return Ruling(.deny(Refusal(code: "denied", message: "no", rule: "stop")))
            })
        let task = Task { await bench.call() }
        await hold.wait(forWaiters: 1)
        task.cancel()
        hold.open()
        #expect(await task.value.rule == "stop")
        #expect(bench.log.records.map(\.rule) == ["stop"])
    }

    @Test("code that is shut in too badly is not run, whatever a policy says, and not offered")
    func isolation() async throws {
        let standing = Mutex(IsolationStanding(level: "basic", minimum: "full", isEnough: false))
        let bench = try Bench(
            [tool(), tool("run_code", builtin: "run_code", parameters: NestedCallTests.code)],
            decider: Rules { _ in Ruling(.allow(rule: "all")) }, isolation: { standing.withLock { $0 } })
        let refused = await bench.call(#"{"code":"1"}"#, tool: "run_code")
        #expect(refused.code == "isolation_too_low" && refused.rule == "isolation.level")
        #expect(bench.supervisor.offers(for: ann).map(\.name) == ["payments.refund"])
        standing.withLock { $0 = IsolationStanding(level: "full", minimum: "full", isEnough: true) }
        #expect(await bench.call(#"{"code":"1"}"#, tool: "run_code").code == nil)
    }

    @Test("amounts are told as decimals", arguments: [(0, "0"), (500_000, "50"), (501_000, "50.1"), (1, "0.0001"), (-15_000, "-1.5")])
    func decimals(scaled: Int64, text: String) { #expect(FixedPoint.text(scaled, places: 4) == text) }
}
