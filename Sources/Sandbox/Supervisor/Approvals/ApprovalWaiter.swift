internal import Synchronization

/// A sleeper that others may wake. One task pauses at a time.
///
/// Safe to use from any thread; state is in a `Mutex`.
final class ApprovalWaiter: Sendable {
    private struct State {
        /// It was woken while nobody slept.
        var isAwake = false
        var sleeper: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func wake() {
        let sleeper = state.withLock { state in
            state.isAwake = state.sleeper == nil
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    /// Returns when it is woken, was woken since the last pause, at `nanoseconds` of the clock, or when the task is cancelled.
    func pause(until nanoseconds: Int64, _ clock: any SupervisorClock) async {
        // Unstructured: it only wakes this task, which does not wait for it to end.
        let timer = Task {
            await clock.sleep(until: nanoseconds)
            if !Task.isCancelled { wake() }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isAwake = state.withLock { state in
                    defer { state.isAwake = false }
                    if !state.isAwake { state.sleeper = continuation }
                    return state.isAwake
                }
                if isAwake { continuation.resume() }
            }
        } onCancel: {
            wake()
        }
        timer.cancel()
    }
}
