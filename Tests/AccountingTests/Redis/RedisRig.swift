import Accounting
import NIOPosix
import Synchronization
import Testing

@testable import AccountingRedis
@testable import RedisClient

/// A ledger in memory: idempotent by charge id, and away when told so.
actor FaultyLedger: LedgerStore {
    private(set) var rows: [String: LedgerRow] = [:]
    private(set) var appends = 0
    var isAway = false

    func setAway(_ away: Bool) { isAway = away }

    func append(_ new: [LedgerRow]) throws(LedgerStoreError) -> Int {
        guard !isAway else { throw .unreachable("away") }
        appends += 1
        let before = rows.count
        for row in new where rows[row.chargeID] == nil { rows[row.chargeID] = row }
        return rows.count - before
    }

    func charges(of lease: LeaseKey, run: String) throws(LedgerStoreError) -> LeaseCharges {
        guard !isAway else { throw .unreachable("away") }
        return LeaseCharges(rows.values.filter { $0.lease == lease.id && $0.attribution.path.org == lease.org.org })
    }

    func sum(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds) throws(LedgerStoreError) -> LedgerSum {
        LedgerSum(try charges(scope, model: model, from: from, to: to))
    }

    func sums(_ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds) throws(LedgerStoreError) -> [Int: LedgerSum] {
        Dictionary(grouping: try charges(scope, model: model, from: from, to: to), by: \.slot).mapValues { LedgerSum($0) }
    }

    private func charges(
        _ scope: Scope, model: String?, from: Milliseconds, to: Milliseconds
    ) throws(LedgerStoreError) -> [LedgerRow] {
        guard !isAway else { throw .unreachable("away") }
        return rows.values.filter {
            (model ?? $0.attribution.model) == $0.attribution.model && $0.kind.isCharge && $0.attribution.path.scopes.contains(scope)
                && from <= $0.at && $0.at < to
        }
    }
}

/// One server process's worth of Redis parts.
struct RedisNode {
    let connection: RedisConnection
    let outbox: RedisOutbox
    let store: RedisCounterStore

    init(
        _ server: RedisServer, ledger: any LedgerStore, name: String = "a", orgs: [CounterSlot] = ["acme"], claimAfter: Int64 = 10_000,
        deadline: Int64 = 5_000, begins: Bool = true
    ) async throws {
        try await self.init(
            server.url, ledger: ledger, name: name, orgs: orgs, claimAfter: claimAfter, deadline: deadline, begins: begins)
    }

    init(
        _ url: RedisURL, ledger: any LedgerStore, name: String = "a", orgs: [CounterSlot] = ["acme"], claimAfter: Int64 = 10_000,
        deadline: Int64 = 5_000, begins: Bool = true
    ) async throws {
        var configuration = RedisConnection.Configuration.counters(url: url, logger: quiet)
        configuration.backoff = RedisBackoff(first: 5, longest: 40)
        configuration.deadlineMilliseconds = deadline
        connection = RedisConnection(configuration, on: MultiThreadedEventLoopGroup.singleton.next())
        outbox = RedisOutbox(
            connection, ledger: ledger, consumer: name, logger: quiet, claimAfter: Milliseconds(claimAfter), orgs: { orgs })
        store = RedisCounterStore(outbox: outbox)
        try await connection.start()
        for org in orgs where begins { try await begin(org) }
    }

    /// Starts a life of the org's counters, as the accountant does; a second node of the same life changes nothing. Nothing was before it.
    func begin(_ org: CounterSlot, epoch: Int64 = 1) async throws {
        // In a cluster it is not known before the first call which process has the org.
        try await store.flushRows(org: org)
        _ = try await store.apply(.begin(org: org, Epoch(number: epoch, incarnation: store.incarnation(org: org))))
        _ = try await store.apply(.clear(org: org, epoch: epoch))
    }

    func rows(org: CounterSlot = "acme") async throws -> Int64 {
        try await connection.call(RedisCommand("XLEN", "{\(org)}:ledger")).number ?? -1
    }
}

/// Names and amounts that the tests share.
enum Given {
    static let holder = LeaseHolder(node: "a", fence: 7)

    static func attribution(org: OrgID = "acme", run: String = "run-1") throws -> Attribution {
        Attribution(
            path: try TenancyPath(org: org, project: "web", user: "ann", key: "k1"), run: run, model: "demo", priceVersion: "2026-11")
    }

    static func window(_ scope: Scope, _ unit: MeterUnit, cap: Int64, generation: Int64 = 1) -> WindowRef {
        let span = WindowSpan(.total, containing: Milliseconds(0))
        return WindowRef(
            key: WindowKey(scope: scope, unit: unit, period: .total, window: span.id), cap: cap, version: 1, generation: generation,
            start: span.start, end: span.end)
    }

    /// Slices from `largest` tokens down to one, at `price` nano-USD a token.
    static func offers(_ largest: Int64, price: Int64 = 0) -> [Offer] {
        var offers: [Offer] = []
        var tokens = largest
        while tokens > 0 {
            offers.append(Offer(tokens: tokens, amounts: Amounts(nanoUSD: tokens * price, tokens: tokens, outputTokens: tokens)))
            tokens /= 2
        }
        return offers
    }

    static func open(_ id: String, _ path: [WindowRef], offers: [Offer], fixed: Amounts = .zero) throws -> OpenLease {
        OpenLease(
            lease: LeaseKey(org: "acme", id: id), holder: holder, attribution: try attribution(run: "run-\(id)"), path: path,
            fixed: fixed, offers: offers)
    }

    static func spent(tokens: Int64, price: Int64 = 0, requests: Int64 = 0) -> Spent {
        Spent(nanoUSD: tokens * price, usage: UsageClasses(outputVisible: tokens), requests: requests)
    }
}

extension RedisConnection {
    /// Sends all commands before it waits for the first reply.
    func callAll(_ commands: [RedisCommand]) async throws(RedisFault) -> [RedisValue] {
        if commands.isEmpty { return [] }
        let results = Mutex<[Result<RedisValue, RedisFault>]>([])
        await withCheckedContinuation { done in
            for command in commands {
                submit(command) { result in
                    let count = results.withLock { results in
                        results.append(result)
                        return results.count
                    }
                    if count == commands.count { done.resume() }
                }
            }
        }
        var values: [RedisValue] = []
        for result in results.withLock({ $0 }) { values.append(try result.get()) }
        return values
    }
}
