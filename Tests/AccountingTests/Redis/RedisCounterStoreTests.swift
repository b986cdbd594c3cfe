import Accounting
import Synchronization
import Testing

@testable import AccountingRedis
@testable import RedisClient

/// Needs: redis-server.
@Suite("RedisCounterStore: grants, faults and recovery")
struct RedisCounterStoreTests {
    private let scope = Scope.project(org: "acme", project: "web")

    private func granted(_ reply: CounterReply) -> Int? {
        if case .granted(let offer, _, _) = reply { offer } else { nil }
    }

    @Test("A step whose reply was lost is granted once, however often it is repeated (complaint 19)")
    func lostReply() async throws {
        let server = try await RedisServer()
        let node = try await RedisNode(server, ledger: FaultyLedger(), deadline: 1_000)
        let window = Given.window(scope, .tokens, cap: 1_000)
        _ = try await node.store.apply(.load(org: "acme", window: window, used: 0))
        let opened = try await node.store.apply(.open(try Given.open("l1", [window], offers: Given.offers(64))))
        #expect(granted(opened) == 0)
        let step = CounterCommand.step(
            StepLease(
                lease: LeaseKey(org: "acme", id: "l1"), holder: Given.holder, sequence: 1, spent: Given.spent(tokens: 30),
                offers: Given.offers(64)))
        server.freeze()
        await #expect(throws: CounterStoreError.unreachable("no reply in time")) { _ = try await node.store.apply(step) }
        server.thaw()
        #expect(await eventually { granted(try await node.store.apply(step)) == 0 })
        for _ in 0..<5 { #expect(granted(try await node.store.apply(step)) == 0) }
        guard case .windows(let windows, _) = try await node.store.apply(.read(org: "acme", windows: [window.key])) else {
            Issue.record("read answers with windows")
            return
        }
        #expect(windows.first?.used == 30)
        #expect(windows.first?.held == 98, "34 are left of the first slice, and one second slice")
        #expect(try await node.rows() == 1)
        await node.connection.close()
    }

    @Test("What was computed for one life is not brought into another, nor into another of the same Redis")
    func otherIncarnation() async throws {
        let server = try await RedisServer()
        let node = try await RedisNode(server, ledger: FaultyLedger())
        let load = CounterCommand.load(org: "acme", window: Given.window(scope, .tokens, cap: 1_000), used: 0)
        let present = Epoch(number: 1, incarnation: node.store.incarnation(org: "acme"))
        let others = [Epoch(number: 1, incarnation: "another"), .embedded, Epoch(number: 2, incarnation: present.incarnation)]
        for life in others {
            let reply = try await node.store.apply(load, in: life)
            guard case .lost = reply else {
                Issue.record("\(reply)")
                continue
            }
        }
        guard case .done = try await node.store.apply(load, in: present) else {
            Issue.record("the present one takes it")
            return
        }
        await node.connection.close()
    }

    @Test("A process that did not open the lease finds its path by itself")
    func foreignLease() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let first = try await RedisNode(server, ledger: ledger)
        let second = try await RedisNode(server, ledger: ledger, name: "b")
        let window = Given.window(scope, .tokens, cap: 1_000)
        _ = try await first.store.apply(.load(org: "acme", window: window, used: 0))
        _ = try await first.store.apply(.open(try Given.open("l1", [window], offers: Given.offers(64))))
        let reply = try await second.store.apply(
            .settle(
                SettleLease(
                    lease: LeaseKey(org: "acme", id: "l1"), holder: LeaseHolder(node: "b", fence: 8), sequence: 1,
                    spent: Given.spent(tokens: 50))))
        guard case .settled(let overrun, let windows, _) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(overrun == .zero && windows.first?.used == 50 && windows.first?.held == 0)
        // The same open again, under a path that has moved on: it is told that the lease is over, not granted anew.
        let again = OpenLease(
            lease: LeaseKey(org: "acme", id: "l1"), holder: LeaseHolder(node: "b", fence: 8), attribution: try Given.attribution(),
            path: [Given.window(.org("acme"), .tokens, cap: 5)], fixed: .zero, offers: Given.offers(64))
        #expect(try await second.store.apply(.open(again)) == .staleSequence)
        await first.connection.close()
        await second.connection.close()
    }

    @Test("A repeated open whose windows have rolled meanwhile is answered with the lease's own windows")
    func repeatedOpenAfterRoll() async throws {
        let server = try await RedisServer()
        let node = try await RedisNode(server, ledger: FaultyLedger())
        let (old, new) = (Given.window(scope, .tokens, cap: 1_000), Given.window(.org("acme"), .tokens, cap: 1_000))
        for window in [old, new] { _ = try await node.store.apply(.load(org: "acme", window: window, used: 0)) }
        let first = try await node.store.apply(.open(try Given.open("l1", [old], offers: Given.offers(64))))
        let again = try await node.store.apply(.open(try Given.open("l1", [new], offers: Given.offers(64))))
        guard case .granted(0, let windows, _) = again, granted(first) == 0 else {
            Issue.record("\(again)")
            return
        }
        #expect(windows.map(\.key) == [old.key])
        #expect(windows.map(\.held) == [64])
        await node.connection.close()
    }

    @Test("Redis killed in the middle: refused at once, and after an empty restart the windows come from the ledger (complaint 23)")
    func restartedEmpty() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let node = try await RedisNode(server, ledger: ledger, deadline: 60_000)
        let window = Given.window(scope, .tokens, cap: 1_000)
        _ = try await node.store.apply(.load(org: "acme", window: window, used: 0))
        _ = try await node.store.apply(.open(try Given.open("l1", [window], offers: Given.offers(64))))
        let lease = LeaseKey(org: "acme", id: "l1")
        _ = try await node.store.apply(
            .settle(SettleLease(lease: lease, holder: Given.holder, sequence: 1, spent: Given.spent(tokens: 40))))
        try await node.store.flushRows(org: "acme")
        server.kill()
        #expect(await eventually { if case .unreachable = node.connection.health { true } else { false } })
        let clock = ContinuousClock()
        let took = await clock.measure {
            await #expect(throws: CounterStoreError.self) {
                _ = try await node.store.apply(.read(org: "acme", windows: [window.key]))
            }
        }
        #expect(took < .seconds(30), "a refusal does not wait for the deadline of a minute")

        try await server.launch()
        #expect(await eventually { node.connection.health == .ready })
        let open = CounterCommand.open(try Given.open("l2", [window], offers: [Offer(tokens: 961, amounts: Amounts(tokens: 961))]))
        guard case .lost = try await node.store.apply(open) else {
            Issue.record("another process decides nothing before the loss is sealed")
            return
        }
        try await node.begin("acme", epoch: 2)
        guard case .missing(let missing, _) = try await node.store.apply(open) else {
            Issue.record("a window that is not there is never taken for zero")
            return
        }
        #expect(missing == [window.key])
        #expect(
            try await node.store.apply(.step(StepLease(lease: lease, holder: Given.holder, sequence: 2, spent: .zero, offers: [])))
                == .unknownLease)
        try await node.store.flushRows(org: "acme")
        let used = try await ledger.sum(scope, from: window.start, to: window.end).usage.total
        #expect(used == 40)
        _ = try await node.store.apply(.load(org: "acme", window: window, used: used))
        guard case .denied(let by, _, _) = try await node.store.apply(open) else {
            Issue.record("40 are used, 961 do not fit into 1,000")
            return
        }
        #expect(by.used == 40)
        await node.connection.close()
    }

    @Test("Functions that were flushed behind our back are loaded again, once, and nobody notices")
    func functionsFlushed() async throws {
        let server = try await RedisServer()
        let node = try await RedisNode(server, ledger: FaultyLedger())
        _ = try await node.connection.call(RedisCommand("FUNCTION", "FLUSH"))
        guard case .windows = try await node.store.apply(.read(org: "acme", windows: [])) else {
            Issue.record("read answers with windows")
            return
        }
        await node.connection.close()
    }

    @Test("Windows expire seven days after their end, a total never; nothing else of an org has a life of its own (complaints 23, 25)")
    func lifetimes() async throws {
        let server = try await RedisServer()
        let node = try await RedisNode(server, ledger: FaultyLedger())
        let (_, now) = try await node.store.decide(.read(org: "acme", windows: []))
        let span = WindowSpan(.day, containing: now)
        let key = WindowKey(scope: scope, unit: .tokens, period: .day, window: span.id)
        let day = WindowRef(key: key, cap: 9, version: 1, generation: 1, start: span.start, end: span.end)
        let total = Given.window(scope, .tokens, cap: 9)
        for window in [day, total] { _ = try await node.store.apply(.load(org: "acme", window: window, used: 0)) }
        let keys = RedisKeys(org: "acme")
        let expiry = try await node.connection.call(RedisCommand("PEXPIRETIME", try keys.window(key))).number
        #expect(expiry == span.end.rawValue + 7 * 86_400_000)
        #expect(try await node.connection.call(RedisCommand("PTTL", try keys.window(total.key))) == .integer(-1))
        await node.connection.close()
    }

    @Test("300 leases at once on one cap through two processes: charged is what was consumed, never above the cap (complaint 1)")
    func concurrent() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let nodes = [try await RedisNode(server, ledger: ledger), try await RedisNode(server, ledger: ledger, name: "b")]
        let price: Int64 = 3
        let cap: Int64 = 200_000
        let path = [
            Given.window(.org("acme"), .usd, cap: cap * price * 2), Given.window(scope, .tokens, cap: cap),
            Given.window(scope, .usd, cap: cap * price), Given.window(.key("k1"), .requests, cap: 1_000),
        ]
        for window in path { _ = try await nodes[0].store.apply(.load(org: "acme", window: window, used: 0)) }
        _ = try await nodes[0].connection.call(RedisCommand("CONFIG", "RESETSTAT"))
        let drains = nodes.map { node in Task { await node.outbox.run() } }
        let consumed = try await withThrowingTaskGroup(of: Int64.self) { group in
            for index in 0..<300 {
                group.addTask { try await Self.stream("l\(index)", on: nodes[index % 2].store, path: path, price: price) }
            }
            return try await group.reduce(0, +)
        }
        let stats = try await nodes[0].connection.call(RedisCommand("INFO", "commandstats")).string ?? ""
        let calls = stats.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("cmdstat_fcall") }
            .compactMap { $0.split(separator: "=").dropFirst().first?.split(separator: ",").first.flatMap { Int64($0) } }.reduce(0, +)
        for drain in drains {
            drain.cancel()
            await drain.value
        }
        for node in nodes { try await node.store.flushRows(org: "acme") }

        guard case .windows(let windows, _) = try await nodes[1].store.apply(.read(org: "acme", windows: path.map(\.key))) else {
            Issue.record("read answers with windows")
            return
        }
        let sum = try await ledger.sum(scope, from: Milliseconds(0), to: WindowSpan.never)
        #expect(consumed <= cap)
        #expect(consumed == cap, "unused headroom is less than the smallest grant, one token")
        #expect(windows.map(\.used) == [consumed * price, consumed, consumed * price, 300])
        #expect(windows.map(\.held) == [0, 0, 0, 0] && windows.map(\.suspense) == [0, 0, 0, 0])
        #expect(sum.usage.total == consumed && sum.nanoUSD == consumed * price && sum.requests == 300)
        #expect(calls * 1_000 <= 20 * consumed, "at most 20 calls per 1,000 tokens; there were \(calls) for \(consumed)")
        print("redis calls per 1,000 tokens: \(Double(calls * 1_000) / Double(consumed)) (\(calls) for \(consumed))")
        for node in nodes { await node.connection.close() }
    }

    /// One stream: spends what it was granted to the last token, asks for more, settles when it is refused.
    private static func stream(_ id: String, on store: RedisCounterStore, path: [WindowRef], price: Int64) async throws -> Int64 {
        let lease = LeaseKey(org: "acme", id: id)
        let offers = Given.offers(256, price: price)
        let fixed = Amounts(requests: 1)
        var reply = try await store.apply(.open(try Given.open(id, path, offers: offers, fixed: fixed)))
        guard case .granted = reply else { return 0 }
        var tokens: Int64 = 0
        var sequence: Int64 = 0
        while case .granted(let offer, _, _) = reply {
            tokens += offers[offer].tokens
            sequence += 1
            reply = try await store.apply(
                .step(
                    StepLease(
                        lease: lease, holder: Given.holder, sequence: sequence,
                        spent: Given.spent(tokens: tokens, price: price, requests: 1), offers: offers)))
        }
        guard case .denied = reply else {
            Issue.record("\(reply)")
            return tokens
        }
        let settled = try await store.apply(
            .settle(
                SettleLease(
                    lease: lease, holder: Given.holder, sequence: sequence + 1,
                    spent: Given.spent(tokens: tokens, price: price, requests: 1))))
        guard case .settled(.zero, _, _) = settled else {
            Issue.record("\(settled)")
            return tokens
        }
        return tokens
    }
}
