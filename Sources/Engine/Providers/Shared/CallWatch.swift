internal import Engine
internal import Synchronization

/// The deadlines of one call: first byte, silence between chunks, the whole. One timer a call, however many chunks.
///
/// State is in a short `Mutex`: the reader moves the deadline, the watching task reads it.
final class CallWatch: Sendable {
    enum Phase: Sendable {
        case firstByte
        case idle
        /// The consumer is not reading; the upstream cannot be blamed.
        case paused
        /// The answer was handed over; the connection gets a moment to end so that it can be used again.
        case trailer
    }

    private struct State {
        var phase: Phase
        var due: Int64
    }

    /// How long to wait for the end of a body after the answer's own end.
    private static let trailerNanoseconds: Int64 = 250_000_000
    /// A chunk moves the deadline back, and the sleeper then finds it moved. Only the end of a pause and the trailer
    /// bring it nearer; looking this often bounds how late that is seen.
    private static let lookNanoseconds: Int64 = 1_000_000_000

    private let timeouts: UpstreamTimeouts
    private let clock: any EngineClock
    private let callDue: Int64
    private let state: Mutex<State>

    init(_ timeouts: UpstreamTimeouts, _ clock: any EngineClock) {
        self.timeouts = timeouts
        self.clock = clock
        let now = clock.nowNanoseconds
        callDue = now + timeouts.call.wholeNanoseconds
        state = Mutex(State(phase: .firstByte, due: now + timeouts.firstByte.wholeNanoseconds))
    }

    func enter(_ phase: Phase) {
        let now = clock.nowNanoseconds
        let due =
            switch phase {
            case .firstByte: now + timeouts.firstByte.wholeNanoseconds
            case .idle: now + timeouts.idle.wholeNanoseconds
            case .paused: Int64.max
            case .trailer: now + Self.trailerNanoseconds
            }
        state.withLock { $0 = State(phase: phase, due: due) }
    }

    /// Returns how the call ends when a deadline passes; nil when the task is cancelled.
    func expire() async -> Handoff.End? {
        while !Task.isCancelled {
            let (phase, due) = state.withLock { ($0.phase, $0.due) }
            let now = clock.nowNanoseconds
            if now >= callDue { return .failure(UpstreamFailure.timeout(.callTimeout)) }
            if now >= due {
                switch phase {
                case .firstByte: return .failure(UpstreamFailure.timeout(.firstByteTimeout))
                case .idle: return .failure(UpstreamFailure.timeout(.idleTimeout))
                case .trailer: return .failure(.cancelled)
                case .paused: break
                }
                continue
            }
            await clock.sleep(until: min(due, callDue, now + Self.lookNanoseconds))
        }
        return nil
    }
}
