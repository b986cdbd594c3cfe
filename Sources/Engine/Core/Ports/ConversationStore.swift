/// Where turns are kept. A conversation belongs to the user that began it; nobody else can tell that it exists.
public protocol ConversationStore: Sendable {
    /// The newest `turnsMax` turns, oldest first. A conversation that does not exist yet has none.
    ///
    /// - Throws: `.notFound` when it belongs to somebody else; `.unavailable` when the store cannot answer.
    func history(
        of conversation: ConversationID, for tenant: Tenant, turnsMax: Int
    ) async throws(ConversationError) -> [ConversationTurn]

    /// Writes the beginning of a turn, and the conversation if it is new.
    ///
    /// - Throws: `.turnExists` when the name is taken; else as `history`.
    func beginTurn(_ turn: TurnStart, for tenant: Tenant) async throws(ConversationError)

    /// Writes the end of a turn that was begun.
    func finishTurn(_ turn: TurnEnd, for tenant: Tenant) async throws(ConversationError)
}

/// Why a conversation cannot be used.
public enum ConversationError: Error, Sendable, Hashable {
    case notFound
    case turnExists
    case unavailable
}

/// A turn that has ended or is under way.
public struct ConversationTurn: Sendable, Hashable {
    public let turn: TurnID
    public let run: RunID
    public let userText: String
    /// What was answered; partial when the run did not complete, empty while it is under way.
    public let answer: String
    /// Nil while the run is under way.
    public let outcome: RunOutcome?
    /// Milliseconds since 1970.
    public let startedAt: Int64

    public init(
        turn: TurnID, run: RunID, userText: String, answer: String, outcome: RunOutcome?, startedAt: Int64
    ) {
        self.turn = turn
        self.run = run
        self.userText = userText
        self.answer = answer
        self.outcome = outcome
        self.startedAt = startedAt
    }
}

/// The beginning of a turn.
public struct TurnStart: Sendable, Hashable {
    public let identity: RunIdentity
    public let model: String
    public let userText: String
    /// Milliseconds since 1970.
    public let startedAt: Int64

    public init(identity: RunIdentity, model: String, userText: String, startedAt: Int64) {
        self.identity = identity
        self.model = model
        self.userText = userText
        self.startedAt = startedAt
    }
}

/// The end of a turn.
public struct TurnEnd: Sendable, Hashable {
    public let identity: RunIdentity
    public let answer: String
    public let outcome: RunOutcome
    /// Milliseconds since 1970.
    public let endedAt: Int64

    public init(identity: RunIdentity, answer: String, outcome: RunOutcome, endedAt: Int64) {
        self.identity = identity
        self.answer = answer
        self.outcome = outcome
        self.endedAt = endedAt
    }
}
