/// What was decided about one attempt to call a tool. Every attempt has one, refused ones too; one that is allowed has it before it is made.
public struct DecisionRecord: Sendable, Hashable {
    public enum Decision: String, Sendable, Hashable, CaseIterable {
        case allow, deny
    }

    /// `dec_` and 20 characters of the URL-safe alphabet.
    public let id: String
    /// Milliseconds since 1970-01-01T00:00Z.
    public let time: Int64
    public let caller: CallerIdentity
    public let callID: String
    public let parentCallID: String?
    public let source: CallSource
    /// As it was asked for; what is no plain name is escaped and bounded.
    public let tool: String
    /// SHA-256 in hexadecimal: of the canonical form, or of what was received when that could not be read. Nil when nothing was
    /// received yet: the name alone was refused.
    public let argumentsDigest: String?
    /// Their canonical text without secrets; nil when they did not fit the schema, or are too long.
    public let arguments: String?
    /// Which of them stand there as ``Redaction/mark``, by path.
    public let redacted: [String]
    public let decision: Decision
    public let rule: String
    /// Of a refusal.
    public let code: String?
    public let message: String
    /// The text of the argument that identifies the thing (``ToolDefinition/correlate``); nil of a tool without one, and of arguments that
    /// do not fit.
    public let subject: String?
    /// The approval that the call was made under.
    public let approval: String?
    /// What the decision rests on, for explanations and for making it again: canonical JSON.
    public let details: String?

    /// For logs that read their records back, and for their tests.
    public init(
        id: String, time: Int64, caller: CallerIdentity, callID: String, parentCallID: String?, source: CallSource, tool: String,
        argumentsDigest: String?, arguments: String?, redacted: [String], decision: Decision, rule: String, code: String?,
        message: String, subject: String? = nil, approval: String? = nil, details: String? = nil
    ) {
        self.id = id
        self.time = time
        self.caller = caller
        self.callID = callID
        self.parentCallID = parentCallID
        self.source = source
        self.tool = tool
        self.argumentsDigest = argumentsDigest
        self.arguments = arguments
        self.redacted = redacted
        self.decision = decision
        self.rule = rule
        self.code = code
        self.message = message
        self.subject = subject
        self.approval = approval
        self.details = details
    }
}

/// What became of a call that was allowed.
public struct DecisionOutcome: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable, CaseIterable {
        case ok
        /// The tool failed; whether it had an effect is the tool's to say.
        case error
        /// Nobody waited for it any longer: it may have had an effect.
        case cancelled
        /// It did not answer in time: it may have had an effect.
        case timeout
        /// It went on after its call was over.
        case unknown
    }

    /// The decision's.
    public let id: String
    public let status: Status
    public let code: String?
    /// SHA-256 of the result's canonical form, in hexadecimal; nil without a result.
    public let resultDigest: String?
    /// Of the result's JSON text.
    public let bytes: Int
    /// From the dispatch to the answer.
    public let elapsed: Duration
    /// Whether the call was paid for.
    public let isCharged: Bool

    public init(
        id: String, status: Status, code: String?, resultDigest: String?, bytes: Int, elapsed: Duration, isCharged: Bool
    ) {
        self.id = id
        self.status = status
        self.code = code
        self.resultDigest = resultDigest
        self.bytes = bytes
        self.elapsed = elapsed
        self.isCharged = isCharged
    }
}
