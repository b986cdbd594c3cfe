internal import Accounting
internal import Engine
internal import JSON
internal import Tenancy

/// Whose run a shared log is, and which node has it: what is asked before anybody may read it.
struct RunHead: Sendable, Hashable {
    let identity: RunIdentity
    let tenant: Tenant
    let model: String
    /// Milliseconds since 1970.
    let startedAt: Int64
    let node: String

    init(_ run: RunHandle, node: String) {
        (identity, tenant, model, startedAt) = (run.identity, run.tenant, run.model, run.startedAt)
        self.node = node
    }

    var json: JSONValue {
        [
            "run": .string(identity.run.text), "conversation": .string(identity.conversation.text), "turn": .string(identity.turn.text),
            "org": .string(tenant.org.text), "project": .string(tenant.project), "user": tenant.user.map { .string($0) } ?? .null,
            "key": tenant.key.map { .string($0) } ?? .null, "model": .string(model), "started_at": .integer(startedAt),
            "node": .string(node),
        ]
    }

    /// Nil for what is no head, or is one of another run than `run` of `org`.
    init?(_ text: String?, org: OrgID, run: RunID) {
        guard let text, let json = try? JSONValue(parsing: text), json["run"]?.stringValue == run.text,
            json["org"]?.stringValue == org.text,
            let conversation = json["conversation"]?.stringValue.flatMap(ConversationID.init),
            let turn = json["turn"]?.stringValue.flatMap(TurnID.init), let project = json["project"]?.stringValue,
            let model = json["model"]?.stringValue, let startedAt = json["started_at"]?.integerValue, let node = json["node"]?.stringValue
        else { return nil }
        identity = RunIdentity(run: run, conversation: conversation, turn: turn)
        tenant = Tenant(org: org, project: project, user: json["user"]?.stringValue, key: json["key"]?.stringValue)
        (self.model, self.startedAt, self.node) = (model, startedAt, node)
    }
}
