internal import DequeModule
internal import Synchronization

/// The asynchronous handlers of one socket that are to run, one after the other, so that what one client sends is dealt with in the order
/// in which it was sent. A `Mutex` guards the queue, never across a handler.
///
/// There is one task while anything waits, and none otherwise. It is nobody's child: a handler that has begun, and what was accepted before
/// the client left, is brought to its end, because a client that says something and leaves means what it said.
final class HandlerQueue: Sendable {
    typealias Job = @Sendable () async -> Void

    private struct State {
        var waiting: Deque<(job: Job, weight: Int)> = []
        /// Bytes of the arguments of those that wait.
        var bytes = 0
        var isRunning = false
    }

    private let state = Mutex(State())

    /// - Parameter weight: bytes of the event's arguments.
    /// - Returns: false when too many wait. One alone may be of any size that came in.
    func add(weight: Int, _ job: @escaping Job) -> Bool {
        let (isAdded, starts) = state.withLock { state in
            let hasRoom =
                state.waiting.count < TransportLimits.waitingHandlersMax && state.bytes + weight <= TransportLimits.waitingHandlerBytesMax
            guard hasRoom || state.waiting.isEmpty else { return (false, false) }
            state.waiting.append((job, weight))
            state.bytes += weight
            defer { state.isRunning = true }
            return (true, !state.isRunning)
        }
        if starts { Task { await run() } }
        return isAdded
    }

    private func next() -> Job? {
        state.withLock { state in
            guard let first = state.waiting.popFirst() else {
                state.isRunning = false
                return nil
            }
            state.bytes -= first.weight
            return first.job
        }
    }

    private func run() async {
        while let job = next() { await job() }
    }
}
