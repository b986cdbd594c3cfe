internal import Engine
internal import RedisClient
internal import Telemetry

/// What nodes tell each other about single runs, by a stream for each node: end this one, for a caller who may ask it; these have readers
/// here, so that a run that would end with its last reader does not.
struct RunOrders: Sendable {
    /// The names of the two orders.
    private static let cancel = "cancel"
    private static let readers = "readers"

    let redis: RunLogRedis
    let node: String
    let metrics: RunLogMetrics

    /// Asks the run's node to end it as its client would.
    ///
    /// - Returns: false when it could not be asked.
    func cancel(_ run: FollowedRun) async -> Bool { await send(Self.cancel, run.head.identity.run.text, to: run.head.node) }

    /// Tells the nodes of the runs that are read here, until the task is cancelled.
    func tellReaders(_ followed: FollowedRuns) async {
        while !Task.isCancelled {
            for (owner, runs) in followed.read() {
                for start in stride(from: 0, to: runs.count, by: RunLogLimits.runsOfOrder) {
                    let part = runs[start..<min(start + RunLogLimits.runsOfOrder, runs.count)]
                    _ = await send(Self.readers, part.map(\.text).joined(separator: " "), to: owner)
                }
            }
            try? await Task.sleep(for: RunLogLimits.readersInterval)
        }
    }

    private func send(_ order: String, _ argument: String, to owner: String) async -> Bool {
        let key = RunLogKeys.orders(for: owner)
        let results = await redis.send([
            (owner, RedisCommand("XADD", key, "MAXLEN", "~", String(RunLogLimits.ordersMax), "*", order, argument)),
            // A dead node reads no more.
            (owner, RedisCommand("EXPIRE", key, String(RunLogLimits.orderSeconds))),
        ])
        guard case .success? = results.first else { return false }
        return true
    }

    /// Carries out what this node is told, until the task is cancelled.
    func run(_ coordinator: RunCoordinator) async {
        var position = "0-0"
        var seats = RemoteSeats()
        while !Task.isCancelled {
            let command = RedisCommand("XREAD", "COUNT", "128", "STREAMS", RunLogKeys.orders(for: node), position)
            do throws(RedisFault) {
                let entries = try await redis.call(command, tag: node).elements?.first?.elements?.last?.elements ?? []
                for entry in entries {
                    guard let pair = entry.elements, pair.count == 2, let id = pair[0].string else { continue }
                    position = id
                    let fields = (pair[1].elements ?? []).compactMap(\.string)
                    guard fields.count == 2 else { continue }
                    for run in fields[1].split(separator: " ").compactMap({ RunID(String($0)) }) {
                        switch fields[0] {
                        case Self.cancel: _ = coordinator.cancel(run)
                        case Self.readers: seats.take(run, of: coordinator, at: ContinuousClock().now)
                        default: break
                        }
                    }
                }
            } catch {
                metrics.readFailures.add()
                try? await Task.sleep(for: .seconds(1))
            }
            seats.giveUp(at: ContinuousClock().now)
            try? await Task.sleep(for: RunLogLimits.orderPause)
        }
    }
}

/// The places that readers at other nodes take among those of this node's runs. Confined to its task.
struct RemoteSeats {
    private var seats: [RunID: (log: RunLog, subscription: RunLog.Subscription, until: ContinuousClock.Instant)] = [:]

    var count: Int { seats.count }

    /// Takes a place for so long as it is told anew. A run that is not live needs none.
    mutating func take(_ run: RunID, of coordinator: RunCoordinator, at now: ContinuousClock.Instant) {
        let until = now + RunLogLimits.seatAge
        if seats[run] != nil {
            seats[run]?.until = until
        } else if let handle = coordinator.live(run)?.handle, let subscription = handle.log.subscribe(onAdvance: {}) {
            seats[run] = (handle.log, subscription, until)
        }
    }

    /// Those of which nobody has told for a while, and of runs that have ended.
    mutating func giveUp(at now: ContinuousClock.Instant) {
        seats = seats.filter { $0.value.until > now && $0.value.log.terminal == nil }
    }
}
