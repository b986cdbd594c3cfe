import Testing

@testable import Engine

@Suite("Conversations (in memory)")
struct ConversationTests {
    private func start(_ conversation: ConversationID, _ text: String = "q") -> TurnStart {
        TurnStart(
            identity: RunIdentity(run: RunID(), conversation: conversation, turn: TurnID()), model: "demo",
            userText: text, startedAt: 1)
    }

    @Test("the conversation used longest ago makes room, and its late end is ignored")
    func conversationsMax() async throws {
        let store = MemoryConversationStore(conversationsMax: 2)
        let ids = (0..<3).map { _ in ConversationID() }
        let first = start(ids[0])
        try await store.beginTurn(first, for: ann)
        try await store.beginTurn(start(ids[1]), for: ann)
        try await store.beginTurn(start(ids[0]), for: ann)
        try await store.beginTurn(start(ids[2]), for: ann)
        var kept: [Int] = []
        for id in ids { kept.append(try await store.history(of: id, for: ann, turnsMax: 9).count) }
        #expect(kept == [2, 0, 1])
        let gone = TurnEnd(identity: start(ids[1]).identity, answer: "late", outcome: .complete, endedAt: 2)
        try await store.finishTurn(gone, for: ann)
        #expect(try await store.history(of: ids[1], for: ann, turnsMax: 9).isEmpty)
    }

    @Test("the oldest turn goes first, and a finished turn carries its answer and outcome")
    func turnsMax() async throws {
        let store = MemoryConversationStore(turnsMax: 2)
        let id = ConversationID()
        for number in 0..<3 { try await store.beginTurn(start(id, "q\(number)"), for: ann) }
        let last = start(id, "q3")
        try await store.beginTurn(last, for: ann)
        try await store.finishTurn(
            TurnEnd(identity: last.identity, answer: "partial", outcome: .cut, endedAt: 2), for: ann)
        let turns = try await store.history(of: id, for: ann, turnsMax: 9)
        #expect(turns.map(\.userText) == ["q2", "q3"])
        #expect(turns.last?.answer == "partial" && turns.last?.outcome == .cut)
        #expect(try await store.history(of: id, for: ann, turnsMax: 1).map(\.userText) == ["q3"])
    }

    @Test("a key without a user sees only what that key began")
    func ownership() {
        let bare = Tenant(org: "o", project: "p", user: nil, key: "k1")
        #expect(bare.owns(asSeenBy: bare))
        #expect(!bare.owns(asSeenBy: Tenant(org: "o", project: "p", user: nil, key: "k2")))
        #expect(!bare.owns(asSeenBy: ann))
        #expect(ann.owns(asSeenBy: Tenant(org: "o", project: "p", user: "ann", key: "other")))
        #expect(!ann.owns(asSeenBy: Tenant(org: "o", project: "q", user: "ann", key: "k1")))
    }

    @Test("the newest past turns that fit go along, those without an answer do not")
    func pastTurns() {
        let turns = ["aaaa", "", "bb", "cc"].map { answer in
            ConversationTurn(
                turn: TurnID(), run: RunID(), userText: "q", answer: answer, outcome: .complete, startedAt: 1)
        }
        #expect(PastTurns.fitting(turns, bytesMax: 6).map(\.answer) == ["bb", "cc"])
        #expect(PastTurns.fitting(turns, bytesMax: 11).map(\.answer) == ["aaaa", "bb", "cc"])
        #expect(PastTurns.fitting(turns, bytesMax: 2).isEmpty)
    }
}
