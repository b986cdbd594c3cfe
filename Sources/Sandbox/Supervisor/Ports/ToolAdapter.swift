public import JSON

/// Makes the calls of one tool. It is asked only for calls that were decided, paid for and recorded.
public protocol ToolAdapter: Sendable {
    /// Makes the call.
    ///
    /// The task is cancelled at the deadline and when nobody waits any longer. One that has not returned
    /// ``SupervisorLimits/cancellationGrace`` later is abandoned: what it returns then is dropped.
    ///
    /// - Throws: ``ToolFailure``. Only one that says ``ToolFailure/hadNoEffect`` gives back what the call costs.
    func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue
}

/// A call that may be made, once.
public struct AdmittedCall: Sendable {
    public let definition: ToolDefinition
    /// They fit the definition's schema; the same tree that was decided upon.
    public let arguments: JSONObject
    /// SHA-256 of the arguments' canonical form, in hexadecimal.
    public let digest: String
    public let caller: CallerIdentity
    public let callID: String
    public let source: CallSource
    /// The caller's alone (``IdempotentCall/Key/upstream``): tools that many callers share keep keys of one account.
    public let idempotencyKey: String?
    /// Its record in the decision log.
    public let decisionID: String
    /// What is left of the tool's time as the adapter is asked.
    public let deadline: Duration
    /// Takes what happens meanwhile, from any thread; dropped after the call's return.
    public let told: @Sendable (ToolNews) -> Void
    /// A call that code attempted, and that its channel refused: recorded, and told of. Dropped after the call's return.
    public let refused: @Sendable (RefusedAttempt) -> Void
    /// A call that code makes: decided, paid for and recorded like any other, as the same caller's. The supervisor tells of it
    /// (``ToolNews/nested(_:)``); the adapter does not. Refused after this call's return.
    public let nested: @Sendable (NestedCall) async -> CallResult

    public init(
        definition: ToolDefinition, arguments: JSONObject, digest: String, caller: CallerIdentity, callID: String,
        source: CallSource = .model, idempotencyKey: String? = nil, decisionID: String = "", deadline: Duration,
        told: @escaping @Sendable (ToolNews) -> Void = { _ in }, refused: @escaping @Sendable (RefusedAttempt) -> Void = { _ in },
        nested: @escaping @Sendable (NestedCall) async -> CallResult
    ) {
        self.definition = definition
        self.arguments = arguments
        self.digest = digest
        self.caller = caller
        self.callID = callID
        self.source = source
        self.idempotencyKey = idempotencyKey
        self.decisionID = decisionID
        self.deadline = deadline
        self.told = told
        self.refused = refused
        self.nested = nested
    }
}

/// A tool gave no result.
public struct ToolFailure: Error, Sendable, Hashable {
    /// Short and stable, for programs: `http_status`, `mcp_error`. 1 to 64 of `a-z`, `0-9` and `_`; anything else is told as `tool_error`.
    public let code: String
    /// For the model: bounded by the supervisor, and without secrets.
    public let message: String
    /// Certain: nothing reached the tool, or it said that it did nothing. When in doubt, false.
    public let hadNoEffect: Bool
    /// The tool did not answer in time.
    public let isTimeout: Bool
    /// What the tool gave all the same: of code its output, of HTTP the body of an error.
    public let value: JSONValue?

    public init(code: String, message: String, hadNoEffect: Bool = false, isTimeout: Bool = false, value: JSONValue? = nil) {
        self.code = code
        self.message = message
        self.hadNoEffect = hadNoEffect
        self.isTimeout = isTimeout
        self.value = value
    }
}

/// What happens while a tool runs.
public enum ToolNews: Sendable, Hashable {
    public enum Stream: String, Sendable, Hashable, CaseIterable {
        case stdout, stderr
    }

    /// Text that code wrote.
    case output(Stream, String)
    /// Progress of any other kind: members for the step's data.
    case progress(JSONObject)
    /// A call that code makes, as it begins and as it ends.
    case nested(NestedNews)
    /// An approval that the call waits for, as it begins and with each change; the last one is not pending.
    case approval(ApprovalNews)

    public struct ApprovalNews: Sendable, Hashable {
        public let id: String
        public let tool: String
        /// Without secrets.
        public let arguments: JSONValue
        /// Who may decide: `group:finance`, several with spaces between.
        public let from: String
        public let quorum: Int
        /// How many have agreed so far.
        public let agreed: Int
        /// Milliseconds since 1970-01-01T00:00Z.
        public let expiresAt: Int64
        /// `pending`, `approved`, `denied`, `expired` or `cancelled`.
        public let state: String

        public init(
            id: String, tool: String, arguments: JSONValue, from: String, quorum: Int, agreed: Int, expiresAt: Int64, state: String
        ) {
            self.id = id
            self.tool = tool
            self.arguments = arguments
            self.from = from
            self.quorum = quorum
            self.agreed = agreed
            self.expiresAt = expiresAt
            self.state = state
        }
    }

    public struct NestedNews: Sendable, Hashable {
        public enum Status: String, Sendable, Hashable, CaseIterable {
            case running, completed, error
        }

        /// Unique in the run.
        public let callID: String
        public let parentCallID: String
        /// As ``DecisionRecord/tool``: bounded and safe to show.
        public let tool: String
        public let status: Status
        /// `args`; at the end `decision`, `rule`, `result`, `error`.
        public let data: JSONObject

        public init(callID: String, parentCallID: String, tool: String, status: Status, data: JSONObject) {
            self.callID = callID
            self.parentCallID = parentCallID
            self.tool = tool
            self.status = status
            self.data = data
        }
    }
}
