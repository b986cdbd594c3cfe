internal import Accounting
internal import JSON
internal import Supervisor

/// Tells the decision log, the consoles and the webhook of approvals as they change.
struct ApprovalBroadcast: ApprovalObserver {
    let trail: AuditTrail
    let webhook: ApprovalWebhook?
    /// Consoles; set once they are there.
    let listeners: ApprovalListeners

    func changed(_ approval: Approval) async {
        if let act = try? AuditTrail.Act(approval) { _ = await trail.record(act) }
        listeners.tell(approval)
        webhook?.tell(approval.json())
    }
}

extension AuditTrail.Act {
    /// An approval as it stands: asked for, answered by whom and why, over, or used.
    ///
    /// - Throws: ``ScopeError`` for a caller who is none.
    init(_ approval: Approval) throws {
        let user = approval.user.isEmpty ? nil : approval.user
        self.init(
            kind: .approval, path: try TenancyPath(org: approval.org, project: approval.project, user: user, key: approval.key),
            action: approval.usedBy == nil ? "approval.\(approval.state.rawValue)" : "approval.used", run: approval.run)
        conversation = approval.conversation
        subject = approval.tool
        rule = approval.rule
        decision = approval.state == .denied || approval.state == .expired ? .deny : .allow
        source = approval.votes.isEmpty || approval.state == .expired ? .server : .operator
        details = JSONObject([
            ("approval", .string(approval.id)), ("state", .string(approval.state.rawValue)), ("binding", .string(approval.binding)),
            ("arguments_digest", .string(approval.digest)), ("quorum", .integer(Int64(approval.demand.quorum))),
            ("agreed", .integer(Int64(approval.agreed))), ("expires_at", .integer(approval.expiresAt)),
            (
                "votes",
                .array(
                    approval.votes.map { vote in
                        [
                            "by": .string(vote.user), "identity": .string(vote.identity), "key": vote.key.map { .string($0) } ?? .null,
                            "decision": .string(vote.answer.rawValue), "reason": .string(vote.reason), "at": .integer(vote.at),
                        ]
                    })
            ),
        ])
        details["used_by"] = approval.usedBy.map { .string($0) }
    }
}
