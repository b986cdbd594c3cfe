internal import Synchronization

/// The calls with an idempotency key that this process is making. A second call of the same key waits for the first.
///
/// Bounded by the calls in flight. Safe to use from any thread; state is in a `Mutex`.
final class CallFlights: Sendable {
    enum Start: Sendable, Hashable {
        /// This call is the first: it says ``finish(_:_:)``.
        case first
        case conflict
        case other
    }

    private struct Flight {
        let call: IdempotentCall
        var waiters: [Int: CheckedContinuation<CallResult?, Never>] = [:]
    }

    private struct State {
        var flights: [IdempotentCall.Key: Flight] = [:]
        var lastWaiter = 0
        /// Waiters whose task was cancelled before they waited.
        var withdrawn: Set<Int> = []
    }

    private let state = Mutex(State())

    func start(_ call: IdempotentCall) -> Start {
        state.withLock { state in
            guard let flight = state.flights[call.key] else {
                state.flights[call.key] = Flight(call: call)
                return .first
            }
            return flight.call == call ? .other : .conflict
        }
    }

    /// What came of the call that is in flight under this key; nil when it certainly had no effect, is over already, or when the awaiting
    /// task is cancelled.
    func result(of call: IdempotentCall) async -> CallResult? {
        let waiter = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        // A cancellation that came too late has left its mark.
        defer { state.withLock { _ = $0.withdrawn.remove(waiter) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard !state.withdrawn.contains(waiter), state.flights[call.key]?.call == call else { return false }
                    state.flights[call.key]?.waiters[waiter] = continuation
                    return true
                }
                if !waits { continuation.resume(returning: nil) }
            }
        } onCancel: {
            let continuation = state.withLock { state -> CheckedContinuation<CallResult?, Never>? in
                if let continuation = state.flights[call.key]?.waiters.removeValue(forKey: waiter) { return continuation }
                state.withdrawn.insert(waiter)
                return nil
            }
            continuation?.resume(returning: nil)
        }
    }

    /// - Parameter result: nil when it certainly had no effect: whoever waits makes the call itself.
    func finish(_ call: IdempotentCall, _ result: CallResult?) {
        let flight = state.withLock { $0.flights.removeValue(forKey: call.key) }
        for waiter in flight?.waiters.values.map({ $0 }) ?? [] { waiter.resume(returning: result) }
    }
}
