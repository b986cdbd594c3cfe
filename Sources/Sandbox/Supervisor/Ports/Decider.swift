public import JSON

/// Decides whether a call may be made. A pure function of the request and of the decider's own state, so that a decision can be explained
/// and made again.
///
/// What no decider can allow (``BuiltInRules``) never reaches it.
public protocol Decider: Sendable {
    /// Decides about a complete call. Asked before anything of it happens, and again when that took long.
    func decide(_ request: DecisionRequest) async -> Ruling

    /// Whether the name alone is forbidden to this caller. Answers at once; nil is no permission, which only ``decide(_:)`` gives.
    func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal?

    /// Whether ``decide(_:)`` looks at ``DecisionRequest/session``; a decider that does not spares a look into the log for each call.
    var looksAtSession: Bool { get }

    /// The decider as it is now: one that can change goes on to decide by what it is at this moment. Answers at once.
    func snapshot() -> any Decider
}

extension Decider {
    public var looksAtSession: Bool { false }
    public func snapshot() -> any Decider { self }
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
    /// What the caller's session has done so far, as the supervisor itself has seen it.
    public let session: SessionState
    /// Whether the session was read: not for a decider that does not look at it (``Decider/looksAtSession``).
    public let isSessionRead: Bool
    /// Milliseconds since 1970-01-01T00:00Z: a decider has no clock of its own.
    public let now: Int64

    public init(
        tool: ToolDefinition, arguments: JSONObject, digest: String, caller: CallerIdentity, callID: String, parentCallID: String?,
        source: CallSource, session: SessionState = SessionState(), isSessionRead: Bool = true, now: Int64
    ) {
        self.tool = tool
        self.arguments = arguments
        self.digest = digest
        self.caller = caller
        self.callID = callID
        self.parentCallID = parentCallID
        self.source = source
        self.session = session
        self.isSessionRead = isSessionRead
        self.now = now
    }
}

/// What a decider says of a call, and what the saying rests on.
public struct Ruling: Sendable, Hashable {
    public let verdict: Verdict
    /// What has to have room before the call is made. Empty unless the verdict is an allow or a need of approval.
    public let limits: [LimitDemand]
    /// Nil of a decider that has no policies.
    public let basis: RulingBasis?
    /// What policies say that are only being tried; never changes the outcome. Nil when nothing is tried, or says the same.
    public let shadow: ShadowRuling?

    public init(_ verdict: Verdict, limits: [LimitDemand] = [], basis: RulingBasis? = nil, shadow: ShadowRuling? = nil) {
        self.verdict = verdict
        self.limits = limits
        self.basis = basis
        self.shadow = shadow
    }
}

/// What a decider says.
public enum Verdict: Sendable, Hashable {
    case allow(rule: String)
    case deny(Refusal)
    /// People have to agree first.
    case needsApproval(ApprovalDemand)
}

/// From what a ruling was made: with the policies of that version it can be made again.
public struct RulingBasis: Sendable, Hashable {
    /// The version of the policies: SHA-256 in hexadecimal.
    public let version: String
    /// The rules that determine the verdict, in the order of the policies.
    public let rules: [String]
    /// The rules that had an error.
    public let errors: [String]
    /// All that the decider saw besides tool, arguments and caller: `run`, `history`, `called`, `approvals`, `counts`, `now`.
    public let inputs: JSONObject

    public init(version: String, rules: [String], errors: [String] = [], inputs: JSONObject) {
        self.version = version
        self.rules = rules
        self.errors = errors
        self.inputs = inputs
    }
}

/// What policies that are only being tried would have said.
public struct ShadowRuling: Sendable, Hashable {
    public enum Decision: String, Sendable, Hashable, CaseIterable {
        case allow, deny, approval
    }

    public let version: String
    public let decision: Decision
    public let rule: String

    public init(version: String, decision: Decision, rule: String) {
        self.version = version
        self.decision = decision
        self.rule = rule
    }
}

/// Whose agreement a call needs.
public struct ApprovalDemand: Sendable, Hashable {
    /// Somebody who may agree.
    public enum Approver: Sendable, Hashable, Comparable {
        /// Whoever has this role.
        case group(String)
        case user(String)
        /// A program that acts as this user. It counts, but never as the last one: see ``ApprovalDemand/quorum``.
        case agent(String)

        /// `group:finance`, `user:anna`, `agent:risk-bot`.
        public var text: String {
            switch self {
            case .group(let name): "group:\(name)"
            case .user(let name): "user:\(name)"
            case .agent(let name): "agent:\(name)"
            }
        }

        public static func < (left: Approver, right: Approver) -> Bool { left.text < right.text }
    }

    /// The rule that asks for it; of several the first.
    public let rule: String
    /// Each list comes from one rule, and whoever agrees is in every list. Never empty, and no list is.
    public let from: [[Approver]]
    /// How many different people have to agree. Agents never make up the last of them: of a quorum of n at most n-1 count, and of 1 none.
    public let quorum: Int
    public let timeout: Duration

    public init(rule: String, from: [[Approver]], quorum: Int, timeout: Duration) {
        self.rule = rule
        self.from = from
        self.quorum = quorum
        self.timeout = timeout
    }

    /// Both demands at once: everyone is in every list, the higher quorum, the shorter time.
    public func joined(with other: ApprovalDemand) -> ApprovalDemand {
        ApprovalDemand(
            rule: rule, from: from + other.from.filter { !from.contains($0) }, quorum: max(quorum, other.quorum),
            timeout: min(timeout, other.timeout))
    }
}
