internal import Engine
internal import RedisClient
internal import Synchronization

/// A run of another node as this one has it: a log that is fed from Redis, for any number of readers. The state is in a short `Mutex`.
final class FollowedRun: Sendable {
    private struct State {
        var reader = SharedLogReader()
        var pause = RunLogLimits.readPause
        var due: ContinuousClock.Instant
        var foundAt: ContinuousClock.Instant
        /// When Redis last had something of it, and was last asked whether it knows it.
        var heardAt: ContinuousClock.Instant
        var askedAt: ContinuousClock.Instant
    }

    let head: RunHead
    let handle: RunHandle
    private let state: Mutex<State>

    init(_ head: RunHead, at now: ContinuousClock.Instant) {
        self.head = head
        var limits = EngineLimits()
        limits.logBytesMax = RunLogLimits.followedBytes
        handle = RunHandle(
            identity: head.identity, tenant: head.tenant, model: head.model, startedAt: head.startedAt,
            log: RunLog(identity: head.identity, startedAt: head.startedAt, limits: limits))
        state = Mutex(State(due: now, foundAt: now, heardAt: now, askedAt: now))
    }

    var key: String { RunLogKeys.log(org: head.tenant.org, head.identity.run) }
    var position: String { state.withLock { $0.reader.position } }
    func isDue(at now: ContinuousClock.Instant) -> Bool { state.withLock { $0.due <= now } }
    /// When it is to be read next.
    var due: ContinuousClock.Instant { state.withLock { $0.due } }
    func found(at now: ContinuousClock.Instant) { state.withLock { $0.foundAt = now } }

    /// Whether nobody reads it and nobody has asked for it lately.
    func isIdle(at now: ContinuousClock.Instant) -> Bool {
        !handle.log.hasReaders && state.withLock { now - $0.foundAt >= RunLogLimits.followedAge }
    }

    /// Entries as Redis answers them, in their order.
    func take(_ entries: [RedisValue], at now: ContinuousClock.Instant) {
        let events = state.withLock { state in
            if !entries.isEmpty { (state.heardAt, state.askedAt) = (now, now) }
            state.pause = entries.isEmpty ? min(state.pause * 2, RunLogLimits.readPauseMax) : RunLogLimits.readPause
            // A full answer has more behind it.
            state.due = entries.count >= RunLogLimits.readEntries ? now : now + state.pause
            return entries.compactMap { state.reader.take($0) }
        }
        // One task feeds it, so the events stay in their order.
        for event in events { handle.log.follow(event) }
    }

    /// Redis did not answer.
    func postpone(at now: ContinuousClock.Instant) { state.withLock { $0.due = now + RunLogLimits.readPauseMax } }

    /// Whether it is time to ask if Redis still knows of it; counts as asked.
    func asksForHead(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            guard now - state.askedAt >= RunLogLimits.headCheck else { return false }
            state.askedAt = now
            return true
        }
    }

    /// - Returns: whether its end is to be looked for elsewhere: Redis has forgotten it, and its owner does not bring it back.
    func headIs(there: Bool, at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            if there { state.heardAt = now }
            return now - state.heardAt >= RunLogLimits.headPatience
        }
    }
}
