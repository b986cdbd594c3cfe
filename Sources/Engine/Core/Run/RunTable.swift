/// Which runs live and which finished logs are kept. A value; ``RunCoordinator`` guards it.
struct RunTable {
    private struct Finished {
        let handle: RunHandle
        let bytes: Int
        let endedAt: Int64
    }

    private let limits: EngineLimits
    private var live: [RunID: Run] = [:]
    private var finished: [RunID: Finished] = [:]
    /// Finished runs, oldest first, from `oldest` on; compacted when half of it is spent.
    private var order: [RunID] = []
    private var oldest = 0
    private var finishedBytes = 0
    /// Starts that hold a place but have no run yet.
    private var reserved = 0
    private(set) var isDraining = false
    private var idleWaiters: [CheckedContinuation<Void, Never>] = []

    init(limits: EngineLimits) { self.limits = limits }

    var liveCount: Int { live.count }
    var runs: [Run] { Array(live.values) }
    /// Whether somebody still reads a run that has ended.
    var hasReaders: Bool { finished.values.contains { $0.handle.log.hasReaders } }

    func run(_ id: RunID) -> Run? { live[id] }

    /// A live or kept run.
    func handle(_ id: RunID, now: Int64) -> RunHandle? {
        if let run = live[id] { return run.parts.handle }
        guard let entry = finished[id], now - entry.endedAt < limits.finishedAge.wholeNanoseconds else { return nil }
        return entry.handle
    }

    /// Takes a place for a start; every success is followed by ``insert(_:)`` or ``release()``.
    mutating func reserve() -> StartFailure? {
        if isDraining { return StartFailure(.serverShutdown, "the server is shutting down") }
        if live.count + reserved >= limits.runsMax { return StartFailure(.tooManyRuns, "too many runs are live") }
        reserved += 1
        return nil
    }

    mutating func release() -> [CheckedContinuation<Void, Never>] {
        reserved -= 1
        return idleNow()
    }

    mutating func insert(_ run: Run) {
        reserved -= 1
        live[run.parts.handle.identity.run] = run
    }

    /// Moves a run to the finished ones.
    ///
    /// - Returns: who waited for the table to be idle, if it is now.
    mutating func finish(_ run: Run, now: Int64) -> [CheckedContinuation<Void, Never>] {
        let id = run.parts.handle.identity.run
        guard live.removeValue(forKey: id) != nil else { return [] }
        let log = run.log
        let bytes = log.byteCount + (log.terminal?.byteCount ?? 0)
        finished[id] = Finished(handle: run.parts.handle, bytes: bytes, endedAt: now)
        order.append(id)
        finishedBytes += bytes
        prune(now: now)
        return idleNow()
    }

    /// Forgets finished runs beyond the limits, oldest first. Amortised O(1) a run.
    mutating func prune(now: Int64) {
        while oldest < order.count, let entry = finished[order[oldest]] {
            let isOld = now - entry.endedAt >= limits.finishedAge.wholeNanoseconds
            guard isOld || finished.count > limits.finishedRunsMax || finishedBytes > limits.finishedBytesMax else {
                break
            }
            finished[order[oldest]] = nil
            finishedBytes -= entry.bytes
            oldest += 1
        }
        if oldest > 64, oldest * 2 > order.count {
            order.removeFirst(oldest)
            oldest = 0
        }
    }

    mutating func drain() { isDraining = true }

    /// - Returns: false when the table is idle already and `waiter` must be resumed by the caller.
    mutating func wait(_ waiter: CheckedContinuation<Void, Never>) -> Bool {
        guard !live.isEmpty || reserved > 0 else { return false }
        idleWaiters.append(waiter)
        return true
    }

    private mutating func idleNow() -> [CheckedContinuation<Void, Never>] {
        guard live.isEmpty, reserved == 0 else { return [] }
        defer { idleWaiters = [] }
        return idleWaiters
    }
}
