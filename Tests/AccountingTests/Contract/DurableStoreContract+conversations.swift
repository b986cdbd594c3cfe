import Accounting
import Testing

extension DurableStoreContract {
    func conversations() async throws {
        let ann = server.conversations(try ConversationOwner(org: "acme", project: "web", user: "ann"))
        let bob = server.conversations(try ConversationOwner(org: "acme", project: "web", user: "bob"))
        try await ann.beginTurn("t1", run: "r1", of: "c1", userText: "Hello", at: now)
        await #expect(throws: ConversationArchiveError.turnExists) {
            try await ann.beginTurn("t1", run: "r9", of: "c1", userText: "again", at: now)
        }
        #expect(try await ann.turns(of: "c1", limit: 100).map(\.status) == ["running"])
        #expect(try await ann.finishTurn(run: "r1", assistantText: "Hi", status: "complete"))
        #expect(try await !bob.finishTurn(run: "r1", assistantText: "stolen", status: "complete"))
        try await ann.beginTurn("t2", run: "r2", of: "c1", userText: "More", at: now + Milliseconds(5))
        try await bob.beginTurn("t1", run: "r3", of: "c1", userText: "Mine", at: now)
        #expect(try await ann.turns(of: "c1", limit: 100).map(\.assistantText) == ["Hi", ""])
        #expect(try await ann.turns(of: "c1", limit: 1).map(\.turn) == ["t2"])
        let found = try #require(try await ann.turn(ofRun: "r2"))
        #expect(found.conversation == "c1" && found.turn.turn == "t2" && found.turn.status == "running")
        #expect(try await bob.turn(ofRun: "r2") == nil)
        #expect(try await ann.turn(ofRun: "r8") == nil)
        #expect(try await bob.turns(of: "c1", limit: 100).map(\.userText) == ["Mine"])
        try await ann.beginTurn("t1", run: "r4", of: "c2", userText: "Older", at: now + Milliseconds(2))
        #expect(try await ann.list(before: nil, limit: 50).map(\.title) == ["Hello", "Older"])
        #expect(try await ann.list(before: now + Milliseconds(5), limit: 50).map(\.id) == ["c2"])
        #expect(try await ann.find("c1")?.updatedAt == now + Milliseconds(5))
        #expect(try await ann.find("c3") == nil)
        #expect(try await ann.delete("c1"))
        #expect(try await !ann.delete("c1"))
        #expect(try await ann.turns(of: "c1", limit: 100).isEmpty)
        #expect(try await bob.turns(of: "c1", limit: 100).count == 1)
    }

    func longConversation() async throws {
        let archive = server.conversations(try ConversationOwner(org: "acme", project: "web", user: nil))
        let count = StoreLimits.turnsPerConversation + 3
        for turn in 0..<count { try await archive.beginTurn("t\(turn)", run: "r\(turn)", of: "c", userText: "", at: now) }
        #expect(try await archive.turns(of: "c", limit: 1).map(\.turn) == ["t\(count - 1)"])
        #expect(try await !archive.finishTurn(run: "r2", assistantText: "late", status: "complete"))
        #expect(try await archive.finishTurn(run: "r3", assistantText: "kept", status: "complete"))
    }

    func texts() async throws {
        let archive = server.conversations(try ConversationOwner(org: "acme", project: "web", user: "ann"))
        let text = "'; DROP TABLE turns; -- $1 \\ {\"a\":null} 🧾 é\r\n\t"
        try await archive.beginTurn("t", run: "r", of: "c", userText: text, at: now)
        _ = try await archive.finishTurn(run: "r", assistantText: text + text, status: "complete")
        let turn = try #require(try await archive.turns(of: "c", limit: 1).first)
        #expect(turn.userText == text && turn.assistantText == text + text)
        let long = String(repeating: "a", count: StoreLimits.turnBytes)
        try await archive.beginTurn("t2", run: "r2", of: "c", userText: long, at: now)
        #expect(try await archive.turns(of: "c", limit: 1).first?.userText.utf8.count == StoreLimits.turnBytes)
        await #expect(throws: ConversationArchiveError.tooLong) {
            try await archive.beginTurn("t3", run: "r3", of: "c", userText: long + "a", at: now)
        }
    }
}
