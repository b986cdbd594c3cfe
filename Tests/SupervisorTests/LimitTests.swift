import JSON
import Supervisor
import Synchronization
import Testing

@Suite("Limits of policies", .timeLimit(.minutes(1)))
struct LimitTests {
    /// 200 per customer, whatever the session.
    static let perCustomer = Rules { request in
        let customer = request.arguments["order_id"]?.stringValue ?? ""
        return Ruling(
            .allow(rule: "refund-small"),
            limits: [.sum(request.arguments["amount"]?.integerValue ?? 0, of: 200, id: "customer \(customer)")])
    }

    @Test("61: 3 calls of a session are made, and the 4th is told which limit stands in the way")
    func session() async throws {
        let bench = try Bench(decider: Rules { _ in Ruling(.allow(rule: "refund-small"), limits: [.count(3)]) })
        for _ in 0..<3 { #expect(await bench.call(#"{"order_id":"A1","amount":50}"#).code == nil) }
        let refused = await bench.call(#"{"order_id":"A1","amount":50}"#)
        #expect(refused.code == "limit_exceeded" && refused.rule == "refund-small")
        #expect(refused.refusal?.details == JSONObject([("limit", "3 per session"), ("used", "3"), ("max", "3")]))
        #expect(bench.meter.commits == 3 && bench.meter.refunds == 1)
        let details = try JSONValue(parsing: try #require(bench.log.records.last?.details))
        #expect(
            details["limits"] == [
                ["amount": "1", "id": "l1", "limit": "3 per session", "max": "3", "rule": "refund-small", "used": "3"]
            ])
    }

    @Test("62: of 16 parallel calls of 50 against 200 exactly 4 are made; the others give back what they held")
    func parallel() async throws {
        let bench = try Bench(decider: Self.perCustomer)
        let codes = await withTaskGroup(of: String?.self) { group in
            for index in 0..<16 { group.addTask { await bench.call(#"{"order_id":"A1","amount":50}"#, id: "call_\(index)").code } }
            return await group.reduce(into: [String?]()) { $0.append($1) }
        }
        #expect(codes.count { $0 == nil } == 4)
        #expect(codes.count { $0 == "limit_exceeded" } == 12)
        #expect(bench.limits.used("customer A1") == 2_000_000)
        #expect(bench.meter.commits == 4 && bench.meter.refunds == 12)
    }

    @Test("63: split over sessions, the customer's limit still counts")
    func sessions() async throws {
        let bench = try Bench(decider: Self.perCustomer)
        var codes: [String?] = []
        for index in 0..<5 {
            let caller = CallerIdentity(org: "acme", project: "shop", user: "user\(index)", run: "run_\(index)", conversation: "c\(index)")
            codes.append(await bench.call(#"{"order_id":"A1","amount":50}"#, caller: caller).code)
        }
        #expect(codes == [nil, nil, nil, nil, "limit_exceeded"])
        #expect(await bench.call(#"{"order_id":"A2","amount":50}"#).code == nil)
    }

    @Test("74: a wall clock that is set back refills nothing")
    func clockSetBack() async throws {
        let bench = try Bench(decider: Rules { _ in Ruling(.allow(rule: "r"), limits: [.count(1, period: .hour)]) })
        #expect(await bench.call().code == nil)
        bench.clock.setBack(by: 7_200)
        let refused = await bench.call()
        #expect(refused.code == "limit_exceeded")
        // The hour of the count ends two hours later than the clock says.
        #expect((refused.refusal?.details["retry_after"]?.integerValue ?? 0) > 7_200)
        #expect(refused.refusal?.details["resets_at"]?.integerValue != nil)
        bench.clock.advance(by: 7_200)
        #expect(await bench.call().code == "limit_exceeded")
        bench.clock.advance(by: 3_600)
        #expect(await bench.call().code == nil)
    }

    @Test("a call that certainly did nothing gives its limits back; any other keeps them")
    func effects() async throws {
        let failure = Mutex(ToolFailure(code: "refused", message: "", hadNoEffect: true))
        let bench = try Bench(
            adapter: ScriptedTool { _ in .failure(failure.withLock { $0 }) },
            decider: Rules { _ in Ruling(.allow(rule: "r"), limits: [.count(5)]) })
        _ = await bench.call()
        #expect(bench.limits.used("l1") == 0)
        failure.withLock { $0 = ToolFailure(code: "late", message: "", isTimeout: true) }
        _ = await bench.call()
        #expect(bench.limits.used("l1") == 1)
    }

    @Test("limits that cannot be asked, or that nobody counts, mean no call")
    func unavailable() async throws {
        let bench = try Bench(decider: Rules { _ in Ruling(.allow(rule: "r"), limits: [.count(5)]) })
        bench.limits.fail()
        let refused = await bench.call()
        #expect(refused.code == "accounting_unavailable" && refused.rule == "refund-small")
        #expect(bench.meter.refunds == 1)
        #expect(await NoLimits().reserve([.count(5)], as: "x", for: ann) == .unavailable)
    }

    @Test("limits are given back when the decision cannot be recorded")
    func logDown() async throws {
        let bench = try Bench(decider: Rules { _ in Ruling(.allow(rule: "r"), limits: [.count(5)]) })
        bench.log.fail()
        #expect(await bench.call().code == "log_unavailable")
        #expect(bench.limits.used("l1") == 0 && bench.meter.refunds == 1)
    }
}
