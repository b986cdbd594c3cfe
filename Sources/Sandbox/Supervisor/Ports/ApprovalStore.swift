/// Keeps approvals, durably, one for all servers. It judges nothing: each change is a whole record that ``ApprovalMachine`` made.
public protocol ApprovalStore: Sendable {
    /// Keeps a new approval, unless as many pending ones are there as there may be; counted and kept in one transaction.
    func insert(_ approval: Approval, room: ApprovalRoom) async -> ApprovalInsertion

    func approval(_ id: String, of org: OrgID) async -> ApprovalLookup

    /// Puts this in the place of the same approval, if that has the version `expecting`. Atomic.
    func replace(_ approval: Approval, expecting version: Int64) async -> ApprovalReplacement

    /// The newest first, by (`createdAt`, `id`), both descending.
    ///
    /// - Parameter cursor: only those that come after this place.
    /// - Returns: at most `limit`; nil when the store cannot be asked.
    func approvals(of org: OrgID, _ filter: ApprovalFilter, before cursor: ApprovalCursor?, limit: Int) async -> [Approval]?

    /// The approvals of exactly this question that are pending, or approved and not used: the newest first, at most
    /// ``SupervisorLimits/approvalsOpenMax``.
    ///
    /// - Returns: nil when the store cannot be asked.
    func open(_ question: ApprovalQuestion) async -> [Approval]?

    /// The pending approvals of all orgs whose `expiresAt` is at or before `milliseconds`, the oldest first.
    ///
    /// - Returns: nil when the store cannot be asked.
    func due(before milliseconds: Int64, limit: Int) async -> [Approval]?
}

/// How many approvals may be pending at a time, the new one included.
public struct ApprovalRoom: Sendable, Hashable {
    /// Of the approval's run.
    public let run: Int
    /// Of its org.
    public let org: Int

    public init(run: Int, org: Int) {
        self.run = run
        self.org = org
    }
}

public enum ApprovalInsertion: Sendable, Hashable {
    /// It is durable.
    case inserted
    case tooMany
    case unavailable
}

public enum ApprovalLookup: Sendable, Hashable {
    case found(Approval)
    case missing
    case unavailable
}

public enum ApprovalReplacement: Sendable, Hashable {
    /// It is durable.
    case replaced
    /// Somebody was faster, or there is no such approval.
    case conflict
    case unavailable
}

/// Which approvals are asked for; what is nil is not looked at.
public struct ApprovalFilter: Sendable, Hashable {
    public var state: Approval.State?
    public var project: String?
    public var user: String?
    public var conversation: String?
    public var tool: String?
    public var digest: String?
    public var run: String?

    public init(
        state: Approval.State? = nil, project: String? = nil, user: String? = nil, conversation: String? = nil, tool: String? = nil,
        digest: String? = nil, run: String? = nil
    ) {
        self.state = state
        self.project = project
        self.user = user
        self.conversation = conversation
        self.tool = tool
        self.digest = digest
        self.run = run
    }

    /// For stores that look at each.
    public func fits(_ approval: Approval) -> Bool {
        (state == nil || state == approval.state) && (project == nil || project == approval.project)
            && (user == nil || user == approval.user) && (conversation == nil || conversation == approval.conversation)
            && (tool == nil || tool == approval.tool) && (digest == nil || digest == approval.digest)
            && (run == nil || run == approval.run)
    }
}

/// Is told of approvals: a console, a webhook, the audit log.
public protocol ApprovalObserver: Sendable {
    /// The approval is new, has another vote, has another state, or is used. Told by the server that made the change, after it is durable;
    /// the answer to whoever made it waits for this.
    func changed(_ approval: Approval) async
}
