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
            let ruling = details["ruling"], let inputs = details["inputs"]?.objectValue, let version = details["policy"]?.stringValue
        else { return nil }
        let path = decision.path
        let caller = CallerIdentity(
            org: path.org, project: path.project, user: path.user ?? "", key: path.key, roles: Set(decision.roles), run: decision.run)
        guard let question = try? PolicyReplay.question(decision.tool, decision.arguments, by: caller, inputs: inputs) else { return nil }
        self.question = .object(question)
        self.ruling = ruling
        self.version = version
    }
}
