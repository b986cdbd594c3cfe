internal import Accounting
internal import Engine
internal import Logging
internal import RedisClient
internal import Telemetry
internal import Tenancy

/// Says that this node lives, and ends the runs of those that do not.
///
/// That a process has ended is proven by its board where the data directory is shared (``Succession``); of a lost machine it is taken from
/// its silence, when its leases are over. Several nodes may do it at once: the end of a run is one entry with one id.
struct RunNodes: Sendable {
    let redis: RunLogRedis
    let node: String
    let lost: LostRuns
    let metrics: RunLogMetrics
    let logger: Logger

    /// Until the task is cancelled.
    func run() async {
        var watch = NodeWatch(own: node)
        while !Task.isCancelled {
            do {
                _ = try await redis.call(RedisCommand("HINCRBY", RunLogKeys.nodes, node, "1"), tag: RunLogKeys.nodesTag)
                let answer = try await redis.call(RedisCommand("HGETALL", RunLogKeys.nodes), tag: RunLogKeys.nodesTag)
                for gone in watch.look(Self.beats(answer), at: ContinuousClock().now) {
                    let ended = try await bury(gone, [])
                    logger.notice("a node is lost; its runs are ended", metadata: ["node": "\(gone)", "runs": "\(ended)"])
                }
            } catch {
                metrics.readFailures.add()
            }
            try? await Task.sleep(for: RunLogLimits.beatInterval)
        }
    }

    /// This node ends, and has ended its runs.
    func leave() async {
        _ = try? await redis.call(RedisCommand("HDEL", RunLogKeys.nodes, node), tag: RunLogKeys.nodesTag)
        _ = try? await redis.call(RedisCommand("DEL", RunLogKeys.runs(of: node), RunLogKeys.orders(for: node)), tag: node)
    }

    /// Writes the end of all runs of a dead node. May be repeated.
    ///
    /// - Parameter more: of its runs, those that are known from elsewhere: Redis may have forgotten its list.
    /// - Returns: how many were ended now.
    @discardableResult
    func bury(_ gone: String, _ more: [(org: OrgID, run: RunID)]) async throws -> Int {
        let members = try await redis.call(RedisCommand("SMEMBERS", RunLogKeys.runs(of: gone)), tag: gone)
        let listed = (members.elements ?? []).compactMap { $0.string }
        let names = Set(listed).union(more.map { RunLogKeys.member(org: $0.org, $0.run) })
        let runs = names.sorted().compactMap { RunLogKeys.member($0) }
        // Rows that the counters have decided and the ledger has not got yet.
        for org in Set(runs.map(\.org)) { try await lost.windows.flush(org: org) }
        var ended = 0
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for (index, run) in runs.enumerated() {
                if index >= RunLogLimits.burialsAtOnce, try await group.next() == true { ended += 1 }
                group.addTask { try await end(run.run, of: run.org) }
            }
            while let isEnded = try await group.next() { if isEnded { ended += 1 } }
        }
        _ = try await redis.call(RedisCommand("DEL", RunLogKeys.runs(of: gone), RunLogKeys.orders(for: gone)), tag: gone)
        _ = try await redis.call(RedisCommand("HDEL", RunLogKeys.nodes, gone), tag: RunLogKeys.nodesTag)
        metrics.nodeLost.add(Int64(ended))
        return ended
    }

    /// - Returns: false when it had ended, or is not kept any more.
    private func end(_ run: RunID, of org: OrgID) async throws -> Bool {
        let key = RunLogKeys.log(org: org, run)
        let newest = try await redis.call(RedisCommand("XREVRANGE", key, "+", "-", "COUNT", "1"), tag: org.text)
        var reader = SharedLogReader()
        // A long last event has several parts, of which the last alone is none: then the id of a further end is refused by readers.
        if let last = newest.elements?.first, reader.take(last)?.body.outcome != nil { return false }
        let head = RunHead(
            try await redis.call(RedisCommand("GET", RunLogKeys.head(org: org, run)), tag: org.text).string, org: org, run: run)
        guard let head, let event = try await lost.end(head) else { return false }
        var results: [Result<RedisValue, RedisFault>] = []
        let expiry = String(RunLogLimits.endedSeconds)
        var commands = RunLogEntry.entries(of: event).map { (tag: org.text, command: $0.command(key, onlyIfKept: true)) }
        commands.append((org.text, RedisCommand("EXPIRE", key, expiry)))
        commands.append((org.text, RedisCommand("EXPIRE", RunLogKeys.head(org: org, run), expiry)))
        results = await redis.send(commands)
        for case .failure(let fault) in results where !RunLogEntry.stands(.failure(fault)) { throw fault }
        return true
    }

    private static func beats(_ answer: RedisValue) -> [String: Int64] {
        let words = answer.elements ?? []
        var beats: [String: Int64] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            if let node = words[index].string, let count = words[index + 1].number { beats[node] = count }
        }
        return beats
    }
}
