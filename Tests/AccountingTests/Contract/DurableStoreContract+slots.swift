import Accounting
import Testing

/// An org whose counters are split over several slots.
extension DurableStoreContract {
    func charge(_ id: String, slot: Int, epoch: Int64 = 0, at: Milliseconds? = nil, nano: Int64 = 7) throws -> LedgerRow {
        LedgerRow(
            chargeID: id, kind: .commit, lease: "l", attribution: try Make.attribution(), nanoUSD: nano,
            usage: UsageClasses(inputFresh: 1, outputVisible: 2), requests: 1, estimated: false, at: at ?? now, epoch: epoch, slot: slot)
    }

    private func begin(_ slots: [CounterSlot]) async throws {
        for slot in slots { _ = try await server.root.seal(org: slot, incarnation: "a") }
    }

    private func window(cap: Int64, version: Int64 = 1) throws -> WindowRef {
        try Make.ref(.org("acme"), .tokens, .day, cap: cap, at: now, version: version)
    }

    func sharedCap() async throws {
        try await begin(["acme", "acme/1", "acme/2", "acme/3"])
        let window = try window(cap: 1_000)
        func release(_ slot: CounterSlot, _ target: Int64, of window: WindowRef, by process: Process) async throws -> Release? {
            try await process.root.release(window, org: slot, incarnation: "a", upTo: target)
        }
        #expect(
            try await release("acme/1", 400, of: window, by: server) == Release(released: 400, turn: 1, isCleared: true, isFirst: true))
        #expect(try await release("acme/2", 0, of: window, by: server) == Release(released: 0, isCleared: true), "asking gives nothing")
        #expect(try await server.root.releases(window) == [1: 400])
        #expect(try await release("acme/2", 900, of: window, by: tool) == Release(released: 600, turn: 1, isCleared: true), "what is left")
        #expect(try await release("acme/3", 1, of: window, by: server) == Release(released: 0, isCleared: true))
        #expect(try await release("acme", 1, of: window, by: server) == Release(released: 0, isCleared: true))
        #expect(try await release("acme/1", 1_000, of: window, by: tool) == Release(released: 400, turn: 1, isCleared: true))
        #expect(try await tool.root.releases(window) == [1: 400, 2: 600])
        let lower = try self.window(cap: 500, version: 2)
        #expect(try await release("acme/1", 500, of: lower, by: server)?.released == 400, "nothing more, and nothing is taken")
        #expect(try await release("acme/3", 10, of: lower, by: server)?.released == 0)
        let higher = try self.window(cap: 1_100, version: 3)
        #expect(try await release("acme/1", 1_100, of: higher, by: server) == Release(released: 500, turn: 2, isCleared: true))
        #expect(try await server.root.release(higher, org: "acme/2", incarnation: "b", upTo: 700) == nil, "another life")
        #expect(try await server.root.release(higher, org: "acme/9", incarnation: "a", upTo: 700) == nil, "no life")
        let anew = try Make.ref(.org("acme"), .tokens, .day, cap: 1_000, at: now, generation: 2)
        #expect(try await release("acme/3", 1_000, of: anew, by: tool)?.released == 1_000, "a budget that was made anew")
    }

    func firstShares() async throws {
        try await begin(["acme/1", "acme/2", "acme/3"])
        let window = try window(cap: 1_000)
        func release(_ slot: CounterSlot, _ target: Int64, _ shares: [Int: Int64]) async throws -> Release? {
            try await server.root.release(window, org: slot, incarnation: "a", upTo: target, shares: shares)
        }
        #expect(try await release("acme/1", 0, [0: 300]) == Release(released: 0, isCleared: true, isFirst: true))
        #expect(try await server.root.releases(window).isEmpty, "who only asks shares nothing out")
        let first = try await release("acme/1", 900, [0: 300, 1: 50, 2: -5, 3: 200])
        #expect(first == Release(released: 500, turn: 2, isCleared: true, isFirst: true))
        #expect(try await tool.root.releases(window) == [0: 300, 1: 500, 2: 0, 3: 200])
        #expect(try await release("acme/2", 900, [2: 400, 7: 9]) == Release(released: 0, turn: 1, isCleared: true), "once only")
        #expect(try await tool.root.releases(window) == [0: 300, 1: 500, 2: 0, 3: 200])
        // More was used than the cap: nobody gets more, and what was used stays theirs.
        let small = try Make.ref(.org("acme"), .tokens, .day, cap: 100, at: now, generation: 2)
        let over = try await server.root.release(small, org: "acme/1", incarnation: "a", upTo: 100, shares: [1: 60, 2: 60])
        #expect(over == Release(released: 60, turn: 1, isCleared: true, isFirst: true))
        #expect(try await server.root.releases(small) == [1: 60, 2: 60])
    }

    func recalls() async throws {
        try await begin(["acme", "acme/1", "acme/2"])
        let window = try window(cap: 1_000)
        let (one, other) = (server.root, tool.root)
        #expect(try await one.beginRecall(window, org: "acme/1", incarnation: "a") == nil, "nothing was released")
        for slot in ["acme/1", "acme"] as [CounterSlot] {
            _ = try await one.release(window, org: slot, incarnation: "a", upTo: 500)
            #expect(try await one.beginRecall(window, org: slot, incarnation: "b") == nil)
            #expect(try await one.beginRecall(window, org: slot, incarnation: "a") == 2)
            let second = try await other.beginRecall(window, org: slot, incarnation: "a")
            #expect(second == 3)
            #expect(try await other.release(window, org: slot, incarnation: "a", upTo: 0)?.released == 500, "until it has ended")
            try await one.endRecall(window, org: slot, turn: 2, released: 10)
            #expect(try await one.releases(window).values.max() == 500, "an old turn")
            try await one.endRecall(window, org: slot, turn: 3, released: 600)
            #expect(try await one.releases(window).values.max() == 500, "never raised")
            try await one.endRecall(window, org: slot, turn: 3, released: 120)
            try await one.endRecall(window, org: slot, turn: 3, released: 130)
            let kept = try await other.release(window, org: slot, incarnation: "a", upTo: 0)
            #expect(kept == Release(released: 120, turn: 3, isCleared: true))
        }
        #expect(try await other.release(window, org: "acme/2", incarnation: "a", upTo: 1_000)?.released == 760)
        #expect(try await one.releases(window) == [0: 120, 1: 120, 2: 760])
        // A raise ends the recall that was under way.
        let turn = try #require(try await one.beginRecall(window, org: "acme/2", incarnation: "a"))
        let raised = try self.window(cap: 1_100, version: 2)
        #expect(try await one.release(raised, org: "acme/2", incarnation: "a", upTo: 800)?.turn == turn + 1)
        try await one.endRecall(window, org: "acme/2", turn: turn, released: 0)
        #expect(try await one.releases(window)[2] == 800)
    }

    func releaseRaces() async throws {
        let cap: Int64 = 1_000
        let window = try window(cap: cap)
        let slots = (0..<8).map { CounterSlot(org: "acme", index: $0) }
        try await begin(slots)
        let turns = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for (index, slot) in (slots + slots).enumerated() {
                let root = index < slots.count ? server.root : tool.root
                group.addTask {
                    var turns: [Int64] = []
                    for round in 1...12 {
                        // Shares that any two first releases would both capture, were they not one after another.
                        let target = Int64(round * 40 + index)
                        let release = try await root.release(
                            window, org: slot, incarnation: "a", upTo: target, shares: [index % 8: 30])
                        turns.append(release?.turn ?? 0)
                        let sum = try await root.releases(window).values.reduce(0, +)
                        #expect(sum <= cap, "\(slot) sees \(sum)")
                        guard round.isMultiple(of: 4) else { continue }
                        let recall = try await root.beginRecall(window, org: slot, incarnation: "a")
                        turns.append(recall ?? 0)
                        try await root.endRecall(window, org: slot, turn: recall ?? 0, released: 20)
                    }
                    return turns
                }
            }
            return try await group.reduce(into: [[Int64]]()) { $0.append($1) }
        }
        for turns in turns { #expect(turns == turns.sorted(), "turns never fall") }
        #expect(try await server.root.releases(window).values.reduce(0, +) <= cap)
        let last = try await server.root.release(window, org: "acme/8", incarnation: "a", upTo: cap)
        #expect(last == nil)
        _ = try await server.root.release(window, org: "acme/7", incarnation: "a", upTo: cap)
        #expect(try await tool.root.releases(window).values.reduce(0, +) == cap, "all of it can be given")
    }

    func livesOfSlots() async throws {
        #expect(try await server.root.slots(org: "acme").isEmpty)
        try await begin(["acme/1", "acme/12", "acme2", "acme2/3", "acm/4", "acme0", "acme-/5", "beta/6"])
        #expect(try await tool.root.slots(org: "acme") == [1, 12])
        _ = try await tool.root.seal(org: "acme/1", incarnation: "b")
        _ = try await tool.root.seal(org: "acme", incarnation: "a")
        #expect(try await server.root.slots(org: "acme") == [0, 1, 12])
        #expect(try await server.root.slots(org: "acme2") == [0, 3])
        #expect(try await server.root.slots(org: "acm") == [4])
        let rows = [
            try charge("old", slot: 1, epoch: 1), try charge("new", slot: 1, epoch: 2), try charge("other", slot: 12, epoch: 1),
            try charge("unsplit", slot: 0, epoch: 1), try charge("none", slot: 7, epoch: 1), try charge("early", slot: 12, epoch: 2),
        ]
        #expect(try await server.ledger.append(rows) == 3)
        let kept = try await tool.ledger.page(.org("acme"), before: nil, limit: 9).rows.reversed()
        #expect(kept.map(\.chargeID) == ["new", "other", "unsplit"] && kept.map(\.slot) == [1, 12, 0])
        #expect(try await tool.root.pending().keys.sorted() == ["acme/1"])
    }

    func sumsOfSlots() async throws {
        let day = Milliseconds(86_400_000)
        let everything = (from: Milliseconds(.min), to: Milliseconds(.max))
        #expect(try await server.ledger.sums(.org("acme"), model: nil, from: everything.from, to: everything.to).isEmpty)
        var written: [LedgerRow] = []
        for index in 0..<60 {
            let at = now + Milliseconds(Int64(index) * 2_345_678)
            written.append(try charge("c\(index)", slot: [0, 1, 3, 200][index % 4], at: at, nano: Int64(index * 11 - 20)))
        }
        written += try rows(4, org: "beta")
        for start in stride(from: 0, to: written.count, by: 13) {
            _ = try await server.ledger.append(Array(written[start..<min(start + 13, written.count)]))
        }
        let spans = [everything, (now, now + day), (now + Milliseconds(1), now + Milliseconds(70_000_001)), (now + day, now + day + day)]
        for scope in [Scope.org("acme"), .org("beta"), .user(org: "acme", project: "web", user: "ann"), .key("k1"), .org("nobody")] {
            for (from, to) in spans {
                let rows = written.filter { from <= $0.at && $0.at < to && $0.attribution.path.scopes.contains(scope) }
                let expected = Dictionary(grouping: rows, by: \.slot).mapValues { LedgerSum($0) }
                for model in [nil, "demo"] {
                    #expect(try await tool.ledger.sums(scope, model: model, from: from, to: to) == expected, "\(scope.text)")
                }
                #expect(try await tool.ledger.sums(scope, model: "other", from: from, to: to).isEmpty)
                #expect(try await tool.ledger.sum(scope, from: from, to: to) == LedgerSum(rows))
            }
        }
    }
}
