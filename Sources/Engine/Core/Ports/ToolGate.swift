public import JSON

/// The server's own tools: what the model is offered, what it may call, and what comes of a call. The Server meets it with the
/// supervisor; tests meet it with a table.
///
/// The engine decides nothing about a call but whether the run's limits still allow one. Each call that is not the client's is put
/// before the gate, also one of a name that nobody offered: the gate writes down what was attempted.
public protocol ToolGate: Sendable {
    /// What this caller's model may be told of. Asked once, before the run is admitted.
    func offers(for caller: ToolCaller) async -> [ToolOffer]

    /// Whether the name alone is forbidden. Asked once a call, as soon as the name has been streamed and from the run's hot path:
    /// it must answer at once. Nil is no permission, which only ``call(_:told:)`` gives.
    func refusal(ofName name: String, for caller: ToolCaller) -> ToolRefusal?

    /// Writes down that a run was cut for the name of this call alone; the call itself never comes. Answers at once.
    ///
    /// - Returns: the refusal with the decision's id, where there is one.
    func record(_ refusal: ToolRefusal, of call: ToolInvocation) -> ToolRefusal

    /// Decides about one call and, if it is allowed, makes it. Several calls of one answer run at the same time.
    ///
    /// When the awaiting task is cancelled the tool is stopped, killed if need be, and this returns soon.
    ///
    /// - Parameter told: takes what happens meanwhile, from any thread; what it is told after the return is dropped.
    func call(_ call: ToolInvocation, told: @escaping @Sendable (ToolNews) -> Void) async -> ToolAnswer
}

/// For whom tools are called: verified by the Server, never said by the model or by code.
public struct ToolCaller: Sendable, Hashable {
    public let tenant: Tenant
    public let roles: Set<String>
    public let identity: RunIdentity
    /// See ``RunRequest/person``.
    public let person: String?

    public init(tenant: Tenant, roles: Set<String>, identity: RunIdentity, person: String? = nil) {
        self.tenant = tenant
        self.roles = roles
        self.identity = identity
        self.person = person
    }
}

/// A tool that the model is told of.
public struct ToolOffer: Sendable, Hashable {
    public let name: String
    /// One entry of OpenAI's `tools`: `{type: "function", function: {name, description, parameters}}`.
    public let definition: JSONValue

    public init(name: String, definition: JSONValue) {
        self.name = name
        self.definition = definition
    }
}

/// One call as the model wrote it.
public struct ToolInvocation: Sendable, Hashable {
    public let caller: ToolCaller
    /// Unique in the run.
    public let callID: String
    public let name: String
    /// Not checked in any way: it need not even be JSON. At most ``EngineLimits/toolArgumentBytesMax``.
    public let arguments: String
    /// Whether the run's model was told of this tool. One that it was not told of is refused, whoever may call it.
    public let isOffered: Bool

    public init(caller: ToolCaller, callID: String, name: String, arguments: String, isOffered: Bool = true) {
        self.caller = caller
        self.callID = callID
        self.name = name
        self.arguments = arguments
        self.isOffered = isOffered
    }
}

/// Why a call is not made.
public struct ToolRefusal: Sendable, Hashable {
    public let code: String
    public let message: String
    /// The rule that said no, where there is one.
    public let rule: String?
    public let decisionID: String?

    public init(code: String, message: String, rule: String? = nil, decisionID: String? = nil) {
        self.code = code
        self.message = message
        self.rule = rule
        self.decisionID = decisionID
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
    /// A call that the tool makes itself, as a step of its own: code calls tools.
    case nested(NestedCall)
    /// An approval that the call waits for (`pending`), or what became of it.
    case approval(RunApproval)

    public struct NestedCall: Sendable, Hashable {
        /// Unique in the run.
        public let callID: String
        public let name: String
        public let status: RunStep.Status
        /// Beside `tool`, `call_id` and `parent_call_id`: `args`, `decision`, `rule`, `result`, `error`.
        public let data: JSONObject

        public init(callID: String, name: String, status: RunStep.Status, data: JSONObject) {
            self.callID = callID
            self.name = name
            self.status = status
            self.data = data
        }
    }
}

/// What came of a call.
public struct ToolAnswer: Sendable, Hashable {
    /// What follows for the run.
    public enum Verdict: Sendable, Hashable {
        /// The model reads the content, be it a result or an error.
        case answered
        /// It was not allowed; the run's ``RunRequest/DenyPolicy`` says what follows.
        case denied(decisionID: String?)
        /// The run ends like this, and its other tools are stopped.
        case endsRun(RunEnding)
    }

    /// What the model reads.
    public let content: String
    /// For the step that ends the call, beside `tool`, `call_id` and `args`: `decision`, `rule`, `result` or `error`; of `run_code`
    /// also `exit`, `stdout`, `stderr`, `value`.
    public let data: JSONObject
    public let isError: Bool
    public let verdict: Verdict
    /// The rule that decided, whatever it said; for traces.
    public var rule: String?

    public init(content: String, data: JSONObject = JSONObject(), isError: Bool = false, verdict: Verdict = .answered) {
        self.content = content
        self.data = data
        self.isError = isError
        self.verdict = verdict
    }

    /// The answer to a call that was refused.
    public init(_ refusal: ToolRefusal, verdict: Verdict = .answered) {
        var error = JSONObject([("code", .string(refusal.code)), ("message", .string(refusal.message))])
        if let rule = refusal.rule { error["rule"] = .string(rule) }
        var data = JSONObject()
        if case .denied = verdict {
            data["decision"] = "deny"
            if let rule = refusal.rule { data["rule"] = .string(rule) }
        }
        data["error"] = .object(error)
        let content = JSONValue.object(JSONObject([("error", .object(error))])).jsonText
        self.init(content: content, data: data, isError: true, verdict: verdict)
    }

    /// The answer to a call that a policy denied.
    public static func denied(_ refusal: ToolRefusal) -> ToolAnswer {
        ToolAnswer(refusal, verdict: .denied(decisionID: refusal.decisionID))
    }
}
