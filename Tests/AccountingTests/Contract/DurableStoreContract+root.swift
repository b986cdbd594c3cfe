import Accounting
import Testing

/// What the durable root knows of counters that may lose what they acknowledged.
extension DurableStoreContract {
    private func row(_ id: String, lease: String = "l", epoch: Int64, kind: LedgerRow.Kind = .commit) throws -> LedgerRow {
        LedgerRow(
            chargeID: id, kind: kind, lease: lease, attribution: try Make.attribution(), nanoUSD: 7, usage: UsageClasses(outputVisible: 2),
            requests: 1, estimated: false, at: now, epoch: epoch)
    }

    func lives() async throws {
        let first = try await server.root.seal(org: "acme", incarnation: "one")
        #expect(first == EpochState(epoch: Epoch(number: 1, incarnation: "one"), isCleared: true))
        #expect(try await tool.root.seal(org: "acme", incarnation: "one") == first)
        #expect(try await server.ledger.append([try row("a", epoch: 1), try row("b", epoch: 2), try row("c", epoch: 0)]) == 2)
        // Two processes find the loss at the same time.
        async let here = server.root.seal(org: "acme", incarnation: "two", after: 1)
        async let there = tool.root.seal(org: "acme", incarnation: "two", after: 1)
        let second = EpochState(epoch: Epoch(number: 2, incarnation: "two"), isCleared: false)
        #expect(try await [here, there] == [second, second])
        #expect(try await tool.ledger.append([try row("late", epoch: 1)]) == 0)
        #expect(try await tool.ledger.append([try row("a", epoch: 2), try row("d", epoch: 2), try row("e", epoch: 0)]) == 2)
        #expect(try await server.ledger.total(.org("acme")).requests == 4)
        #expect(try await server.ledger.page(nil, before: nil, limit: 9).rows.map(\.epoch) == [0, 2, 0, 1])
        // One that slept since the first life and thinks that its counters live.
        #expect(try await tool.root.seal(org: "acme", incarnation: "one", after: 1) == second, "compared before it is swapped")
        #expect(try await tool.root.life(org: "acme") == second)
        #expect(try await server.root.life(org: "nobody") == nil)
        #expect(try await server.root.seal(org: "beta", incarnation: "two").epoch.number == 1, "each org has lives of its own")
    }

    func clearances() async throws {
        let (one, two, gone) = (LeaseHolder(node: "one", fence: 1), LeaseHolder(node: "two", fence: 1), LeaseHolder(node: "gone", fence: 1))
        _ = try await server.root.seal(org: "acme", incarnation: "a")
        #expect(try await server.root.pending().isEmpty)
        for holder in [one, two] { try await server.root.beat(holder) }
        let life = try await server.root.seal(org: "acme", incarnation: "b").epoch
        #expect(try await tool.root.pending() == ["acme": life])
        let old = Epoch(number: 1, incarnation: "a")
        #expect(try await !server.root.confirm(org: "acme", epoch: old, holder: one))
        #expect(try await !server.root.confirm(org: "acme", epoch: life, holder: one))
        #expect(try await tool.root.confirm(org: "acme", epoch: life, holder: two))
        #expect(try await server.root.confirm(org: "acme", epoch: life, holder: one))
        #expect(try await server.root.pending().isEmpty)
        #expect(try await server.root.seal(org: "acme", incarnation: "b") == EpochState(epoch: life, isCleared: true))
        // One that died is waited for, however long, until its successor has answered for it; confirmations of the last life count for
        // nothing.
        try await server.root.beat(gone)
        let third = try await server.root.seal(org: "acme", incarnation: "c").epoch
        for holder in [one, two] { #expect(try await !server.root.confirm(org: "acme", epoch: third, holder: holder)) }
        try await tool.root.leave(gone)
        #expect(try await server.root.confirm(org: "acme", epoch: third, holder: one))
    }

    func releases() async throws {
        let window = try Make.ref(.org("acme"), .tokens, .day, cap: 1_000, at: now)
        func release(_ target: Int64, _ incarnation: String = "a", of root: any CounterRoot) async throws -> Release? {
            try await root.release(window, org: "acme", incarnation: incarnation, upTo: target)
        }
        #expect(try await release(10, of: server.root) == nil, "nothing for counters that were not started")
        _ = try await server.root.seal(org: "acme", incarnation: "a")
        #expect(try await release(0, of: server.root) == Release(released: 0, isCleared: true, isFirst: true))
        #expect(try await release(300, of: tool.root) == Release(released: 300, turn: 1, isCleared: true, isFirst: true))
        #expect(try await release(200, of: server.root) == Release(released: 300, turn: 1, isCleared: true), "never lowered")
        async let here = release(500, of: server.root)
        async let there = release(400, of: tool.root)
        _ = try await (here, there)
        #expect(try await release(0, of: tool.root)?.released == 500)
        #expect(try await (2...3).contains(release(0, of: tool.root)?.turn ?? 0), "a turn for each raise")
        #expect(try await server.root.releases(window) == [0: 500])
        let anew = WindowRef(
            key: window.key, cap: window.cap, version: window.version + 1, generation: window.generation + 1, start: window.start,
            end: window.end)
        #expect(try await server.root.release(anew, org: "acme", incarnation: "a", upTo: 0)?.released == 0)
        _ = try await server.root.seal(org: "acme", incarnation: "b")
        #expect(try await release(900, of: tool.root) == nil, "counters of the last life get nothing more")
        let kept = try #require(try await release(0, "b", of: tool.root))
        #expect(kept.released == 500 && !kept.isCleared && !kept.isFirst)
    }

    func leaseCharges() async throws {
        let lease = LeaseKey(org: "acme", id: "l")
        let run = try Make.attribution().run
        #expect(try await server.ledger.charges(of: lease, run: run) == LeaseCharges())
        _ = try await server.ledger.append([
            try row("a", epoch: 0), try row("b", lease: "other", epoch: 0), try row("c", epoch: 0, kind: .suspense),
        ])
        let sum = LedgerSum(nanoUSD: 7, usage: UsageClasses(outputVisible: 2), requests: 1)
        #expect(try await server.ledger.charges(of: lease, run: run) == LeaseCharges(sum: sum))
        _ = try await server.ledger.append([try row("d", epoch: 0, kind: .settle)])
        #expect(try await server.ledger.charges(of: lease, run: run).isSettled)
        #expect(try await server.ledger.charges(of: LeaseKey(org: "beta", id: "l"), run: run) == LeaseCharges())
        #expect(try await server.ledger.charges(of: LeaseKey(org: "acme/3", id: "l"), run: run).isSettled, "the org's, whatever its slot")
    }
}

extension CounterRoot {
    /// Ends whatever life is present, as a process does that has just looked.
    func seal(org: CounterSlot, incarnation: String) async throws -> EpochState {
        try await seal(org: org, incarnation: incarnation, after: life(org: org)?.epoch.number ?? 0)
    }
}
