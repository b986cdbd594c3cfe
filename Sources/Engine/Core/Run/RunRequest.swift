public import JSON

/// What a client asks for, after authentication.
public struct RunRequest: Sendable {
    /// What the model is to read.
    public enum Input: Sendable {
        /// A message in a conversation: the engine puts the conversation's past before it, and the knowledge into it. The
        /// conversation keeps the text alone.
        case message(text: String, system: String?, knowledge: [KnowledgePassage] = [])
        /// A whole prompt, as the OpenAI dialect brings it; the last user message is what the conversation keeps.
        case prompt([ModelMessage])
    }

    /// What becomes of the run when its last reader has gone.
    public enum ClientLossPolicy: Sendable, Hashable {
        /// Go on to the end: the client may come back and read the log.
        case drain
        /// End it with finish reason `client_lost`, unless a reader comes within the grace. A call whose deltas do not track
        /// its bill goes on all the same: stopped, it would cost its whole reservation.
        case stop(grace: Duration)
    }

    /// Which of the server's own tools the model is told of and may call. The client's tools are the client's to run, and the run
    /// completes with `tool_calls` when one is called; of two of one name the model is told of the server's only.
    public enum ServerTools: Sendable, Hashable {
        case all, none
        /// These, as far as there are tools of these names.
        case names([String])
    }

    /// What a denied tool call means for the run. The raw values are the configuration's.
    public enum DenyPolicy: String, Sendable, Hashable, CaseIterable {
        /// The model reads the refusal and goes on.
        case feedBack = "feed_back"
        /// The run completes with finish reason `tool_denied`, once the answer and the tools that already work are done.
        case stopTurn = "stop_turn"
        /// The run is cut with reason `policy_denied`: as soon as the name is streamed, where the name is enough.
        case cutStream = "cut_stream"
    }

    public var tenant: Tenant
    /// The caller's roles, for the decisions about tools.
    public var roles: Set<String>
    /// The person behind the caller, where one person has several users; nil where nobody says who it is.
    public var person: String?
    public var model: String
    public var input: Input
    /// Nil begins a new conversation.
    public var conversation: ConversationID?
    public var turn: TurnID?
    public var outputTokensMax: Int?
    /// Where all output is reserved and `outputTokensMax` does not fit: whether as much as fits will do. What the client did
    /// not limit itself may always be lowered.
    public var mayLowerOutput: Bool
    public var tools: JSONValue?
    /// Every other parameter for the model, passed through.
    public var parameters: JSONObject
    public var onClientLoss: ClientLossPolicy
    public var serverTools: ServerTools
    public var onDeny: DenyPolicy

    /// - Parameter serverTools: nil for what the input suggests: all for a message; none for a whole prompt, whose client runs the
    ///   tools that it names.
    public init(
        tenant: Tenant, model: String, input: Input, conversation: ConversationID? = nil, turn: TurnID? = nil,
        outputTokensMax: Int? = nil, tools: JSONValue? = nil, parameters: JSONObject = JSONObject(),
        onClientLoss: ClientLossPolicy = .drain, mayLowerOutput: Bool = false, roles: Set<String> = [], serverTools: ServerTools? = nil,
        onDeny: DenyPolicy = .feedBack
    ) {
        self.tenant = tenant
        self.model = model
        self.input = input
        self.conversation = conversation
        self.turn = turn
        self.outputTokensMax = outputTokensMax
        self.tools = tools
        self.parameters = parameters
        self.onClientLoss = onClientLoss
        self.mayLowerOutput = mayLowerOutput
        self.roles = roles
        self.serverTools = serverTools ?? input.serverTools
        self.onDeny = onDeny
    }

    /// What the client said, for `chat.start` and the conversation.
    var userText: String {
        switch input {
        case .message(let text, _, _): text
        case .prompt(let messages): messages.last { $0.role == "user" }?.text ?? ""
        }
    }
}

extension RunRequest.Input {
    fileprivate var serverTools: RunRequest.ServerTools {
        switch self {
        case .message: .all
        case .prompt: .none
        }
    }
}

/// The answer of ``RunCoordinator/start(_:)``.
public enum StartOutcome: Sendable {
    case started(RunHandle)
    /// A cap, a policy or an operator said no; nothing was called upstream.
    case refused(CutDescription)
    case failed(StartFailure)
}

/// Why a run could not be started, other than by a cap.
public struct StartFailure: Error, Sendable, Hashable {
    /// A wire code. Open, because a meter may bring its own.
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }

        public static let modelNotFound = Code(rawValue: "model_not_found")
        public static let conversationNotFound = Code(rawValue: "conversation_not_found")
        public static let turnExists = Code(rawValue: "turn_exists")
        public static let tooManyRuns = Code(rawValue: "too_many_runs")
        public static let serverShutdown = Code(rawValue: "server_shutdown")
        public static let accountingUnavailable = Code(rawValue: "accounting_unavailable")
        public static let conversationsUnavailable = Code(rawValue: "conversations_unavailable")
    }

    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// A run that was started: its names and its log, for as long as anybody keeps it.
public struct RunHandle: Sendable {
    public let identity: RunIdentity
    public let tenant: Tenant
    public let model: String
    /// Milliseconds since 1970.
    public let startedAt: Int64
    public let log: RunLog

    public init(identity: RunIdentity, tenant: Tenant, model: String, startedAt: Int64, log: RunLog) {
        self.identity = identity
        self.tenant = tenant
        self.model = model
        self.startedAt = startedAt
        self.log = log
    }

    /// How the run ended; nil while it lives.
    public var outcome: RunOutcome? { log.terminal?.outcome }
}

/// A live run as an operator sees it.
public struct LiveRun: Sendable {
    public let handle: RunHandle
    public let state: RunStateMachine.State
    public let deliveredTokens: Int
    /// The first of the server's tools that the run waits for; nil when it waits for none.
    public let tool: String?
    public let report: UsageReport
}
