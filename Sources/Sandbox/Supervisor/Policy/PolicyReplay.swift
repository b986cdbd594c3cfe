public import JSON

/// Past decisions made again, under the same policies or others. Pure.
public enum PolicyReplay {
    /// What a ruling said, as records have it.
    public struct Said: Sendable, Hashable {
        public let decision: ShadowRuling.Decision
        public let rule: String
        /// Of a deny.
        public let code: String?

        public init(decision: ShadowRuling.Decision, rule: String, code: String? = nil) {
            self.decision = decision
            self.rule = rule
            self.code = code
        }

        init(_ verdict: Verdict) {
            switch verdict {
            case .allow(let rule): self.init(decision: .allow, rule: rule)
            case .deny(let refusal): self.init(decision: .deny, rule: refusal.rule, code: refusal.code)
            case .needsApproval(let demand): self.init(decision: .approval, rule: demand.rule)
            }
        }
    }

    /// A decision that was made.
    public struct Recorded: Sendable, Hashable {
        /// Names it in the answer: a record's id.
        public let id: String
        public let question: JSONValue
        /// What the policies said. A denial by a limit, a budget, a person or the log came after them and is not theirs to say again.
        public let said: Said

        public init(id: String, question: JSONValue, said: Said) {
            self.id = id
            self.question = question
            self.said = said
        }
    }

    public enum Comparison: Sendable, Hashable {
        case same
        /// Only the decision counts, and the rule beside it: what was said, and what would be.
        case differs(was: Said, now: Said)
        /// The question cannot be put to today's catalog.
        case unanswerable(QuestionError)
    }

    /// Decides again.
    ///
    /// An approval that people gave was recorded as an allow by the rule that asked for it: such a pair counts as the same.
    public static func compare(_ recorded: Recorded, with bundle: PolicyBundle, catalog: ToolCatalog) -> Comparison {
        let request: DecisionRequest
        do { request = try DecisionRequest(question: recorded.question, catalog: catalog) } catch {
            if case .arguments = error.kind, recorded.said.code == RefusalCode.badArguments { return .same }
            if error.kind == .unknownTool, recorded.said.code == RefusalCode.unknownTool { return .same }
            return .unanswerable(error)
        }
        let now = Said(bundle.ruling(request).verdict)
        let was = recorded.said
        if was.decision == now.decision, was.rule == now.rule, was.code == nil || was.code == now.code { return .same }
        if was.decision == .allow, now.decision == .approval, was.rule == now.rule { return .same }
        return .differs(was: was, now: now)
    }

    /// In the order of the records.
    public static func compare(
        _ records: some Sequence<Recorded>, with bundle: PolicyBundle, catalog: ToolCatalog
    ) -> [(record: Recorded, comparison: Comparison)] {
        records.map { ($0, compare($0, with: bundle, catalog: catalog)) }
    }

    /// The question that a record was the answer to, in the JSON form.
    ///
    /// - Parameter inputs: ``RulingBasis/inputs`` of the recorded ruling.
    /// - Throws: ``QuestionError`` where the record has no arguments: they were too long to record.
    public static func question(of record: DecisionRecord, inputs: JSONObject) throws(QuestionError) -> JSONObject {
        try question(record.tool, record.arguments, by: record.caller, inputs: inputs)
    }

    /// The same of a record that is kept elsewhere.
    ///
    /// - Parameter arguments: their JSON text.
    public static func question(
        _ tool: String, _ arguments: String?, by caller: CallerIdentity, inputs: JSONObject
    ) throws(QuestionError) -> JSONObject {
        guard let text = arguments, let arguments = try? JSONValue(parsing: text) else {
            throw QuestionError(.form, "args", "The record has no arguments: they were too long, or did not fit.")
        }
        var identity = JSONObject([
            ("org", .string(caller.org.text)), ("project", .string(caller.project)), ("user", .string(caller.user)),
            ("roles", .array(caller.roles.sorted().map { .string($0) })),
        ])
        identity["key"] = caller.key.map { .string($0) }
        var question = JSONObject([("call", .string(tool)), ("args", arguments), ("as", .object(identity))])
        for member in inputs.members { question[member.key] = member.value }
        return question
    }
}
