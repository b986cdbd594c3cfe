#if canImport(Darwin)
internal import Darwin
#else
internal import Glibc
#endif

/// Virtual time and one queue of work, in an order that the seed chooses.
///
/// Every task of the code under test runs here, through a ``NodeExecutor``, and so does everything else of a world. All of
/// it happens on the one thread that made the loop, one piece of work after the other; ``add(_:of:)`` checks that. This is
/// the proof for each `@unchecked Sendable` of this module: what belongs to a world is confined to its loop's thread.
final class SimulationLoop: @unchecked Sendable {
    private enum Work {
        case job(UnownedJob, NodeExecutor)
        case action(() -> Void)
    }

    /// True UTC in milliseconds; the clocks of nodes and store are seen relative to it.
    private(set) var now: Int64
    var random: SeededGenerator
    private var ready: [Work] = []
    private var timers = TimerHeap()
    private let thread = pthread_self()

    init(now: Int64, random: SeededGenerator) {
        self.now = now
        self.random = random
    }

    func add(_ job: UnownedJob, of executor: NodeExecutor) {
        // A task that escaped to another executor would make a seed mean nothing.
        precondition(pthread_equal(pthread_self(), thread) != 0, "work of a simulation arrived from another thread")
        ready.append(.job(job, executor))
    }

    /// At this moment, after or before other work that is ready.
    func soon(_ action: @escaping () -> Void) { ready.append(.action(action)) }

    func after(_ delay: Int64, _ action: @escaping () -> Void) {
        if delay <= 0 { soon(action) } else { timers.push(at: now + delay, action) }
    }

    /// Does one piece of work, or lets time pass to the next timer.
    ///
    /// - Returns: false when there is nothing to do until `limit`; then it is `limit`.
    func advance(limit: Int64) -> Bool {
        if ready.isEmpty {
            guard let next = timers.earliest, next <= limit else {
                now = max(now, limit)
                return false
            }
            now = next
            while timers.earliest == now, let action = timers.pop() { ready.append(.action(action)) }
        }
        let index = random.index(ready.count)
        ready.swapAt(index, ready.count - 1)
        switch ready.removeLast() {
        case .action(let action): action()
        case .job(let job, let executor): executor.run(job)
        }
        return true
    }

    /// Works off what is ready without letting time pass; timers are dropped.
    func drain() {
        timers = TimerHeap()
        while !ready.isEmpty { _ = advance(limit: now) }
    }
}

/// Actions by time, those of one time in the order they were added.
struct TimerHeap {
    private struct Entry {
        let at: Int64
        let order: Int
        let action: () -> Void

        func precedes(_ other: Entry) -> Bool { at != other.at ? at < other.at : order < other.order }
    }

    private var entries: [Entry] = []
    private var added = 0

    var earliest: Int64? { entries.first?.at }

    mutating func push(at time: Int64, _ action: @escaping () -> Void) {
        added += 1
        entries.append(Entry(at: time, order: added, action: action))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].precedes(entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> (() -> Void)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else { return first.action }
        entries[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1].precedes(entries[child]) { child += 1 }
            guard entries[child].precedes(entries[parent]) else { break }
            entries.swapAt(child, parent)
            parent = child
        }
        return first.action
    }
}
