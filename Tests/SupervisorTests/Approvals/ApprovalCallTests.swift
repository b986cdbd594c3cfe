import JSON
import Synchronization
import Testing

@testable import Supervisor

@Suite("Calls that people are asked about", .timeLimit(.minutes(1)))
struct ApprovalCallTests {
    static let asking = Rules { _ in Ruling(.needsApproval(.finance()), limits: [.count(100)]) }

    /// What a call told of its approvals.
    final class Told: Sendable {
        private let seen = Mutex<[ToolNews]>([])
        var take: @Sendable (ToolNews) -> Void { { [self] news in seen.withLock { $0.append(news) } } }
        var states: [String] {
            seen.withLock { $0 }.compactMap { news in
                guard case .approval(let approval) = news else { return nil }
                return "\(approval.state) \(approval.agreed)/\(approval.quorum)"
            }
        }
    }

    @Test("an approved call is made: asked, agreed, decided again, used up, recorded, made")
    func approved() async throws {
        let asked = Mutex(0)
        let bench = try Bench(
            decider: Rules { _ in
                asked.withLock { $0 += 1 }
                return Ruling(.needsApproval(.finance(2)), limits: [.count(100)])
            })
        let told = Told()
        async let result = bench.call(told: told.take)
        let approval = try #require(await bench.pending().first)
        #expect(approval.arguments == #"{"amount":5,"order_id":"A1"}"# && approval.subject == "A1" && approval.rule == "refund-large")
        #expect(approval.user == "ann" && approval.callID == "call_1" && approval.run == "run_1")
        #expect(bench.limits.used("l1") == 1 && bench.log.records.isEmpty)
        _ = try await bench.desk.decide(approval.id, by: approver("bob"), .approve).get()
        while told.states.count < 2 { await Task.yield() }
        _ = try await bench.desk.decide(approval.id, by: approver("eve"), .approve).get()
        #expect(await result.value == ["order_id": "A1", "amount": 5])
        #expect(told.states == ["pending 0/2", "pending 1/2", "approved 2/2"])
        #expect(asked.withLock { $0 } == 2)
        let record = try #require(bench.log.records.first)
        #expect(bench.log.records.count == 1 && record.approval == approval.id && record.rule == "refund-large" && record.subject == "A1")
        #expect(bench.approvals.all.first?.usedBy == record.id)
        #expect(bench.journal.all == ["reserve", "limits", "log allow refund-large", "commit", "outcome ok"])
        #expect(bench.limits.used("l1") == 1)
        #expect(bench.watched.all.map(\.version) == [1, 2, 3, 4])
    }

    @Test("a denied call is not made; the model reads why, and everything held is given back")
    func denied() async throws {
        let bench = try Bench(decider: Self.asking)
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        _ = await bench.desk.decide(approval.id, by: approver("bob"), .deny, reason: "wrong customer")
        let refused = await result
        #expect(refused.code == "approval_denied" && refused.rule == "refund-large")
        #expect(refused.refusal?.message.contains("wrong customer") == true)
        #expect(refused.refusal?.details["approval"] == .string(approval.id))
        #expect(bench.meter.refunds == 1 && bench.limits.used("l1") == 0)
        #expect(bench.log.records.map(\.decision) == [.deny] && bench.log.records.first?.approval == nil)
    }

    @Test("81, 86: nobody decides in time: expired, and the reservations are given back")
    func expired() async throws {
        let bench = try Bench(decider: Self.asking)
        let told = Told()
        async let result = bench.call(told: told.take)
        let approval = try #require(await bench.pending().first)
        #expect(bench.limits.used("l1") == 1)
        bench.clock.advance(by: 60)
        #expect(await result.code == "approval_expired")
        #expect(bench.meter.refunds == 1 && bench.meter.commits == 0)
        #expect(bench.limits.used("l1") == 0 && bench.limits.reservations == 0)
        #expect(told.states == ["pending 0/1", "expired 0/1"])
        #expect(bench.approvals.all.first?.state == .expired && bench.approvals.all.first?.votes == [])
        guard case .failure(let late) = await bench.desk.decide(approval.id, by: approver("bob"), .approve) else {
            Issue.record("82: decided late")
            return
        }
        #expect(late.code == .expired)
    }

    @Test("a decision at another server is seen within half a second")
    func elsewhere() async throws {
        let bench = try Bench(decider: Self.asking)
        let other = ApprovalDesk(store: bench.approvals, clock: bench.clock)
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        _ = await other.decide(approval.id, by: approver("bob"), .approve)
        bench.clock.advance(milliseconds: 500)
        #expect(await result.code == nil)
    }

    @Test("who waits says so every 10 seconds")
    func beats() async throws {
        let bench = try Bench(decider: Self.asking)
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        #expect(approval.waitedUntil == approval.createdAt + 30_000)
        bench.clock.advance(by: 10)
        while bench.approvals.all.first?.waitedUntil != approval.createdAt + 40_000 { await Task.yield() }
        await bench.clock.waitForSleepers(1)
        bench.clock.advance(by: 50)
        #expect(await result.code == "approval_expired")
    }

    @Test("85: a call that nobody waits for takes its question back, and is not made")
    func cancelled() async throws {
        let bench = try Bench(decider: Self.asking)
        let told = Told()
        let task = Task { await bench.call(told: told.take) }
        _ = await bench.pending()
        task.cancel()
        #expect(await task.value.code == "cancelled")
        #expect(bench.approvals.all.map(\.state) == [.cancelled])
        #expect(told.states == ["pending 0/1", "cancelled 0/1"])
        #expect(bench.meter.refunds == 1 && bench.limits.used("l1") == 0 && bench.supervisor.callsInFlight == 0)
        #expect(bench.log.records.map(\.code) == ["cancelled"])
    }

    @Test("an approval that somebody cancels ends its call")
    func takenBack() async throws {
        let bench = try Bench(decider: Self.asking)
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        _ = await bench.desk.cancel(approval.id, of: "acme")
        #expect(await result.code == "approval_cancelled")
    }

    @Test("83: a restart leaves the approval pending with its deadline, and the same call finds it")
    func restart() async throws {
        let bench = try Bench(decider: Self.asking)
        let task = Task { await bench.call() }
        let before = try #require(await bench.pending().first)
        bench.supervisor.beginShutdown()
        task.cancel()
        #expect(await task.value.code == "cancelled")
        let left = try #require(bench.approvals.all.first)
        #expect(left.state == .pending && left.expiresAt == before.expiresAt && left.votes == before.votes)
        #expect(bench.meter.refunds == 1)

        let next = try Bench(decider: Self.asking, approvals: bench.approvals)
        let caller = CallerIdentity(org: "acme", project: "shop", user: "ann", run: "run_2")
        async let result = next.call(caller: caller)
        await next.clock.waitForSleepers(1)
        #expect(next.approvals.all.count == 1)
        _ = try await next.desk.decide(before.id, by: approver("bob"), .approve).get()
        #expect(await result.code == nil)
        #expect(next.log.records.first?.approval == before.id)
    }

    @Test("77, 78: an approval is good for one call, and for no call that differs by a byte")
    func binding() async throws {
        let bench = try Bench(decider: Self.asking)
        let task = Task { await bench.call() }
        let approval = try #require(await bench.pending().first)
        bench.supervisor.beginShutdown()
        task.cancel()
        _ = await task.value
        _ = try await bench.desk.decide(approval.id, by: approver("bob"), .approve).get()
        // Another amount: asked anew.
        let other = Task { await bench.call(#"{"order_id":"A1","amount":6}"#) }
        #expect(await bench.pending().map(\.id) != [approval.id])
        other.cancel()
        #expect(await other.value.code == "cancelled")
        // The very same call: made under it, once.
        #expect(await bench.call().code == nil)
        #expect(bench.log.records.last?.approval == approval.id)
        let again = Task { await bench.call() }
        while bench.approvals.all.count < 3 { await Task.yield() }
        again.cancel()
        #expect(await again.value.code == "cancelled")
        #expect(bench.log.records.count { $0.decision == .allow } == 1)
    }

    @Test("78: an approval that another call uses in the same moment is used once")
    func usedMeanwhile() async throws {
        let bench = try Bench(decider: Self.asking)
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        let thief = ApprovalDesk(store: bench.approvals, clock: bench.clock)
        _ = try await thief.decide(approval.id, by: approver("bob"), .approve).get()
        _ = await thief.change(approval.id, of: "acme", by: .use(approval.question, decision: "dec_other"))
        bench.clock.advance(milliseconds: 500)
        #expect(await result.code == "approval_used")
        #expect(bench.meter.refunds == 1 && bench.limits.used("l1") == 0)
    }

    @Test("what people agreed to is decided again: a new deny is a deny, and the approval is not used")
    func decidedAgain() async throws {
        let ruling = Mutex(Ruling(.needsApproval(.finance()), limits: [.count(100)]))
        let bench = try Bench(decider: Rules { _ in ruling.withLock { $0 } })
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        ruling.withLock { $0 = Ruling(.deny(Refusal(code: "denied", message: "no more", rule: "stop"))) }
        _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve)
        #expect(await result.rule == "stop")
        #expect(bench.approvals.all.first?.usedBy == nil)
        #expect(bench.meter.refunds == 1 && bench.limits.used("l1") == 0)
    }

    @Test("limits that a new policy has by then are asked too, and the old ones given back")
    func newLimits() async throws {
        let ruling = Mutex(Ruling(.needsApproval(.finance()), limits: [.count(100)]))
        let bench = try Bench(decider: Rules { _ in ruling.withLock { $0 } })
        async let result = bench.call()
        let approval = try #require(await bench.pending().first)
        ruling.withLock { $0 = Ruling(.needsApproval(.finance()), limits: [.count(0, id: "l2")]) }
        _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve)
        #expect(await result.code == "limit_exceeded")
        #expect(bench.limits.used("l1") == 0 && bench.limits.reservations == 0)
    }

    @Test("policies that ask for others by then: votes that do for them do, others are asked once more, and then no more")
    func outdated() async throws {
        let demand = Mutex(ApprovalDemand.finance())
        let bench = try Bench(decider: Rules { _ in Ruling(.needsApproval(demand.withLock { $0 })) })
        let leads = { (name: String) in ApprovalDemand(rule: "leads", from: [[.group(name)]], quorum: 1, timeout: .seconds(60)) }
        // The same people, under another name of the rule.
        async let same = bench.call(id: "call_1")
        let first = try #require(await bench.pending().first)
        demand.withLock { $0 = ApprovalDemand(rule: "new", from: [[.user("bob"), .group("x")]], quorum: 1, timeout: .seconds(60)) }
        _ = await bench.desk.decide(first.id, by: approver("bob"), .approve)
        #expect(await same.code == nil)
        // Others, twice.
        demand.withLock { $0 = .finance() }
        async let other = bench.call(id: "call_2")
        let second = try #require(await bench.pending().first)
        demand.withLock { $0 = leads("leads") }
        _ = await bench.desk.decide(second.id, by: approver("bob"), .approve)
        let third = try #require(await bench.pending().first)
        #expect(third.id != second.id && third.demand == leads("leads"))
        demand.withLock { $0 = leads("owners") }
        _ = await bench.desk.decide(third.id, by: approver("eve", roles: ["leads"]), .approve)
        #expect(await other.code == "approval_outdated")
    }

    @Test("a question whose call is gone, and that asks the wrong people by now, is superseded")
    func superseded() async throws {
        let demand = Mutex(ApprovalDemand.finance())
        let bench = try Bench(decider: Rules { _ in Ruling(.needsApproval(demand.withLock { $0 })) })
        let task = Task { await bench.call() }
        let first = try #require(await bench.pending().first)
        bench.supervisor.beginShutdown()
        task.cancel()
        _ = await task.value
        demand.withLock { $0 = .finance(2) }
        let again = Task { await bench.call() }
        while bench.approvals.all.count < 2 { await Task.yield() }
        #expect(bench.approvals.all.first { $0.id == first.id }?.state == .superseded)
        again.cancel()
        _ = await again.value
    }

    @Test("people who denied a call twice are not asked again for 10 minutes")
    func fatigue() async throws {
        let bench = try Bench(decider: Self.asking)
        for count in 1...2 {
            async let result = bench.call()
            let approval = try #require(await bench.pending().first)
            _ = await bench.desk.decide(approval.id, by: approver("bob"), .deny, reason: "no")
            #expect(await result.code == "approval_denied")
            #expect(bench.approvals.all.count == count)
            bench.clock.advance(by: 60)
        }
        let third = await bench.call()
        #expect(third.code == "approval_denied_recently" && bench.approvals.all.count == 2)
        // The first denial ages out 600 s after it; 120 s have passed.
        #expect(third.refusal?.details["retry_after"] == 480)
        #expect(bench.meter.refunds == 3)
        // Another call is another question.
        let other = Task { await bench.call(#"{"order_id":"A2","amount":5}"#) }
        _ = await bench.pending()
        other.cancel()
        _ = await other.value
        bench.clock.advance(by: 480)
        let later = Task { await bench.call() }
        _ = await bench.pending()
        later.cancel()
        #expect(await later.value.code == "cancelled")
    }

    @Test("a run whose approvals are too many, a store that cannot be asked, and arguments that nobody reads")
    func refusals() async throws {
        let bench = try Bench(decider: Self.asking)
        for index in 0..<16 {
            let question = ApprovalQuestion(
                org: "acme", project: "shop", user: "ann", conversation: nil, tool: "payments.refund", digest: "d\(index)")
            let approval = Approval(
                about: question, key: nil, run: "run_1", callID: "c", subject: nil, arguments: "{}", policy: "", demand: .finance(),
                now: bench.clock.unixMilliseconds, waitedUntil: 0)
            #expect(await bench.desk.insert(approval) == .inserted)
        }
        #expect(await bench.call().code == "too_many_approvals")
        bench.approvals.fail()
        #expect(await bench.call().code == "approval_unavailable")
        #expect(bench.meter.refunds == 2 && bench.limits.reservations == 0)

        let long: JSONValue = ["type": "object", "additionalProperties": false, "properties": ["text": ["type": "string"]]]
        let reading = try Bench([tool("mail.send", parameters: long)], decider: Self.asking)
        let text = #"{"text":"\#(String(repeating: "x", count: 65_536))"}"#
        #expect(await reading.call(text, tool: "mail.send").code == "approval_too_large")
    }

    @Test("a call of code waits like others, and its parent tells of the approval")
    func nested() async throws {
        let bench = try Bench(
            [tool(), tool("run_code", builtin: "run_code", parameters: NestedCallTests.code)],
            others: [
                "run_code": ScriptedTool { call in
                    let made = await call.nested(
                        NestedCall(tool: "payments.refund", arguments: JSONObject([("order_id", "A1"), ("amount", 5)])))
                    return .success(made.value ?? .string(made.code ?? ""))
                }
            ],
            decider: Rules { request in
                Ruling(request.source == .code ? .needsApproval(.finance()) : .allow(rule: "code"))
            })
        let told = Told()
        async let result = bench.call(#"{"code":"x"}"#, tool: "run_code", told: told.take)
        let approval = try #require(await bench.pending().first)
        #expect(approval.callID == "call_1.1")
        _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve)
        #expect(await result.value == ["order_id": "A1", "amount": 5])
        #expect(told.states == ["pending 0/1", "approved 1/1"])
    }

    @Test("16 calls of one question at once: each is asked about by itself, and each approval is used once")
    func parallel() async throws {
        let bench = try Bench(decider: Self.asking)
        let codes = await withTaskGroup(of: String?.self) { group in
            for index in 0..<16 { group.addTask { await bench.call(id: "call_\(index)").code } }
            for approval in await bench.pending(16) { _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve) }
            return await group.reduce(into: [String?]()) { $0.append($1) }
        }
        #expect(codes.allSatisfy { $0 == nil })
        #expect(Set(bench.approvals.all.compactMap(\.usedBy)).count == 16)
        #expect(Set(bench.log.records.compactMap(\.approval)).count == 16)
    }

    @Test("cancelled at any moment, a call leaves nothing held and at most one final state", arguments: 0..<40)
    func anyMoment(steps: Int) async throws {
        let bench = try Bench(decider: Self.asking)
        let task = Task { await bench.call() }
        let decider = Task {
            while bench.approvals.all.isEmpty, !Task.isCancelled { await Task.yield() }
            if let approval = bench.approvals.all.first { _ = await bench.desk.decide(approval.id, by: approver("bob"), .approve) }
        }
        for _ in 0..<steps { await Task.yield() }
        task.cancel()
        let result = await task.value
        decider.cancel()
        await decider.value
        #expect(result.code == "cancelled" || result.code == nil)
        #expect(bench.limits.used("l1") == Int64(bench.meter.commits))
        #expect(bench.supervisor.callsInFlight == 0)
        #expect(bench.watched.all.count { $0.state.isFinal && $0.usedBy == nil } <= 1)
        #expect(bench.approvals.all.allSatisfy { $0.state.isFinal })
    }
}
