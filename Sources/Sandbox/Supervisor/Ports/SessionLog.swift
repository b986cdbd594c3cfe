/// What a session's calls were: read from the decision log, which the supervisor alone writes. An agent cannot say that it did something.
public protocol SessionLog: Sendable {
    /// The calls of the caller's session that were allowed, in the order in which they were decided.
    ///
    /// - Returns: nil when the log cannot be read, or has more than ``SupervisorLimits/sessionCallsMax`` of them: then nothing is allowed.
    func calls(of caller: CallerIdentity) async -> [SessionCall]?
}

/// One call of a session that was allowed.
public struct SessionCall: Sendable, Hashable {
    public let tool: String
    /// The text of the argument that identifies the thing (``ToolDefinition/correlate``); empty of a tool without one.
    public let subject: String
    /// Whether it is known to have succeeded.
    public let isDone: Bool
    /// Whether people agreed to it.
    public let isApproved: Bool

    public init(tool: String, subject: String, isDone: Bool, isApproved: Bool) {
        self.tool = tool
        self.subject = subject
        self.isDone = isDone
        self.isApproved = isApproved
    }
}

/// A session at one moment: the fold of its calls. Pure.
public struct SessionState: Sendable, Hashable {
    /// A tool and the thing that it was called about.
    public struct Step: Sendable, Hashable, Comparable {
        public let tool: String
        public let key: String

        public init(tool: String, key: String) {
            self.tool = tool
            self.key = key
        }

        public static func < (left: Step, right: Step) -> Bool {
            left.tool != right.tool ? left.tool < right.tool : left.key < right.key
        }
    }

    /// The calls that are known to have succeeded.
    public private(set) var history: Set<Step> = []
    /// Every call that was made, whatever came of it. What must not follow a call asks here: one whose outcome is unknown may have happened.
    public private(set) var called: Set<Step> = []
    /// The steps that people agreed to and that nothing has changed since: a later call of the same tool about the same thing that nobody
    /// agreed to takes its step out again.
    public private(set) var approvals: Set<Step> = []
    /// How often each tool was called.
    public private(set) var counts: [String: Int64] = [:]

    public init(_ calls: some Sequence<SessionCall> = []) {
        for call in calls { take(call) }
    }

    /// A state that was written down: for tests of policies, and for making a decision again.
    public init(history: Set<Step>, called: Set<Step>, approvals: Set<Step>, counts: [String: Int64]) {
        self.history = history
        self.called = called
        self.approvals = approvals
        self.counts = counts
    }

    private mutating func take(_ call: SessionCall) {
        let step = Step(tool: call.tool, key: call.subject)
        called.insert(step)
        counts[call.tool, default: 0] += 1
        if call.isDone { history.insert(step) }
        if call.isApproved, call.isDone { approvals.insert(step) } else { approvals.remove(step) }
    }
}

/// Where no decider looks at sessions.
public struct NoSessionLog: SessionLog {
    public init() {}
    public func calls(of caller: CallerIdentity) async -> [SessionCall]? { [] }
}
