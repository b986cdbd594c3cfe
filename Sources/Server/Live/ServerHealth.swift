internal import Accounting
internal import AccountingRedis
internal import Engine
internal import JSON
internal import RedisClient
internal import Synchronization
internal import Telemetry

/// How this server and what it stands on are.
///
/// A loop looks every second, so that nobody who asks waits for a store that is away; what it found is in a `Mutex`.
final class ServerHealth: Sendable {
    struct Store: Sendable {
        let name: String
        let isOK: Bool
        let latency: Duration
        let detail: String

        var json: JSONValue {
            [
                "name": .string(name), "ok": .bool(isOK), "latency_ms": .integer(latency.wholeMilliseconds), "detail": .string(detail),
            ]
        }
    }

    private static let interval = Duration.seconds(1)
    /// A ledger that is behind by so many rows is told of.
    private static let backlog = 10_000

    private let stores: Stores
    private let counters: Counters
    private let readiness: Readiness
    private let metrics: ServerMetrics
    private let ready: Metric
    private let found = Mutex<[String]>([])

    init(stores: Stores, counters: Counters, readiness: Readiness, metrics: ServerMetrics) {
        self.stores = stores
        self.counters = counters
        self.readiness = readiness
        self.metrics = metrics
        ready = metrics.registry.gauge("kdcube_ready", "1 when this server takes runs, as /readyz says; 0 when it does not")
    }

    /// What was not as it should be at the last look, in words for people.
    var problems: [String] { found.withLock { $0 } }

    var outboxRows: Int { counters.outbox?.backlog ?? 0 }

    /// Until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: Self.interval)
        }
        ready.set(0)
    }

    private func look() async {
        let problems = await readiness.problems()
        ready.set(problems.isEmpty ? 1 : 0)
        var texts = problems.map(Self.text)
        // Without numbers: administrators read this, and a sum tells them what other organisations do.
        if outboxRows > Self.backlog { texts.append("charges wait for the ledger") }
        if metrics.settlementsPending.value > 0 { texts.append("settlements wait for the counters") }
        found.withLock { [texts] in $0 = texts }
    }

    private static func text(_ problem: String) -> String {
        switch problem {
        case "draining": "a server takes no more runs"
        case "redis": "Redis cannot be reached: no run is admitted"
        case "postgres": "Postgres cannot be reached: no run is admitted"
        default: "the database cannot be used"
        }
    }

    /// Asks each store now, at most for a few seconds.
    func storeStates() async -> [Store] {
        var states: [Store] = []
        let stores = stores
        states.append(
            await Self.timed(stores.durableName, stores.durableName == "postgres" ? "ledger, keys, budgets, decisions" : "SQLite") {
                try await stores.ping()
            })
        if let connection = counters.connection {
            let isReady = connection.health == .ready
            states.append(
                Store(name: "redis", isOK: isReady, latency: .zero, detail: isReady ? "connected" : "not connected; tried again"))
        }
        let store = counters.store
        states.append(
            await Self.timed("counters", counters.isEmbedded ? "embedded" : "in Redis") {
                _ = try await store.apply(.read(org: CounterSlot(AuditAuthor.noOrg), windows: []))
            })
        return states
    }

    private static func timed(_ name: String, _ detail: String, _ ask: () async throws -> Void) async -> Store {
        let start = ContinuousClock.now
        do {
            try await ask()
            return Store(name: name, isOK: true, latency: ContinuousClock.now - start, detail: detail)
        } catch {
            return Store(name: name, isOK: false, latency: ContinuousClock.now - start, detail: SettingsTree.oneLine("\(error)"))
        }
    }
}

/// How each model's upstream has answered since this server began. A `Mutex`; as many models as are configured.
final class UpstreamBook: Sendable {
    struct Record: Sendable, Hashable {
        var calls: Int64 = 0
        var failures: Int64 = 0
        var lastFailureAt: Int64?
    }

    private let records = Mutex<[String: Record]>([:])

    func ended(model: String, isFailure: Bool) {
        let now = WallClock.now().rawValue
        records.withLock { records in
            records[model, default: Record()].calls += 1
            guard isFailure else { return }
            records[model]?.failures += 1
            records[model]?.lastFailureAt = now
        }
    }

    func record(of model: String) -> Record { records.withLock { $0[model] ?? Record() } }
}
