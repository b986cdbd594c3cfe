internal import Synchronization

/// How many calls are in flight. Excess is refused, never queued: a caller that wants more waits for its own answers.
///
/// Safe to use from any thread; a `Mutex` held for a look-up.
final class CallGate: Sendable {
    /// What may have ``SupervisorLimits/callsPerSource`` calls: a run's model, or one job's code.
    struct Source: Sendable, Hashable {
        let org: OrgID
        let run: String
        let parentCallID: String?

        init(_ request: CallRequest) {
            org = request.caller.org
            run = request.caller.run
            parentCallID = request.source == .code ? request.parentCallID ?? "" : nil
        }
    }

    enum Answer: Sendable, Hashable {
        case entered, sourceIsFull, serverIsFull
    }

    private struct State {
        var total = 0
        var sources: [Source: Int] = [:]
    }

    private let state = Mutex(State())

    func enter(_ source: Source) -> Answer {
        state.withLock { state in
            let count = state.sources[source, default: 0]
            guard count < SupervisorLimits.callsPerSource else { return .sourceIsFull }
            guard state.total < SupervisorLimits.callsInFlight else { return .serverIsFull }
            state.sources[source] = count + 1
            state.total += 1
            return .entered
        }
    }

    /// The call has its answer.
    func leave(_ source: Source) {
        state.withLock { state in
            let count = state.sources[source, default: 0]
            assert(count > 0, "a call left twice")
            state.sources[source] = count > 1 ? count - 1 : nil
        }
    }

    /// Nothing of the call goes on: usually with its answer, and later when its tool was abandoned.
    func release() {
        state.withLock { state in
            assert(state.total > 0, "a call was released twice")
            state.total -= 1
        }
    }

    var inFlight: Int { state.withLock { $0.total } }
}
