/// The life of an approval: every rule about who decides, and when. Pure: it has no store and no clock.
public enum ApprovalMachine {
    public enum Event: Sendable, Hashable {
        case vote(Approver, Approval.Answer, reason: String)
        /// Nobody needs the answer any longer.
        case cancel
        /// The policies ask for something else now.
        case supersede
        /// Time has passed.
        case tick
        /// The call that waits goes on waiting, until then at least.
        case wait(until: Int64)
        /// Another call takes it over from one that waits no longer.
        case join(until: Int64)
        /// The call that waited goes, and leaves the approval to whoever makes the same call later.
        case leave
        /// A call is made under it, once.
        case use(ApprovalQuestion, decision: String)
    }

    public enum Effect: Sendable, Hashable {
        /// Who watches approvals hears of the change.
        case tell
        /// It became final.
        case end
    }

    /// What came of an event. A refusal may change the approval too: an answer that comes too late finds that it is expired.
    public struct Step: Sendable, Hashable {
        /// With a version one higher; nil when nothing has changed.
        public let changed: Approval?
        public let effects: [Effect]
        public let refusal: ApprovalRefusal?
    }

    /// - Parameter now: milliseconds since 1970-01-01T00:00Z.
    public static func handle(_ event: Event, _ approval: Approval, now: Int64) -> Step {
        if approval.state == .pending, now >= approval.expiresAt { return late(event, approval, now) }
        switch event {
        case .vote(let approver, let answer, let reason): return vote(approver, answer, reason, approval, now)
        case .cancel: return end(approval, as: .cancelled, now)
        case .supersede: return end(approval, as: .superseded, now)
        case .tick: return Step(changed: nil, effects: [], refusal: nil)
        case .wait(let until):
            var approval = approval
            guard until > approval.waitedUntil else { return Step(changed: nil, effects: [], refusal: nil) }
            approval.waitedUntil = until
            return step(approval)
        case .join(let until):
            guard approval.state == .pending || approval.state == .approved else { return over(approval) }
            guard approval.usedBy == nil else { return refused(.used, "The approval was used already.") }
            guard approval.waitedUntil <= now, until > now else { return refused(.otherCall, "Another call waits for it.") }
            var approval = approval
            approval.waitedUntil = until
            return step(approval)
        case .leave:
            var approval = approval
            guard approval.waitedUntil > now else { return Step(changed: nil, effects: [], refusal: nil) }
            approval.waitedUntil = now
            return step(approval)
        case .use(let question, let decision): return use(question, decision, approval, now)
        }
    }

    /// Expires it, whatever has come; names nobody.
    private static func late(_ event: Event, _ approval: Approval, _ now: Int64) -> Step {
        var expired = approval
        expired.state = .expired
        expired.endedAt = approval.expiresAt
        let refusal: ApprovalRefusal? =
            switch event {
            case .tick, .wait, .leave: nil
            case .vote, .cancel, .supersede, .join, .use: ApprovalRefusal(.expired, "Nobody decided in time.")
            }
        return step(expired, [.tell, .end], refusal)
    }

    private static func end(_ approval: Approval, as state: Approval.State, _ now: Int64) -> Step {
        guard approval.state == .pending else { return over(approval) }
        var approval = approval
        approval.state = state
        approval.endedAt = now
        return step(approval, [.tell, .end])
    }

    private static func use(_ question: ApprovalQuestion, _ decision: String, _ approval: Approval, _ now: Int64) -> Step {
        let binding = Approval.binding(of: question, policy: approval.policy, nonce: approval.nonce)
        guard binding == approval.binding, question.isSame(as: approval.question) else {
            return refused(.otherCall, "The approval is for another call.")
        }
        guard approval.state == .approved else { return over(approval) }
        guard approval.usedBy == nil else { return refused(.used, "The approval was used already.") }
        guard now < approval.expiresAt else { return refused(.expired, "The approval is no longer valid.") }
        var approval = approval
        approval.usedBy = decision
        return step(approval, [.tell])
    }

    static func step(_ approval: Approval, _ effects: [Effect] = [], _ refusal: ApprovalRefusal? = nil) -> Step {
        var approval = approval
        approval.version += 1
        return Step(changed: approval, effects: effects, refusal: refusal)
    }

    static func refused(_ code: ApprovalRefusal.Code, _ message: String) -> Step {
        Step(changed: nil, effects: [], refusal: ApprovalRefusal(code, message))
    }

    static func over(_ approval: Approval) -> Step {
        switch approval.state {
        case .pending: refused(.over, "Nobody has agreed yet.")
        case .expired: refused(.expired, "Nobody decided in time.")
        case .approved, .denied, .cancelled, .superseded: refused(.over, "It is \(approval.state.rawValue) already.")
        }
    }
}
