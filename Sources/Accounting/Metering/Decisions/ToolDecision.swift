/// One decision about one call of a tool: who wanted what, and what was answered by which rule. Never changed once it is kept.
///
/// Its org, project, user and key are those of the authenticated run; nothing that a model or agent code says becomes one.
public struct ToolDecision: Sendable, Hashable {
    /// Who called: the model in its stream, or code in an executor.
    public enum Source: String, Sendable, Hashable, CaseIterable { case model, code }
    public enum Verdict: String, Sendable, Hashable, CaseIterable { case allow, deny }

    /// Unique in its org.
    public let id: String
    public let path: TenancyPath
    public let run: String
    public let callID: String
    /// The call in which this one was made.
    public let parentCallID: String?
    public let source: Source
    public let tool: String
    /// Of the canonical arguments, in lower-case hexadecimal digits.
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

    /// Names and messages that others have made are cut and cleaned, arguments that are too long are left out.
    ///
    /// - Throws: ``DecisionError/malformed(_:)`` for an id, a run, a digest, arguments or roles that are none.
    public init(
        id: String, path: TenancyPath, run: String, callID: String, parentCallID: String? = nil, source: Source, tool: String,
        argumentsDigest: String, arguments: String?, decision: Verdict, rule: String? = nil, code: String? = nil, message: String? = nil,
        roles: [String] = [], at: Milliseconds
    ) throws(DecisionError) {
        try DecisionText.check(id, "id")
        try DecisionText.check(run, "run")
        try DecisionText.checkDigest(argumentsDigest, "arguments digest")
        // JSON text has its control characters escaped; Postgres does not take a zero byte in text.
        guard arguments?.utf8.contains(0) != true else { throw .malformed("arguments") }
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
    }
}

/// What became of a call that was allowed. Written once: the first outcome of a decision stays.
public struct ToolOutcome: Sendable, Hashable {
    /// `unknown`: it may have happened, and nobody can say.
    public enum Status: String, Sendable, Hashable, CaseIterable { case ok, error, cancelled, timeout, unknown }

    public let org: String
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

    /// - Throws: ``DecisionError/malformed(_:)`` for an org, an id, a digest or a number that is none.
    public init(
        org: String, decision: String, status: Status, code: String? = nil, resultDigest: String? = nil, bytes: Int64 = 0,
        elapsed: Milliseconds, at: Milliseconds
    ) throws(DecisionError) {
        do { try TenancyName.check(org) } catch { throw .malformed("org") }
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
