/// Whose conversations. There is no query without one.
public struct ConversationOwner: Sendable, Hashable {
    public let org: OrgID
    public let project: String
    /// The user; of a key that is bound to no user `/` and the key's id, which is no user's name: such keys share nothing. Empty without both.
    public let user: String

    public init(_ path: TenancyPath) {
        org = path.org
        project = path.project
        user = Self.name(user: path.user, key: path.key)
    }

    public init(org: OrgID, project: String, user: String?, key: String? = nil) throws(ScopeError) {
        self.init(try TenancyPath(org: org, project: project, user: user, key: key))
    }

    static func name(user: String?, key: String?) -> String { user ?? key.map { "/\($0)" } ?? "" }
}

public struct StoredConversation: Sendable, Hashable {
    public let id: String
    public let createdAt: Milliseconds
    public let updatedAt: Milliseconds
    /// The first thing the user said, cut to 120 characters.
    public let title: String

    public init(id: String, createdAt: Milliseconds, updatedAt: Milliseconds, title: String) {
        self.id = id
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.title = title
    }
}

public struct StoredTurn: Sendable, Hashable {
    public let turn: String
    public let run: String
    public let userText: String
    public let assistantText: String
    /// `running` until the turn is finished; then the word the engine gave.
    public let status: String
    public let startedAt: Milliseconds

    public init(turn: String, run: String, userText: String, assistantText: String, status: String, startedAt: Milliseconds) {
        self.turn = turn
        self.run = run
        self.userText = userText
        self.assistantText = assistantText
        self.status = status
        self.startedAt = startedAt
    }
}

/// A turn that was looked for by its run, and where it belongs.
public struct PlacedTurn: Sendable, Hashable {
    public let conversation: String
    public let turn: StoredTurn

    public init(conversation: String, turn: StoredTurn) {
        self.conversation = conversation
        self.turn = turn
    }
}

public enum ConversationArchiveError: Error, Sendable, Hashable {
    /// The conversation has a turn of this id already.
    case turnExists
    /// Above ``StoreLimits/turnBytes``.
    case tooLong
    /// The back end did not do it; the reason is one sentence for an operator.
    case unavailable(String)
}

/// The conversations of one owner. Another owner's conversation of the same id is another conversation.
public protocol ConversationArchive: Sendable {
    /// Adds a running turn; makes the conversation when it is new.
    func beginTurn(
        _ turn: String, run: String, of conversation: String, userText: String, at: Milliseconds
    ) async throws(ConversationArchiveError)
    /// - Returns: false when the turn is gone.
    @discardableResult
    func finishTurn(run: String, assistantText: String, status: String) async throws(ConversationArchiveError) -> Bool
    /// The newest `limit` turns, oldest first; empty when there is no such conversation.
    func turns(of conversation: String, limit: Int) async throws(ConversationArchiveError) -> [StoredTurn]
    /// - Returns: nil when the owner has no such run, or its turn is gone.
    func turn(ofRun run: String) async throws(ConversationArchiveError) -> PlacedTurn?
    func find(_ conversation: String) async throws(ConversationArchiveError) -> StoredConversation?
    /// The most recently used first; before `updatedAt` if given.
    func list(before updatedAt: Milliseconds?, limit: Int) async throws(ConversationArchiveError) -> [StoredConversation]
    /// Removes a conversation with its turns.
    ///
    /// - Returns: false when there is none.
    func delete(_ conversation: String) async throws(ConversationArchiveError) -> Bool
}
