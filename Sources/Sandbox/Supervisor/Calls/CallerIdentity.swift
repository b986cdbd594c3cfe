/// For whom a tool is called: verified by the Server, never said by the model or by code.
public struct CallerIdentity: Sendable, Hashable {
    public let org: OrgID
    public let project: String
    public let user: String
    /// The API key's identifier, where the run was started with one; never the key itself.
    public let key: String?
    public let roles: Set<String>
    /// The run whose model or whose code calls.
    public let run: String
    public let turn: String?
    /// The conversation that the run belongs to: policies call it the session.
    public let conversation: String?
    /// The person, where the identity provider says who it is: the same for all accounts that one human has.
    public let identity: String?

    public init(
        org: OrgID, project: String, user: String, key: String? = nil, roles: Set<String> = [], run: String, turn: String? = nil,
        conversation: String? = nil, identity: String? = nil
    ) {
        self.org = org
        self.project = project
        self.user = user
        self.key = key
        self.roles = roles
        self.run = run
        self.turn = turn
        self.conversation = conversation
        self.identity = identity
    }
}

/// Who wrote a call.
public enum CallSource: String, Sendable, Hashable, CaseIterable {
    /// The model, in its answer.
    case model
    /// Code in the executor.
    case code
}
