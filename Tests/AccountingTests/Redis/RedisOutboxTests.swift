import Accounting
import Testing

@testable import AccountingRedis
@testable import RedisClient

/// Needs: redis-server.
@Suite("RedisOutbox: rows reach the ledger once, or wait")
struct RedisOutboxTests {
    private let window = Given.window(.org("acme"), .tokens, cap: 1_000_000)

    /// Opens and settles `count` leases, three tokens each: `count` rows.
    private func charge(_ node: RedisNode, _ names: Range<Int>) async throws {
        _ = try await node.store.apply(.load(org: "acme", window: window, used: 0))
        for name in names {
            _ = try await node.store.apply(
                .open(try Given.open("l\(name)", [window], offers: Given.offers(4, price: 2), fixed: Amounts(requests: 1))))
            _ = try await node.store.apply(
                .settle(
                    SettleLease(
                        lease: LeaseKey(org: "acme", id: "l\(name)"), holder: Given.holder, sequence: 1,
                        spent: Spent(nanoUSD: 6, usage: UsageClasses(inputFresh: 1, outputVisible: 2), requests: 1))))
        }
    }

    private func drain<Value>(_ nodes: [RedisNode], _ body: () async throws -> Value) async throws -> Value {
        let tasks = nodes.map { node in Task { await node.outbox.run() } }
        let result = await Result.awaiting { try await body() }
        for task in tasks {
            task.cancel()
            await task.value
        }
        return try result.get()
    }

    @Test("Rows come out as they went in, and leave the stream after the ledger has them")
    func roundTrip() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let node = try await RedisNode(server, ledger: ledger)
        try await drain([node]) {
            try await charge(node, 0..<600)
            #expect(await eventually { await ledger.rows.count == 600 })
            #expect(await eventually { try await node.rows() == 0 })
        }
        let row = try #require(await ledger.rows["l7:1:settle"])
        #expect(row.attribution == (try Given.attribution(run: "run-l7")))
        #expect(row.kind == .settle && row.lease == "l7" && row.nanoUSD == 6 && row.requests == 1 && !row.estimated)
        #expect(row.usage == UsageClasses(inputFresh: 1, outputVisible: 2))
        await node.connection.close()
    }

    @Test("While the ledger is away rows wait in the stream; none is lost, and a flush says so (complaint 28)")
    func ledgerAway() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        await ledger.setAway(true)
        let node = try await RedisNode(server, ledger: ledger)
        try await drain([node]) {
            try await charge(node, 0..<20)
            await #expect(throws: CounterStoreError.unreachable("ledger: away")) { try await node.store.flushRows(org: "acme") }
            #expect(try await node.rows() == 20)
            await ledger.setAway(false)
            #expect(await eventually { try await node.rows() == 0 })
        }
        #expect(await ledger.rows.count == 20)
        await node.connection.close()
    }

    @Test("A flush takes rows that another process has read and not committed; both may append them, the ledger has them once")
    func flushPastTheGroup() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let node = try await RedisNode(server, ledger: ledger)
        try await charge(node, 0..<300)
        _ = try await node.connection.call(RedisCommand("XGROUP", "CREATE", "{acme}:ledger", "kdcube", "0"))
        _ = try await node.connection.call(
            RedisCommand("XREADGROUP", "GROUP", "kdcube", "dead", "COUNT", "100", "STREAMS", "{acme}:ledger", ">"))
        try await node.store.flushRows(org: "acme")
        #expect(await ledger.rows.count == 300)
        #expect(try await node.rows() == 0)
        await node.connection.close()
    }

    @Test("What a dead process has read is taken over (complaint 28: popped before the commit)")
    func deadConsumer() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let node = try await RedisNode(server, ledger: ledger, claimAfter: 0)
        try await charge(node, 0..<30)
        _ = try await node.connection.call(RedisCommand("XGROUP", "CREATE", "{acme}:ledger", "kdcube", "0"))
        _ = try await node.connection.call(
            RedisCommand("XREADGROUP", "GROUP", "kdcube", "dead", "COUNT", "30", "STREAMS", "{acme}:ledger", ">"))
        try await drain([node]) {
            #expect(await eventually { await ledger.rows.count == 30 })
            #expect(await eventually { try await node.rows() == 0 })
        }
        await node.connection.close()
    }

    @Test("Two processes drain one stream: each row once in the ledger")
    func twoDrainers() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let nodes = [try await RedisNode(server, ledger: ledger), try await RedisNode(server, ledger: ledger, name: "b")]
        try await drain(nodes) {
            async let first: Void = charge(nodes[0], 0..<300)
            async let second: Void = charge(nodes[1], 300..<600)
            _ = try await (first, second)
            #expect(await eventually { try await nodes[0].rows() == 0 })
        }
        let sum = try await ledger.sum(.org("acme"), from: Milliseconds(0), to: WindowSpan.never)
        #expect(sum.usage.total == 1_800 && sum.requests == 600 && sum.nanoUSD == 3_600)
        for node in nodes { await node.connection.close() }
    }

    @Test("Rows of another process's org are found by the sweep, and a restarted Redis is drained again")
    func sweepAndRestart() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let writer = try await RedisNode(server, ledger: ledger)
        let drainer = try await RedisNode(server, ledger: ledger, name: "b")
        try await charge(writer, 0..<5)
        try await drain([drainer]) {
            #expect(await eventually { await ledger.rows.count == 5 })
            server.kill()
            try await server.launch()
            #expect(await eventually { writer.connection.health == .ready && drainer.connection.health == .ready })
            try await writer.begin("acme", epoch: 2)
            try await charge(writer, 5..<10)
            #expect(await eventually { await ledger.rows.count == 10 })
        }
        await writer.connection.close()
        await drainer.connection.close()
    }

    @Test("An entry that is no ledger row stays in the stream, and the others go on")
    func unreadable() async throws {
        let server = try await RedisServer()
        let ledger = FaultyLedger()
        let node = try await RedisNode(server, ledger: ledger)
        _ = try await node.connection.call(RedisCommand("XADD", "{acme}:ledger", "*", "id", "x:1:commit", "kind", "gift"))
        try await charge(node, 0..<3)
        try await drain([node]) {
            #expect(await eventually { await ledger.rows.count == 3 })
            #expect(await eventually { try await node.rows() == 1 })
        }
        try await node.store.flushRows(org: "acme")
        #expect(try await node.rows() == 1)
        await node.connection.close()
    }
}

extension Result where Failure == any Error {
    static func awaiting(_ body: () async throws -> Success) async -> Self {
        do { return .success(try await body()) } catch { return .failure(error) }
    }
}
