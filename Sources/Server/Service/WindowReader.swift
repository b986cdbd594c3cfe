internal import Accounting
internal import AccountingRedis
internal import Logging
internal import RedisClient

/// Reads the windows of a scope where the counters are: in Redis, or in the embedded tables.
struct WindowReader: Sendable {
    private let stores: Stores
    /// Set when the counters are in Redis.
    let counters: (any CounterStore)?
    private let connection: RedisConnection?

    /// For a running server: `counters` is its own store when that is Redis, nil when it is the embedded one.
    init(_ stores: Stores, counters: (any CounterStore)?) {
        self.stores = stores
        self.counters = counters
        connection = nil
    }

    /// For a command beside a server: connects to Redis if there is one.
    init(_ stores: Stores, logger: Logger) async throws {
        self.stores = stores
        connection = try stores.redis(logger: logger)
        guard let connection else {
            counters = nil
            return
        }
        do { try await connection.startChecked() } catch let failure as CommandFailure { throw failure } catch {
            throw CommandFailure("the Redis of --redis cannot be reached")
        }
        let outbox = RedisOutbox(connection, ledger: stores.ledger, consumer: "cli-\(RandomText.urlSafe(bytes: 6))", logger: logger) { [] }
        counters = RedisCounterStore(outbox: outbox)
    }

    /// What the counters have charged so far is in the ledger when this returns.
    func flush(org: OrgID) async throws {
        guard let counters else { return }
        for slot in try await slots(org) { try await counters.flushRows(org: slot) }
    }

    /// All counters that the org has or had; the unsplit ones are always among them.
    func slots(_ org: OrgID) async throws -> [CounterSlot] {
        let indices = try await stores.root.slots(org: org)
        return Set(indices + [0]).sorted().map { CounterSlot(org: org, index: $0) }
    }

    func close() async { await connection?.close() }

    func usage(of scope: Scope) async throws -> ScopeUsage {
        let now = WallClock.now()
        guard let counters, let org = try await org(of: scope) else { return try await stores.usage.usage(of: scope, now: now) }
        // What is still in the outbox belongs to the totals.
        try await flush(org: org)
        let usage = try await stores.usage.usage(of: scope, now: now)
        let slots = try await slots(org)
        var live: [CounterSlot: [WindowSnapshot]] = [:]
        for slot in slots {
            if case .windows(let windows, _) = try await counters.apply(.read(org: slot, windows: usage.windows.map(\.key))) {
                live[slot] = windows
            }
        }
        var windows: [WindowSnapshot] = []
        for window in usage.windows { windows.append(try await merge(window, slots, live)) }
        return ScopeUsage(scope: usage.scope, windows: windows, totals: usage.totals)
    }

    /// The running windows of budgets of any organisations, in their order.
    func windows(of budgets: [Budget]) async throws -> [WindowSnapshot] {
        let now = WallClock.now()
        guard let counters else { return try await stores.usage.windows(of: budgets, now: now) }
        var orgs: [Scope: OrgID] = [:]
        for scope in Set(budgets.map(\.scope)) { orgs[scope] = try await org(of: scope) }
        var live: [CounterSlot: [WindowSnapshot]] = [:]
        var slotsOfOrg: [OrgID: [CounterSlot]] = [:]
        for org in Set(orgs.values).sorted() {
            // What is still in the outbox belongs to what was used.
            try await flush(org: org)
            let slots = try await slots(org)
            slotsOfOrg[org] = slots
            let keys = budgets.filter { orgs[$0.scope] == org }.map { $0.window(at: now).key }
            for slot in slots {
                for start in stride(from: 0, to: keys.count, by: Self.keysPerRead) {
                    let part = Array(keys[start..<min(start + Self.keysPerRead, keys.count)])
                    if case .windows(let windows, _) = try await counters.apply(.read(org: slot, windows: part)) {
                        live[slot, default: []] += windows
                    }
                }
            }
        }
        var windows: [WindowSnapshot] = []
        for window in try await stores.usage.windows(of: budgets, now: now) {
            let slots = orgs[window.key.scope].flatMap { slotsOfOrg[$0] } ?? []
            windows.append(try await merge(window, slots, live))
        }
        return windows
    }

    /// What the budget's running window would hold were it set now: the counters' figures when it is set already, else the ledger's.
    func window(of budget: Budget, isSet: Bool) async throws -> WindowSnapshot? {
        if isSet { return try await windows(of: [budget]).first }
        try await flush(budget.scope)
        return try await stores.usage.windows(of: [budget], now: WallClock.now()).first
    }

    /// Windows in one command to the counters: one command does not hold the others up.
    private static let keysPerRead = 100

    /// A window that no counters have loaded yet is what the ledger says; so is the part of each slot that has not.
    private func merge(
        _ window: WindowSnapshot, _ slots: [CounterSlot], _ live: [CounterSlot: [WindowSnapshot]]
    ) async throws -> WindowSnapshot {
        let found = slots.compactMap { slot in live[slot]?.first { $0.key == window.key }.map { (slot, $0) } }
        guard !found.isEmpty else { return window }
        var used = found.reduce(0) { $0 + $1.1.used }
        if found.count < slots.count {
            let key = window.key
            let span = WindowSpan(
                key.period, containing: window.end - Milliseconds(1), in: try key.zone.flatMap { try CalendarZone.named($0) })
            let shares = try await stores.ledger.sums(key.scope, model: key.model, from: span.start, to: span.end)
            for (index, share) in shares where !found.contains(where: { $0.0.index == index }) { used += share.amounts[key.unit] }
        }
        return WindowSnapshot(
            key: window.key, cap: window.cap, used: used, held: found.reduce(0) { $0 + $1.1.held },
            suspense: found.reduce(0) { $0 + $1.1.suspense }, end: found[0].1.end)
    }

    /// Brings what the counters have decided for the scope (every organisation without one) into the ledger.
    func flush(_ scope: Scope?) async throws {
        guard counters != nil else { return }
        if let scope {
            if let org = try await org(of: scope) { try await flush(org: org) }
        } else {
            for org in try await stores.keys.orgs() { try await flush(org: org) }
        }
    }

    /// The scope that is charged for this one: of a key that replaced another it is that one's.
    func payer(of scope: Scope) async throws -> Scope { try await stores.payer(of: scope) }

    func org(of scope: Scope) async throws -> OrgID? {
        guard case .key(let id) = scope else { return scope.org }
        if let org = Principal.org(ofTokenKey: id) { return org }
        return try await stores.keys.find(id: id)?.org
    }
}
