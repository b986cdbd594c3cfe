internal import Accounting
internal import JSON
internal import Supervisor

extension Approval {
    /// As lists, answers, the webhook and the console show it.
    ///
    /// - Parameter approver: for whom `may_decide` is said; left out without one.
    func json(for approver: Approver? = nil) -> JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        var object = JSONObject([
            ("id", .string(id)), ("org", .string(org.text)), ("project", .string(project)), ("user", .string(user)), ("run", .string(run)),
            ("conversation", text(conversation)), ("call_id", .string(callID)), ("tool", .string(tool)), ("subject", text(subject)),
            ("args", (try? JSONValue(parsing: Array(arguments.utf8))) ?? .object(JSONObject())), ("digest", .string(digest)),
            ("rule", .string(rule)), ("policy", .string(policy)),
            ("from", .array(demand.from.map { .array($0.map { .string($0.text) }) })), ("quorum", .integer(Int64(demand.quorum))),
            ("agreed", .integer(Int64(agreed))), ("created_at", .integer(createdAt)), ("expires_at", .integer(expiresAt)),
            ("ended_at", endedAt.map { .integer($0) } ?? .null), ("state", .string(state.rawValue)),
            ("votes", .array(votes.map(\.json))), ("decision_id", text(usedBy)),
        ])
        if let approver { object["may_decide"] = .bool(refusal(of: approver) == nil) }
        return .object(object)
    }

    /// What the approver would be told of an answer now; nil when it would be taken.
    func refusal(of approver: Approver) -> ApprovalRefusal.Code? {
        ApprovalMachine.handle(.vote(approver, .approve, reason: ""), self, now: WallClock.now().rawValue).refusal?.code
    }

    /// Whether the approver has asked, or may have a say, now or before.
    func concerns(_ approver: Approver) -> Bool {
        // Keys that are bound to no user are nobody's together: each asks for itself.
        let isAsker = user == approver.user && project == approver.project && (!user.isEmpty || key == approver.key)
        return isAsker || refusal(of: approver) != .notAnApprover
    }
}

extension Approval.Vote {
    fileprivate var json: JSONValue {
        [
            "by": .string(user), "decision": .string(answer.rawValue), "reason": .string(reason), "at": .integer(at),
            "as": .array(standing.map { .string($0) }), "agent": .bool(isAgent),
        ]
    }
}

extension Approver {
    init(_ principal: Principal) {
        self.init(
            org: principal.org, project: principal.project, user: principal.user ?? "", identity: principal.identity, key: principal.keyID,
            roles: Set(principal.roles))
    }
}
