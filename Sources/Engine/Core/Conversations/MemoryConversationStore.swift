/// Conversations for as long as the process lives. An actor.
///
/// Bounded by conversations and by turns of each; the conversation that was used longest ago goes first, the oldest
/// turn of a conversation goes first.
public actor MemoryConversationStore: ConversationStore {
    private struct Conversation {
        let owner: Tenant
        var turns: [ConversationTurn] = []
        var lastUse: Int
    }

    private let conversationsMax: Int
    private let turnsMax: Int
    private var conversations: [ConversationID: Conversation] = [:]
    private var uses = 0

    /// - Parameters:
    ///   - conversationsMax: 10,000 chats of a few kilobytes are tens of megabytes.
    ///   - turnsMax: more than any prompt takes along.
    public init(conversationsMax: Int = 10_000, turnsMax: Int = 256) {
        self.conversationsMax = max(conversationsMax, 1)
        self.turnsMax = max(turnsMax, 1)
    }

    public func history(
        of conversation: ConversationID, for tenant: Tenant, turnsMax: Int
    ) async throws(ConversationError) -> [ConversationTurn] {
        guard let found = conversations[conversation] else { return [] }
        guard found.owner.owns(asSeenBy: tenant) else { throw .notFound }
        return Array(found.turns.suffix(turnsMax))
    }

    public func beginTurn(_ turn: TurnStart, for tenant: Tenant) async throws(ConversationError) {
        uses += 1
        let id = turn.identity.conversation
        if conversations[id] == nil { makeRoom() }
        var conversation = conversations[id] ?? Conversation(owner: tenant, lastUse: uses)
        guard conversation.owner.owns(asSeenBy: tenant) else { throw .notFound }
        guard !conversation.turns.contains(where: { $0.turn == turn.identity.turn }) else { throw .turnExists }
        conversation.lastUse = uses
        conversation.turns.append(
            ConversationTurn(
                turn: turn.identity.turn, run: turn.identity.run, userText: turn.userText, answer: "", outcome: nil,
                startedAt: turn.startedAt))
        if conversation.turns.count > turnsMax { conversation.turns.removeFirst() }
        conversations[id] = conversation
    }

    public func finishTurn(_ turn: TurnEnd, for tenant: Tenant) async throws(ConversationError) {
        let id = turn.identity.conversation
        // Neither is an error: room was made for newer ones while the run went on.
        guard let turns = conversations[id]?.turns, let index = turns.firstIndex(where: { $0.run == turn.identity.run })
        else { return }
        let begun = turns[index]
        conversations[id]?.turns[index] = ConversationTurn(
            turn: begun.turn, run: begun.run, userText: begun.userText, answer: turn.answer, outcome: turn.outcome,
            startedAt: begun.startedAt)
    }

    /// Linear in the conversations, but only for a new one when the store is full.
    private func makeRoom() {
        guard conversations.count >= conversationsMax else { return }
        if let oldest = conversations.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            conversations[oldest.key] = nil
        }
    }
}
