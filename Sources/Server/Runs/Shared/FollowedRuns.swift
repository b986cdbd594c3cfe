internal import Accounting
internal import Engine
internal import Logging
internal import RedisClient
internal import Synchronization
internal import Telemetry
internal import Tenancy

/// The runs of other nodes that somebody reads here. One follower a run, however many its readers are.
///
/// One task reads all of them, several in one command, at a pace that follows what comes. The table is in a short `Mutex`.
final class FollowedRuns: Sendable {
    /// The end of a run of which Redis knows nothing any more.
    typealias Ending = @Sendable (RunID, Tenant) async -> SharedEvent?

    private struct State {
        var runs: [RunID: FollowedRun] = [:]
        var loading: [RunID: Task<FollowedRun?, Never>] = [:]
    }

    private let redis: RunLogRedis
    private let metrics: RunLogMetrics
    private let ending: Ending
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let clock = ContinuousClock()

    init(_ redis: RunLogRedis, metrics: RunLogMetrics, ending: @escaping Ending) {
        self.redis = redis
        self.metrics = metrics
        self.ending = ending
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: Finding

    /// A run of another node with all that Redis has of it.
    ///
    /// - Returns: nil when Redis does not know it or does not answer, or the caller does not own it, or too many are followed.
    func find(_ run: RunID, for tenant: Tenant) async -> FollowedRun? {
        guard let followed = await follow(run, org: tenant.org),
            followed.head.tenant.owns(asSeenBy: tenant)
        else { return nil }
        followed.found(at: clock.now)
        return followed
    }

    /// A run that is followed already.
    func known(_ run: RunID) -> FollowedRun? { state.withLock { $0.runs[run] } }

    /// The live runs that have readers here, by the nodes that have them.
    func read() -> [String: [RunID]] {
        let runs = state.withLock { Array($0.runs.values) }.filter { $0.handle.log.terminal == nil && $0.handle.log.hasReaders }
        return Dictionary(grouping: runs, by: \.head.node).mapValues { $0.map(\.head.identity.run) }
    }

    private func follow(_ run: RunID, org: OrgID) async -> FollowedRun? {
        enum Way { case known(FollowedRun), loading(Task<FollowedRun?, Never>), full }
        let way: Way = state.withLock { state in
            if let known = state.runs[run] { return .known(known) }
            if let loading = state.loading[run] { return .loading(loading) }
            guard state.runs.count + state.loading.count < RunLogLimits.followedRunsMax else { return .full }
            // Not structured: several readers wait for it, and one that is cancelled must not take it from the others.
            let task = Task { await self.begin(run, org: org) }
            state.loading[run] = task
            return .loading(task)
        }
        switch way {
        case .known(let known): return known
        case .loading(let task):
            let found = await task.value
            // Another organisation's question of the same name must not have answered this one.
            return found?.head.tenant.org == org ? found : nil
        case .full: return nil
        }
    }

    private func begin(_ run: RunID, org: OrgID) async -> FollowedRun? {
        let found = await load(run, org: org)
        state.withLock { state in
            state.loading[run] = nil
            if let found { state.runs[run] = found }
            metrics.followed.set(Int64(state.runs.count))
        }
        if found != nil { wake.yield() }
        return found
    }

    private func load(_ run: RunID, org: OrgID) async -> FollowedRun? {
        do throws(RedisFault) {
            let text = try await redis.call(RedisCommand("GET", RunLogKeys.head(org: org, run)), tag: org.text)
            guard let head = RunHead(text.string, org: org, run: run) else { return nil }
            let followed = FollowedRun(head, at: clock.now)
            while true {
                let count = String(RunLogLimits.backlogEntries)
                let after = "(\(followed.position)"
                let page = try await redis.call(RedisCommand("XRANGE", followed.key, after, "+", "COUNT", count), tag: org.text)
                let entries = page.elements ?? []
                followed.take(entries, at: clock.now)
                guard entries.count == RunLogLimits.backlogEntries else { return followed }
            }
        } catch {
            metrics.readFailures.add()
            return nil
        }
    }

    // MARK: Following

    /// Reads until the task is cancelled.
    func run() async {
        for await _ in wakes {
            while !Task.isCancelled {
                guard let next = await round() else { break }
                let pause = max(next - clock.now, .milliseconds(5))
                try? await Task.sleep(for: min(pause, RunLogLimits.readPauseMax))
            }
        }
    }

    /// - Returns: when the next one is due; nil when none is followed.
    private func round() async -> ContinuousClock.Instant? {
        let now = clock.now
        let live = state.withLock { state -> [FollowedRun] in
            let before = state.runs.count
            for (id, run) in state.runs where run.isIdle(at: now) { state.runs[id] = nil }
            if state.runs.count != before { metrics.followed.set(Int64(state.runs.count)) }
            return Array(state.runs.values)
        }
        let running = live.filter { $0.handle.log.terminal == nil }
        await read(running.filter { $0.isDue(at: now) })
        await check(running)
        // Those that have ended stay for a while, for who comes late.
        return running.map(\.due).min() ?? (live.isEmpty ? nil : now + RunLogLimits.readPauseMax)
    }

    private func read(_ due: [FollowedRun]) async {
        var commands: [(tag: String, command: RedisCommand)] = []
        var groups: [[FollowedRun]] = []
        // Keys of one organisation are in one place of a cluster.
        for (org, runs) in Dictionary(grouping: due, by: \.head.tenant.org) {
            for start in stride(from: 0, to: runs.count, by: RunLogLimits.readRuns) {
                let group = Array(runs[start..<min(start + RunLogLimits.readRuns, runs.count)])
                var command = RedisCommand("XREAD", "COUNT", String(RunLogLimits.readEntries), "STREAMS")
                for run in group { command.append(run.key) }
                for run in group { command.append(run.position) }
                commands.append((org.text, command))
                groups.append(group)
            }
        }
        let results = await redis.send(commands)
        let now = clock.now
        for (group, result) in zip(groups, results) {
            guard case .success(let value) = result else {
                metrics.readFailures.add()
                for run in group { run.postpone(at: now) }
                continue
            }
            var found: [String: [RedisValue]] = [:]
            for stream in value.elements ?? [] {
                if let pair = stream.elements, pair.count == 2, let key = pair[0].string { found[key] = pair[1].elements }
            }
            for run in group { run.take(found[run.key] ?? [], at: now) }
        }
    }

    /// A run that is silent may wait for a person; or Redis was emptied and its owner is gone as well.
    private func check(_ running: [FollowedRun]) async {
        let now = clock.now
        let silent = running.filter { $0.asksForHead(at: now) }
        guard !silent.isEmpty else { return }
        let results = await redis.send(
            silent.map { run in
                let org = run.head.tenant.org
                return (org.text, RedisCommand("EXISTS", RunLogKeys.head(org: org, run.head.identity.run)))
            })
        for (run, result) in zip(silent, results) {
            guard case .success(let count) = result, run.headIs(there: count.number == 1, at: now) else { continue }
            if let end = await ending(run.head.identity.run, run.head.tenant) { run.handle.log.follow(end) }
        }
    }
}
