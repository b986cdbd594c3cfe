internal import Accounting
internal import AccountingRedis
internal import Engine
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore
internal import RedisClient
internal import Synchronization
internal import Telemetry

/// Whether this process should get traffic. Any thread.
final class Readiness: Sendable {
    private let draining = Atomic<Bool>(false)
    private let stores: Stores
    private let redis: RedisConnection?

    init(stores: Stores, redis: RedisConnection?) {
        self.stores = stores
        self.redis = redis
    }

    var isDraining: Bool { draining.load(ordering: .relaxed) }

    func startDraining() { draining.store(true, ordering: .relaxed) }

    /// What is not as it should be, by name; empty when ready.
    func problems() async -> [String] {
        var problems: [String] = []
        if draining.load(ordering: .relaxed) { problems.append("draining") }
        do { try await stores.ping() } catch { problems.append(stores.durableName) }
        if let redis, redis.health != .ready { problems.append("redis") }
        return problems
    }
}

/// `GET /healthz`, `/readyz` and `/metrics`.
struct HealthRoutes: Sendable {
    let readiness: Readiness
    let metrics: ServerMetrics
    /// Brings gauges up to date that are read and not counted.
    let refresh: @Sendable () -> Void

    func add(to router: Router<AppContext>) {
        router.get("/healthz") { _, _ in Response.json(["status": "ok"]) }
        router.get("/readyz") { _, _ in
            let problems = await readiness.problems()
            return Response.json(
                [
                    "status": problems.isEmpty ? "ready" : "not ready", "problems": .array(problems.map { .string($0) }),
                ], status: problems.isEmpty ? .ok : .serviceUnavailable)
        }
        router.get("/metrics") { _, _ in
            refresh()
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.registry.prometheusText())))
        }
    }
}
