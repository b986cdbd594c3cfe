public import JSON

/// Decides whether a call may be made. A pure function of the request and of the decider's own state, so that a decision can be explained.
///
/// What no decider can allow (``BuiltInRules``) never reaches it.
public protocol Decider: Sendable {
    /// Decides about a complete call. Asked before anything of it happens, and again when that took long.
    func decide(_ request: DecisionRequest) async -> Verdict

    /// Whether the name alone is forbidden to this caller. Answers at once; nil is no permission, which only ``decide(_:)`` gives.
    func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal?
}

/// The question for a ``Decider``.
public struct DecisionRequest: Sendable {
    public let tool: ToolDefinition
    /// They fit the tool's schema.
    public let arguments: JSONObject
    /// SHA-256 of the arguments' canonical form, in hexadecimal.
    public let digest: String
    public let caller: CallerIdentity
    public let callID: String
    public let parentCallID: String?
    public let source: CallSource
    /// Milliseconds since 1970-01-01T00:00Z: a decider has no clock of its own.
    public let now: Int64

    public init(
        tool: ToolDefinition, arguments: JSONObject, digest: String, caller: CallerIdentity, callID: String, parentCallID: String?,
        source: CallSource, now: Int64
    ) {
        self.tool = tool
        self.arguments = arguments
        self.digest = digest
        self.caller = caller
        self.callID = callID
        self.parentCallID = parentCallID
        self.source = source
        self.now = now
    }
}

/// What a decider says.
public enum Verdict: Sendable, Hashable {
    case allow(rule: String)
    case deny(Refusal)
    /// A person has to agree first. There is nobody to ask yet: the supervisor denies it as ``RefusalCode/approvalUnavailable``.
    case needsApproval(ApprovalDemand)
}

/// Whose agreement a call needs.
public struct ApprovalDemand: Sendable, Hashable {
    /// The rule that asks for it.
    public let rule: String
    /// Groups and people who may agree.
    public let from: [String]
    /// How many of them have to.
    public let quorum: Int
    public let timeout: Duration

    public init(rule: String, from: [String], quorum: Int, timeout: Duration) {
        self.rule = rule
        self.from = from
        self.quorum = quorum
        self.timeout = timeout
    }
}
