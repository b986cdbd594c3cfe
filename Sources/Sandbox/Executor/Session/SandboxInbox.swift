internal import Synchronization

/// Where everything that happens to one sandbox waits for the one task that acts on it.
///
/// Bounded by kind: bytes by ``SessionLimits/inbox`` (the lane stops reading), answers by the calls in flight, ticks to one,
/// the rest happens once. Stored state: a mutex, held for a few lines.
final class SandboxInbox: Sendable {
    enum Source: UInt64, Sendable, CaseIterable {
        case channel = 0
        case stdout = 1
        case stderr = 2
    }

    enum Event: Sendable {
        case bytes(Source, [UInt8])
        case ended(Source)
        case tick(cpu: Int64?)
        case unread
        case answered(Int64, SandboxReply)
        case exited
        case cancelled
        /// The lane has read what was left and closed the descriptors: nothing comes after it from the lane.
        case closed
    }

    private struct State {
        var events: [Event] = []
        var bytes = 0
        var hasTick = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// False when the lane should stop reading that source until `DescriptorLane.resume`.
    @discardableResult func post(_ event: Event) -> Bool {
        let (waiter, hasRoom) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool) in
            switch event {
            case .bytes(_, let bytes): state.bytes += bytes.count
            case .tick:
                if state.hasTick { return (nil, true) }
                state.hasTick = true
            default: break
            }
            state.events.append(event)
            defer { state.waiter = nil }
            return (state.waiter, state.bytes < SessionLimits.inbox)
        }
        waiter?.resume()
        return hasRoom
    }

    /// What happened since the last call, in order; waits until there is something. One caller at a time.
    /// `wasFull`: sources may have been paused.
    func next() async -> (events: [Event], wasFull: Bool) {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if !state.events.isEmpty { return true }
                state.waiter = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        return state.withLock { state in
            defer {
                state.events = []
                state.bytes = 0
                state.hasTick = false
            }
            return (state.events, state.bytes >= SessionLimits.inbox)
        }
    }

    /// Something happened that nobody has taken: of a sandbox that waits in the pool, that it is not fit to be used.
    var hasNews: Bool { state.withLock { !$0.events.isEmpty } }
}
