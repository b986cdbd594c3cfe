/// One decision: who wanted what, and what was answered by which rule. Most are about calls of tools (``Kind``). Never changed once it is
/// kept.
///
/// Its org, project, user and key are those of the authenticated run; nothing that a model or agent code says becomes one.
public struct ToolDecision: Sendable, Hashable {
    /// What was decided about.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A call of a tool.
        case call
        /// A run that was to begin.
        case admission
        /// A step of an approval: asked for, agreed to, denied, run out.
        case approval
        /// A run that was ended from outside.
        case cut
        /// A tool that was switched off or on.
        case kill
        /// A change that an administrator made: keys, budgets, policies.
        case change
        /// What was refused outside of calls: another tenant's thing, a right that is missing.
        case refusal

        /// Whether a record of it always belongs to a run.
        public var needsRun: Bool { self == .call || self == .admission || self == .cut }
    }

    /// Who wanted it: the model in its stream, code in an executor, a caller of the API, who operates the server, or the server itself.
    public enum Source: String, Sendable, Hashable, CaseIterable { case model, code, caller, `operator`, server }
    public enum Verdict: String, Sendable, Hashable, CaseIterable { case allow, deny }

    /// Unique in its org.
    public let id: String
    public let path: TenancyPath
    /// Empty where there is none (``Kind/needsRun``).
    public let run: String
    /// Empty for what is no call.
    public let callID: String
    /// The call in which this one was made.
    public let parentCallID: String?
    public let source: Source
    public let tool: String
    /// Of the canonical arguments, in lower-case hexadecimal digits; empty only for what is no call.
    public let argumentsDigest: String
    /// The canonical JSON text; nil when it has more than ``DecisionLimits/argumentsBytes``.
    public let arguments: String?
    public let decision: Verdict
    /// The rule that made it.
    public let rule: String?
    /// Why it was denied, for programs.
    public let code: String?
    /// Why it was denied, for people.
    public let message: String?
    /// The caller's roles at that time.
    public let roles: [String]
    /// UTC.
    public let at: Milliseconds
    public let kind: Kind
    /// The conversation of the run: the session that ``DecisionStore/sessionCalls(of:conversation:limit:)`` reads back.
    public let conversation: String?
    /// What the call is about: exactly the text of the argument that identifies it.
    public let subject: String?
    /// The id of the approval under which the call was made, or that the record is about.
    public let approval: String?
    /// What the decision rests on, as canonical JSON; nil when it has more than ``DecisionLimits/detailsBytes``.
    public let details: String?

    /// The rule of a call that was answered from the outcome of an earlier one: it is no call of its own.
    public static let replayRule = "supervisor.replay"

    /// Whether a text can be a ``subject``. One that is cut would be another thing's.
    public static func takes(subject: String) -> Bool {
        subject.utf8.count <= DecisionLimits.subjectBytes && !subject.utf8.contains(0)
    }

    /// Names and messages that others have made are cut and cleaned, arguments that are too long are left out.
    ///
    /// - Throws: ``DecisionError/malformed(_:)`` for an id, a run, a conversation, a subject, a digest, JSON or roles that are none.
    public init(
        id: String, path: TenancyPath, run: String, callID: String, parentCallID: String? = nil, source: Source, tool: String,
        argumentsDigest: String, arguments: String?, decision: Verdict, rule: String? = nil, code: String? = nil, message: String? = nil,
        roles: [String] = [], at: Milliseconds, kind: Kind = .call, conversation: String? = nil, subject: String? = nil,
        approval: String? = nil, details: String? = nil
    ) throws(DecisionError) {
        try DecisionText.check(id, "id")
        if kind.needsRun || !run.isEmpty { try DecisionText.check(run, "run") }
        if kind == .call || !argumentsDigest.isEmpty { try DecisionText.checkDigest(argumentsDigest, "arguments digest") }
        if let conversation { try DecisionText.check(conversation, "conversation") }
        if let approval { try DecisionText.check(approval, "approval") }
        guard subject.map(Self.takes(subject:)) ?? true else { throw .malformed("subject") }
        // JSON text has its control characters escaped; Postgres does not take a zero byte in text.
        guard arguments?.utf8.contains(0) != true else { throw .malformed("arguments") }
        guard details?.utf8.contains(0) != true else { throw .malformed("details") }
        guard roles.count <= DecisionLimits.roles else { throw .malformed("roles") }
        for role in roles { do { try TenancyName.check(role) } catch { throw .malformed("roles") } }
        self.id = id
        self.path = path
        self.run = run
        self.callID = DecisionText.cleaned(callID, DecisionLimits.idBytes)
        self.parentCallID = parentCallID.map { DecisionText.cleaned($0, DecisionLimits.idBytes) }
        self.source = source
        self.tool = DecisionText.cleaned(tool, DecisionLimits.nameBytes)
        self.argumentsDigest = argumentsDigest
        self.arguments = arguments.flatMap { $0.utf8.count <= DecisionLimits.argumentsBytes ? $0 : nil }
        self.decision = decision
        self.rule = rule.map { DecisionText.cleaned($0, DecisionLimits.nameBytes) }
        self.code = code.map { DecisionText.cleaned($0, DecisionLimits.nameBytes) }
        self.message = message.map { DecisionText.cleaned($0, DecisionLimits.messageBytes) }
        self.roles = roles
        self.at = at
        self.kind = kind
        self.conversation = conversation
        self.subject = subject
        self.approval = approval
        self.details = details.flatMap { $0.utf8.count <= DecisionLimits.detailsBytes ? $0 : nil }
    }
}

/// What became of a call that was allowed. Written once: the first outcome of a decision stays.
public struct ToolOutcome: Sendable, Hashable {
    /// `unknown`: it may have happened, and nobody can say.
    public enum Status: String, Sendable, Hashable, CaseIterable { case ok, error, cancelled, timeout, unknown }

    public let org: OrgID
    /// The ``ToolDecision/id``.
    public let decision: String
    public let status: Status
    public let code: String?
    /// In lower-case hexadecimal digits.
    public let resultDigest: String?
    /// Of the result.
    public let bytes: Int64
    /// From dispatch to end.
    public let elapsed: Milliseconds
    /// UTC.
    public let at: Milliseconds

    /// - Throws: ``DecisionError/malformed(_:)`` for an id, a digest or a number that is none.
    public init(
        org: OrgID, decision: String, status: Status, code: String? = nil, resultDigest: String? = nil, bytes: Int64 = 0,
        elapsed: Milliseconds, at: Milliseconds
    ) throws(DecisionError) {
        try DecisionText.check(decision, "decision")
        if let resultDigest { try DecisionText.checkDigest(resultDigest, "result digest") }
        guard bytes >= 0, elapsed.rawValue >= 0 else { throw .malformed("outcome") }
        self.org = org
        self.decision = decision
        self.status = status
        self.code = code.map { DecisionText.cleaned($0, DecisionLimits.nameBytes) }
        self.resultDigest = resultDigest
        self.bytes = bytes
        self.elapsed = elapsed
        self.at = at
    }
}
