import JSON
import Testing

@testable import Supervisor

@Suite("The life of an approval")
struct ApprovalMachineTests {
    static let question = ApprovalQuestion(
        org: "acme", project: "shop", user: "ann", conversation: "c1", tool: "payments.refund", digest: "d1")

    static func approval(
        _ demand: ApprovalDemand = .finance(), identity: String? = nil, key: String? = nil, now: Int64 = 1_000
    ) -> Approval {
        Approval(
            about: question, identity: identity, key: key, run: "run_1", callID: "call_1", subject: "A1", arguments: "{}", policy: "v1",
            demand: demand, now: now, waitedUntil: now + 30_000)
    }

    /// The approval after these votes, and the last refusal.
    static func after(
        _ votes: [(Approver, Approval.Answer)], _ approval: Approval, now: Int64 = 2_000
    ) -> (Approval, ApprovalRefusal.Code?) {
        var (approval, refusal) = (approval, ApprovalRefusal.Code?.none)
        for (who, answer) in votes {
            let step = ApprovalMachine.handle(.vote(who, answer, reason: "because"), approval, now: now)
            if let changed = step.changed { #expect(changed.version == approval.version + 1) }
            approval = step.changed ?? approval
            refusal = step.refusal?.code
        }
        return (approval, refusal)
    }

    @Test("a new approval is pending, unguessable, and bound to its call, the policies and a nonce")
    func new() {
        let (one, other) = (Self.approval(), Self.approval())
        #expect(one.state == .pending && one.version == 1 && one.expiresAt == 61_000)
        #expect(one.id.hasPrefix("apr_") && one.id.utf8.count == 24)
        #expect(one.id != other.id && one.nonce != other.nonce && one.binding != other.binding)
        #expect(one.binding == Approval.binding(of: Self.question, policy: "v1", nonce: one.nonce))
    }

    @Test("one vote of a quorum of one approves; of a quorum of two different people have to agree")
    func quorum() {
        #expect(Self.after([(approver("bob"), .approve)], Self.approval()).0.state == .approved)
        let two = Self.approval(.finance(2))
        let (one, _) = Self.after([(approver("bob"), .approve)], two)
        #expect(one.state == .pending && one.agreed == 1)
        let (both, _) = Self.after([(approver("bob"), .approve), (approver("eve"), .approve)], two)
        #expect(both.state == .approved && both.endedAt == 2_000 && both.votes.map(\.standing) == [["group:finance"], ["group:finance"]])
    }

    @Test("whoever is not in every list, in another org or without a user does not decide")
    func approvers() {
        let demand = ApprovalDemand(
            rule: "r", from: [[.group("finance"), .user("eve")], [.group("leads")]], quorum: 1, timeout: .seconds(60))
        let approval = Self.approval(demand)
        #expect(Self.after([(approver("bob"), .approve)], approval).1 == .notAnApprover)
        #expect(Self.after([(approver("eve", roles: []), .approve)], approval).1 == .notAnApprover)
        #expect(Self.after([(approver("bob", roles: ["finance", "leads"]), .approve)], approval).0.state == .approved)
        let (eve, _) = Self.after([(approver("eve", roles: ["leads"]), .approve)], approval)
        #expect(eve.votes.first?.standing == ["group:leads", "user:eve"])
        let stranger = Approver(org: "other", project: "shop", user: "bob", key: nil, roles: ["finance", "leads"])
        #expect(Self.after([(stranger, .approve)], approval).1 == .notAnApprover)
        #expect(Self.after([(approver("", key: "k", roles: ["finance", "leads"]), .approve)], approval).1 == .notAnApprover)
    }

    @Test("79: who asks does not answer: not as another account of theirs, in another project, or through the same key")
    func ownCall() {
        #expect(Self.after([(approver("ann"), .approve)], Self.approval()).1 == .ownCall)
        #expect(Self.after([(approver("ann"), .deny)], Self.approval()).1 == .ownCall)
        let known = Self.approval(identity: "human-1")
        #expect(Self.after([(approver("ann-admin", identity: "human-1"), .approve)], known).1 == .ownCall)
        let elsewhere = Approver(org: "acme", project: "back-office", user: "ann", identity: "x", key: nil, roles: ["finance"])
        #expect(Self.after([(elsewhere, .approve)], Self.approval()).1 == .ownCall)
        #expect(Self.after([(approver("bob", key: "key_1"), .approve)], Self.approval(key: "key_1")).1 == .sameCredential)
        #expect(Self.after([(approver("bob", key: "key_2"), .approve)], Self.approval(key: "key_1")).0.state == .approved)
    }

    @Test("80: one human through two accounts counts once, and so do two through one key")
    func identity() {
        let two = Self.approval(.finance(2))
        let (same, refusal) = Self.after(
            [(approver("bob", identity: "human-2"), .approve), (approver("bob-admin", identity: "human-2"), .approve)], two)
        #expect(refusal == .alreadyDecided && same.state == .pending && same.agreed == 1)
        let (shared, second) = Self.after([(approver("bob", key: "k"), .approve), (approver("eve", key: "k"), .approve)], two)
        #expect(second == .sameCredential && shared.state == .pending)
    }

    @Test("84: programs never make up the last of a quorum")
    func agents() {
        let from: [[ApprovalDemand.Approver]] = [[.group("finance"), .agent("bot"), .agent("bot2"), .agent("bot3")]]
        let bots = ["bot", "bot2", "bot3"].map { (approver($0, roles: []), Approval.Answer.approve) }
        let two = Self.approval(ApprovalDemand(rule: "r", from: from, quorum: 2, timeout: .seconds(60)))
        let (alone, _) = Self.after(bots, two)
        #expect(alone.state == .pending && alone.agreed == 1 && alone.votes.allSatisfy(\.isAgent))
        #expect(Self.after([bots[0], (approver("bob"), .approve)], two).0.state == .approved)
        let one = Self.approval(ApprovalDemand(rule: "r", from: from, quorum: 1, timeout: .seconds(60)))
        #expect(Self.after(bots, one).0.state == .pending)
        // A role makes no human of a program.
        #expect(Self.after([(approver("bot"), .approve)], one).0.state == .pending)
        #expect(Self.after([(approver("bot", roles: []), .deny)], one).0.state == .denied)
    }

    @Test("one deny ends it, and needs a reason; reasons are cleaned, and short")
    func reasons() throws {
        let approval = Self.approval(.finance(3))
        #expect(Self.after([(approver("bob"), .approve), (approver("eve"), .deny)], approval).0.state == .denied)
        func vote(_ answer: Approval.Answer, _ reason: String) -> ApprovalMachine.Step {
            ApprovalMachine.handle(.vote(approver("bob"), answer, reason: reason), approval, now: 2_000)
        }
        #expect(vote(.deny, "").refusal?.code == .reasonRequired)
        #expect(vote(.deny, " \n\u{202E}").refusal?.code == .reasonRequired)
        #expect(vote(.approve, "").refusal == nil)
        #expect(vote(.deny, " too\u{1B}[31m much\u{202E} ").changed?.votes.first?.reason == "too [31m much")
        #expect(vote(.deny, String(repeating: "x", count: 500)).refusal == nil)
        #expect(vote(.deny, String(repeating: "x", count: 501)).refusal?.code == .reasonTooLong)
    }

    @Test("81, 82: after the time nobody decides; it is expired, and names no human")
    func expiry() throws {
        let two = Self.after([(approver("bob"), .approve)], Self.approval(.finance(2))).0
        #expect(ApprovalMachine.handle(.tick, two, now: 60_999).changed == nil)
        for event: ApprovalMachine.Event in [.tick, .vote(approver("eve"), .approve, reason: ""), .cancel, .wait(until: 99_000)] {
            let step = ApprovalMachine.handle(event, two, now: 61_000)
            let expired = try #require(step.changed)
            #expect(expired.state == .expired && expired.endedAt == 61_000 && expired.votes == two.votes)
            #expect(step.effects == [.tell, .end])
        }
        let late = ApprovalMachine.handle(.vote(approver("eve"), .approve, reason: ""), two, now: 61_000)
        #expect(late.refusal?.code == .expired)
        let expired = try #require(late.changed)
        #expect(Self.after([(approver("eve"), .deny)], expired, now: 61_001).1 == .expired)
    }

    @Test("85: what is over stays as it is, whatever comes", arguments: Approval.State.allCases.filter { $0 != .pending })
    func final(state: Approval.State) {
        var over = Self.approval()
        over.state = state
        for event: ApprovalMachine.Event in [
            .vote(approver("bob"), .approve, reason: ""), .vote(approver("bob"), .deny, reason: "x"), .cancel, .supersede, .tick,
        ] {
            for now: Int64 in [2_000, 99_000] {
                let step = ApprovalMachine.handle(event, over, now: now)
                #expect(step.changed == nil)
                #expect(event == .tick || step.refusal != nil)
            }
        }
    }

    @Test("77: an approval is used for a call that equals its own byte by byte, and for no other")
    func binding() {
        let approved = Self.after([(approver("bob"), .approve)], Self.approval()).0
        let others = [
            ApprovalQuestion(org: "acme2", project: "shop", user: "ann", conversation: "c1", tool: "payments.refund", digest: "d1"),
            ApprovalQuestion(org: "acme", project: "shop2", user: "ann", conversation: "c1", tool: "payments.refund", digest: "d1"),
            ApprovalQuestion(org: "acme", project: "shop", user: "a\u{0301}nn", conversation: "c1", tool: "payments.refund", digest: "d1"),
            ApprovalQuestion(org: "acme", project: "shop", user: "ann", conversation: "c2", tool: "payments.refund", digest: "d1"),
            ApprovalQuestion(org: "acme", project: "shop", user: "ann", conversation: nil, tool: "payments.refund", digest: "d1"),
            ApprovalQuestion(org: "acme", project: "shop", user: "ann", conversation: "c1", tool: "payments.refunds", digest: "d1"),
            ApprovalQuestion(org: "acme", project: "shop", user: "ann", conversation: "c1", tool: "payments.refund", digest: "d2"),
        ]
        for other in others {
            let step = ApprovalMachine.handle(.use(other, decision: "dec_1"), approved, now: 3_000)
            #expect(step.changed == nil && step.refusal?.code == .otherCall)
        }
        // Equal to Swift, and other bytes.
        #expect(
            !ApprovalQuestion(org: "a", project: "\u{E9}", user: "", conversation: nil, tool: "", digest: "")
                .isSame(as: ApprovalQuestion(org: "a", project: "e\u{301}", user: "", conversation: nil, tool: "", digest: "")))
    }

    @Test("78: it is used once, while it is valid, and only when people have agreed")
    func once() throws {
        let approved = Self.after([(approver("bob"), .approve)], Self.approval()).0
        let used = try #require(ApprovalMachine.handle(.use(Self.question, decision: "dec_1"), approved, now: 3_000).changed)
        #expect(used.usedBy == "dec_1" && used.state == .approved)
        #expect(ApprovalMachine.handle(.use(Self.question, decision: "dec_2"), used, now: 3_001).refusal?.code == .used)
        #expect(ApprovalMachine.handle(.use(Self.question, decision: "dec_1"), approved, now: 61_000).refusal?.code == .expired)
        #expect(ApprovalMachine.handle(.use(Self.question, decision: "dec_1"), Self.approval(), now: 3_000).refusal?.code == .over)
        #expect(ApprovalMachine.handle(.join(until: 9_000), used, now: 3_001).refusal?.code == .used)
    }

    @Test("another call takes an approval over when its own waits no longer")
    func joining() throws {
        let pending = Self.approval()
        #expect(ApprovalMachine.handle(.join(until: 60_000), pending, now: 30_999).refusal != nil)
        let joined = try #require(ApprovalMachine.handle(.join(until: 60_000), pending, now: 31_000).changed)
        #expect(ApprovalMachine.handle(.join(until: 60_001), joined, now: 31_000).refusal != nil)
        let left = try #require(ApprovalMachine.handle(.leave, pending, now: 2_000).changed)
        #expect(left.state == .pending && ApprovalMachine.handle(.join(until: 32_000), left, now: 2_000).refusal == nil)
    }

    @Test("what it is written as is read back, and nothing else is read")
    func codec() throws {
        let demand = ApprovalDemand(
            rule: "r", from: [[.group("finance"), .agent("risk-bot")], [.user("eve")]], quorum: 2, timeout: .seconds(60))
        let full = Self.after(
            [(approver("eve", key: "k"), .approve)], Self.approval(demand, identity: "human", key: "key_1")
        ).0
        for approval in [full, Self.approval()] {
            #expect(try Approval(json: approval.json) == approval)
            #expect(try Approval(json: JSONValue(parsing: approval.json.jsonText)) == approval)
            guard case .object(let object) = approval.json else { return }
            for member in object.members {
                var without = object
                without[member.key] = nil
                #expect(throws: ApprovalFormatError(member: member.key)) { try Approval(json: .object(without)) }
            }
            var more = object
            more["more"] = 1
            #expect(throws: ApprovalFormatError(member: "more")) { try Approval(json: .object(more)) }
        }
        #expect(full.votes.count == 1 && full.demand.fromText == "group:finance agent:risk-bot user:eve")
    }
}
