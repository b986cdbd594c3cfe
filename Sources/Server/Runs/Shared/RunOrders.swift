internal import Engine
internal import RedisClient
internal import Telemetry

/// What a node is asked to do with its runs by another one, which has checked that the caller may.
struct RunOrders: Sendable {
    let redis: RunLogRedis
    let node: String
    let metrics: RunLogMetrics

    /// Asks the run's node to end it as its client would.
    ///
    /// - Returns: false when it could not be asked.
    func cancel(_ run: FollowedRun) async -> Bool {
        let (owner, id) = (run.head.node, run.head.identity.run.text)
        let key = RunLogKeys.orders(for: owner)
        let results = await redis.send([
            (owner, RedisCommand("XADD", key, "MAXLEN", "~", String(RunLogLimits.ordersMax), "*", "cancel", id)),
            // A dead node reads no more.
            (owner, RedisCommand("EXPIRE", key, String(RunLogLimits.orderSeconds))),
        ])
        guard case .success? = results.first else { return false }
        return true
    }

    /// Carries out what this node is asked, until the task is cancelled.
    func run(_ coordinator: RunCoordinator) async {
        var position = "0-0"
        while !Task.isCancelled {
            let command = RedisCommand("XREAD", "COUNT", "128", "STREAMS", RunLogKeys.orders(for: node), position)
            do throws(RedisFault) {
                let entries = try await redis.call(command, tag: node).elements?.first?.elements?.last?.elements ?? []
                for entry in entries {
                    guard let pair = entry.elements, pair.count == 2, let id = pair[0].string else { continue }
                    position = id
                    let fields = pair[1].elements ?? []
                    guard fields.count == 2, fields[0].string == "cancel", let run = fields[1].string.flatMap({ RunID($0) }) else {
                        continue
                    }
                    _ = coordinator.cancel(run)
                }
            } catch {
                metrics.readFailures.add()
                try? await Task.sleep(for: .seconds(1))
            }
            try? await Task.sleep(for: RunLogLimits.orderPause)
        }
    }
}
