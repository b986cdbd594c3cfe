internal import Accounting
internal import AccountingRedis
internal import Logging

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
    func flush(org: String) async throws { try await counters?.flushRows(org: org) }

    func close() async { await connection?.close() }

    func usage(of scope: Scope) async throws -> ScopeUsage {
        let now = WallClock.now()
        guard let counters, let org = try await org(of: scope) else { return try await stores.usage.usage(of: scope, now: now) }
        // What is still in the outbox belongs to the totals.
        try await counters.flushRows(org: org)
        let usage = try await stores.usage.usage(of: scope, now: now)
        let keys = usage.windows.map(\.key)
        guard case .windows(let live, _) = try await counters.apply(.read(org: org, windows: keys)) else { return usage }
        let windows = usage.windows.map { window in
            // A window that the counters have not loaded yet is what the ledger says.
            live.first { $0.key == window.key }.map { found in
                WindowSnapshot(
                    key: found.key, cap: window.cap, used: found.used, held: found.held, suspense: found.suspense, end: found.end)
            } ?? window
        }
        return ScopeUsage(scope: usage.scope, windows: windows, totals: usage.totals)
    }

    /// Brings what the counters have decided for the scope (every organisation without one) into the ledger.
    func flush(_ scope: Scope?) async throws {
        guard let counters else { return }
        if let scope {
            if let org = try await org(of: scope) { try await counters.flushRows(org: org) }
        } else {
            for org in try await stores.keys.orgs() { try await counters.flushRows(org: org) }
        }
    }

    func org(of scope: Scope) async throws -> String? {
        switch scope {
        case .org(let org), .project(let org, _), .user(let org, _, _): org
        case .key(let id): try await stores.keys.find(id: id)?.org
        }
    }
}
