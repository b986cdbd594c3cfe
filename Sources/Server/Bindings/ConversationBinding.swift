internal import Accounting
internal import Engine

/// Meets the engine's ``ConversationStore`` with the durable store. The owner is part of the archive, so that a query without a
/// tenant does not compile.
struct ConversationBinding: ConversationStore {
    let stores: Stores

    func history(
        of conversation: ConversationID, for tenant: Tenant, turnsMax: Int
    ) async throws(ConversationError) -> [ConversationTurn] {
        let stored: [StoredTurn]
        do {
            stored = try await table(for: tenant).turns(of: conversation.text, limit: turnsMax)
        } catch {
            throw ConversationError.unavailable
        }
        return stored.compactMap { turn in
            guard let id = TurnID(turn.turn), let run = RunID(turn.run) else { return nil }
            return ConversationTurn(
                turn: id, run: run, userText: turn.userText, answer: turn.assistantText, outcome: RunOutcome(rawValue: turn.status),
                startedAt: turn.startedAt.rawValue)
        }
    }

    func beginTurn(_ turn: TurnStart, for tenant: Tenant) async throws(ConversationError) {
        let table = try table(for: tenant)
        do throws(ConversationArchiveError) {
            try await table.beginTurn(
                turn.identity.turn.text, run: turn.identity.run.text, of: turn.identity.conversation.text, userText: turn.userText,
                at: Milliseconds(turn.startedAt))
        } catch {
            throw ConversationError(error)
        }
    }

    func finishTurn(_ turn: TurnEnd, for tenant: Tenant) async throws(ConversationError) {
        let table = try table(for: tenant)
        do throws(ConversationArchiveError) {
            // A turn that is gone was deleted with its conversation while it ran; there is nothing to finish.
            _ = try await table.finishTurn(run: turn.identity.run.text, assistantText: turn.answer, status: turn.outcome.rawValue)
        } catch {
            throw ConversationError(error)
        }
    }

    private func table(for tenant: Tenant) throws(ConversationError) -> any ConversationArchive {
        do {
            return stores.conversations(of: try ConversationOwner(of: tenant))
        } catch {
            throw .unavailable
        }
    }
}

extension ConversationError {
    init(_ error: ConversationArchiveError) {
        switch error {
        case .turnExists: self = .turnExists
        case .tooLong, .unavailable: self = .unavailable
        }
    }
}
