internal import Accounting
internal import JSON
internal import Supervisor

/// A decision of the log as the question that was asked: what it takes to make it again, or to say why it was made.
struct RecordedQuestion: Sendable {
    /// In the form of `kdcube policy explain`.
    let question: JSONValue
    /// What was ruled: `{decision, rule, rules, errors}`.
    let ruling: JSONValue
    /// The version of the policies that ruled.
    let version: String

    /// Nil of a record that no policy made, and of one whose arguments or inputs were too long to be kept.
    init?(_ decision: ToolDecision) {
        guard decision.kind == .call, let text = decision.details, let details = try? JSONValue(parsing: Array(text.utf8)),
            let ruling = details["ruling"], let inputs = details["inputs"]?.objectValue, let version = details["policy"]?.stringValue,
            let arguments = decision.arguments.flatMap({ try? JSONValue(parsing: Array($0.utf8)) })
        else { return nil }
        var caller = JSONObject([
            ("org", .string(decision.path.org)), ("project", .string(decision.path.project)),
            ("user", .string(decision.path.user ?? "")), ("roles", .array(decision.roles.map { .string($0) })),
        ])
        caller["key"] = decision.path.key.map { .string($0) }
        var question = JSONObject([("call", .string(decision.tool)), ("args", arguments), ("as", .object(caller))])
        for member in inputs.members { question[member.key] = member.value }
        if question["source"] == nil { question["source"] = .string(decision.source.rawValue) }
        self.question = .object(question)
        self.ruling = ruling
        self.version = version
    }
}
