internal import Accounting
internal import Engine
internal import Logging
internal import RedisClient
internal import Telemetry

/// Runs across nodes (docs/adr/0021): what a server with Redis has beside its own runs.
struct SharedRuns: Sendable {
    let redis: RunLogRedis
    let writer: RunLogWriter
    let followed: FollowedRuns
    let nodes: RunNodes
    let orders: RunOrders

    init(_ url: RedisURL, node: String, lost: LostRuns, registry: MetricRegistry, logger: Logger) {
        let metrics = RunLogMetrics(registry)
        redis = RunLogRedis(url, logger: logger)
        writer = RunLogWriter(redis, node: node, metrics: metrics, logger: logger)
        followed = FollowedRuns(redis, metrics: metrics) { await lost.ending(of: $0, for: $1) }
        nodes = RunNodes(redis: redis, node: node, lost: lost, metrics: metrics, logger: logger)
        orders = RunOrders(redis: redis, node: node, metrics: metrics)
    }

    func find(_ run: RunID, for tenant: Tenant) async -> RunHandle? { await followed.find(run, for: tenant)?.handle }

    /// Asks the node that has the run to end it.
    ///
    /// - Returns: false when it is not live at another node, or that could not be asked.
    func cancel(_ run: RunHandle) async -> Bool {
        guard run.outcome == nil, let followed = followed.known(run.identity.run) else { return false }
        return await orders.cancel(followed)
    }

    /// The loops that live as long as the server.
    func loops(_ coordinator: RunCoordinator) -> [@Sendable () async -> Void] {
        redis.connect()
        return [
            { await writer.run() }, { await followed.run() }, { await nodes.run() }, { await orders.run(coordinator) },
            { await orders.tellReaders(followed) },
        ]
    }

    /// After the last run has ended.
    func leave() async {
        await writer.flush()
        await nodes.leave()
        await redis.close()
    }
}
