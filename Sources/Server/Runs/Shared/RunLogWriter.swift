internal import Engine
internal import Logging
internal import RedisClient
internal import Synchronization
internal import Telemetry

/// Carries the logs of this node's runs to Redis: a reader of each log like any other, that merges what it is late for.
///
/// One task owns the rounds; the runs and the list of those that have moved are in a short `Mutex`. A run never waits for it. While Redis
/// is slow or away the log in memory is the queue: what is dropped there before it was written is a gap for readers elsewhere.
final class RunLogWriter: RunLogShare {
    /// A run on its way to Redis.
    private final class OwnRun: Sendable {
        let handle: RunHandle
        let publication: Mutex<LogPublication>
        let signal: ReaderSignal

        init(_ handle: RunHandle, node: String, wake: @escaping @Sendable () -> Void) {
            self.handle = handle
            publication = Mutex(LogPublication(RunHead(handle, node: node)))
            signal = ReaderSignal(wake: wake)
        }
    }

    private struct State {
        var runs: [RunID: OwnRun] = [:]
        /// Those that have something to write, in the order in which they moved.
        var moved: [RunID] = []
    }

    private let redis: RunLogRedis
    private let node: String
    private let metrics: RunLogMetrics
    private let logger: Logger
    private let state = Mutex(State())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let clock = ContinuousClock()

    init(_ redis: RunLogRedis, node: String, metrics: RunLogMetrics, logger: Logger) {
        self.redis = redis
        self.node = node
        self.metrics = metrics
        self.logger = logger
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func share(_ run: RunHandle) {
        let id = run.identity.run
        let own = OwnRun(run, node: node) { [weak self] in self?.moved(id) }
        let isTaken = state.withLock { state in
            guard state.runs.count < RunLogLimits.ownRunsMax else { return false }
            state.runs[id] = own
            metrics.own.set(Int64(state.runs.count))
            return true
        }
        guard isTaken else { return metrics.notShared.add() }
        run.log.mirror { own.signal.ring() }
        own.signal.ring()
    }

    private func moved(_ run: RunID) {
        let isFirst = state.withLock { state in
            state.moved.append(run)
            return state.moved.count == 1
        }
        if isFirst { wake.yield() }
    }

    /// Writes until the task is cancelled.
    func run() async {
        async let _: Void = announce()
        var isAway = false
        for await _ in wakes {
            while !Task.isCancelled {
                try? await Task.sleep(for: isAway ? .milliseconds(250) : RunLogLimits.writePause)
                let (rest, failed) = await round()
                if failed != isAway {
                    let message: Logger.Message = failed ? "run logs cannot be written to Redis" : "run logs are written to Redis again"
                    logger.warning(message)
                }
                isAway = failed
                if rest == 0 { break }
            }
        }
    }

    /// Live runs say so now and then, however quiet they are.
    private func announce() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: RunLogLimits.announceInterval)
            for run in state.withLock({ Array($0.runs.values) }) { run.signal.ring() }
        }
    }

    /// What is left when the server ends: every end of a run has been told by then.
    func flush() async {
        let last = clock.now + RunLogLimits.farewell
        while clock.now < last {
            let (rest, _) = await round()
            if rest == 0 { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// - Returns: how many runs have more to write, and whether Redis did not take something.
    private func round() async -> (rest: Int, failed: Bool) {
        let now = clock.now
        let runs = state.withLock { state in
            defer { state.moved = [] }
            var seen: Set<RunID> = []
            return state.moved.compactMap { seen.insert($0).inserted ? state.runs[$0] : nil }
        }
        var commands: [(tag: String, command: RedisCommand)] = []
        var parts: [(run: OwnRun, count: Int)] = []
        var (bytes, entries, again) = (0, 0, [OwnRun]())
        for run in runs {
            guard bytes < RunLogLimits.roundBytes, commands.count < RunLogLimits.roundCommands else {
                again.append(run)
                continue
            }
            run.signal.answer()
            let log = run.handle.log
            run.publication.withLock { publication in
                let lost = publication.eventsLost
                let part = publication.commands({ log.readShared(after: $0, maxBytes: RunLogLimits.takeBytes) }, now: now)
                bytes += publication.bytesPending
                entries += publication.entriesPending
                if publication.eventsLost > lost { metrics.eventsLost.add(Int64(publication.eventsLost - lost)) }
                commands += part
                parts.append((run, part.count))
            }
        }
        var results = await redis.send(commands)[...]
        var (failures, ended) = (0, [RunID]())
        for (run, count) in parts {
            let mine = Array(results.prefix(count))
            results = results.dropFirst(count)
            let (verdict, position) = run.publication.withLock { ($0.acknowledge(mine, at: now), $0.position) }
            switch verdict {
            case .failed:
                failures += 1
                again.append(run)
            case .written: if position < run.handle.log.lastSeq { again.append(run) }
            case .ended: ended.append(run.handle.identity.run)
            }
        }
        if failures == 0 {
            metrics.entries.add(Int64(entries))
            metrics.bytes.add(Int64(bytes))
        } else {
            metrics.writeFailures.add(Int64(failures))
        }
        return state.withLock { state in
            for run in ended { state.runs[run] = nil }
            metrics.own.set(Int64(state.runs.count))
            state.moved = again.map(\.handle.identity.run) + state.moved
            return (state.moved.count, failures > 0)
        }
    }
}
