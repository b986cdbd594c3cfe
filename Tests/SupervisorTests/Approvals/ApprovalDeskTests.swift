import Testing

@testable import Supervisor

@Suite("Where approvals are decided", .timeLimit(.minutes(1)))
struct ApprovalDeskTests {
    let store = MemoryApprovalStore()
    let clock = ManualClock()
    let watched = WatchedApprovals()
    let metrics = CountingMetrics()
    let desk: ApprovalDesk

    init() { desk = ApprovalDesk(store: store, clock: clock, observers: [watched], metrics: metrics) }

    func insert(_ demand: ApprovalDemand = .finance(), run: String = "run_1") async -> (Approval, ApprovalInsertion) {
        let now = clock.unixMilliseconds
        let approval = Approval(
            about: ApprovalMachineTests.question, key: nil, run: run, callID: "call_1", subject: nil, arguments: "{}", policy: "",
            demand: demand, now: now, waitedUntil: now)
        return (approval, await desk.insert(approval))
    }

    @Test("a decision is durable, counted, and told of")
    func decide() async throws {
        let (approval, _) = await insert(.finance(2))
        let first = try await desk.decide(approval.id, by: approver("bob"), .approve).get()
        #expect(first.state == .pending && first.agreed == 1)
        let second = try await desk.decide(approval.id, by: approver("eve"), .approve, reason: "fine").get()
        #expect(second.state == .approved && store.all == [second])
        #expect(watched.all.map(\.version) == [1, 2, 3])
        #expect(metrics.noted == ["pending", "approved"])
        #expect(
            await desk.decide("apr_other", by: approver("eve"), .approve)
                == .failure(ApprovalRefusal(.unknown, "There is no such approval.")))
    }

    @Test("an approval of another org is unknown there")
    func org() async {
        let (approval, _) = await insert()
        let stranger = Approver(org: "other", project: "shop", user: "bob", key: nil, roles: ["finance"])
        guard case .failure(let refusal) = await desk.decide(approval.id, by: stranger, .approve) else {
            Issue.record("decided")
            return
        }
        #expect(refusal.code == .unknown)
    }

    @Test("a store that cannot be asked decides nothing")
    func unavailable() async {
        let (approval, _) = await insert()
        store.fail()
        guard case .failure(let refusal) = await desk.decide(approval.id, by: approver("bob"), .approve) else {
            Issue.record("decided")
            return
        }
        #expect(refusal.code == .unavailable)
        #expect(await desk.expireDue(clock.unixMilliseconds) == nil)
        #expect(await insert().1 == .unavailable)
    }

    @Test("85: approve, deny and cancel at the same moment: one of them happens, and only one")
    func race() async throws {
        for _ in 0..<100 {
            let (approval, _) = await insert()
            async let cancelled = desk.cancel(approval.id, of: "acme")
            async let approved = desk.decide(approval.id, by: approver("bob"), .approve)
            async let denied = desk.decide(approval.id, by: approver("eve"), .deny, reason: "no")
            let states = await [cancelled, approved, denied].compactMap { try? $0.get().state }
            #expect(states.count == 1)
            #expect(await store.approval(approval.id, of: "acme") == .found(try #require(store.all.first { $0.id == approval.id })))
            #expect(store.all.first { $0.id == approval.id }?.state == states.first)
            #expect(watched.all.filter { $0.id == approval.id && $0.state.isFinal }.count == 1)
        }
    }

    @Test("8 approvers, each twice at the same moment: each counts once, and none is lost")
    func parallel() async {
        let (approval, _) = await insert(.finance(10))
        let taken = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<8 {
                for _ in 0..<2 {
                    group.addTask {
                        guard case .success = await desk.decide(approval.id, by: approver("user\(index)"), .approve) else { return false }
                        return true
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken == 8 && store.all.first?.agreed == 8)
    }

    @Test("81: the sweeper expires what is due, and nothing else")
    func sweep() async {
        let (due, _) = await insert(.finance(seconds: 10))
        _ = await insert(.finance(seconds: 11))
        clock.advance(by: 10)
        #expect(await desk.expireDue(clock.unixMilliseconds) == 1)
        #expect(await desk.expireDue(clock.unixMilliseconds) == 0)
        #expect(store.all.filter { $0.state == .expired }.map(\.id) == [due.id])
        #expect(metrics.noted == ["pending", "pending", "expired"])
    }

    @Test("a run has at most 16 pending approvals, and an org 1,000")
    func room() async {
        for _ in 0..<16 { #expect(await insert().1 == .inserted) }
        #expect(await insert().1 == .tooMany)
        for index in 16..<1_000 { #expect(await insert(run: "other_\(index / 16)").1 == .inserted) }
        #expect(await insert(run: "last").1 == .tooMany)
        if let one = store.all.first { _ = await desk.cancel(one.id, of: "acme") }
        #expect(await insert(run: "last").1 == .inserted)
    }
}
