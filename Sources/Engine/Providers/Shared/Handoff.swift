internal import Engine
internal import Synchronization

/// Passes batches from one task to another, one at a time: the sender waits until its batch was taken, so a reader that
/// pauses pauses the upstream.
///
/// One sender, one receiver. State is in a short `Mutex`; continuations are resumed outside it.
final class Handoff: Sendable {
    /// How the sender ended: with a finish reason or an error.
    typealias End = Result<String, ProviderError>

    /// The events of one chunk.
    struct Batch: Sendable {
        let events: [ModelEvent]
        /// When the chunk came in, in ``EngineClock/nowNanoseconds``.
        let arrivedAt: Int64
    }

    private struct State {
        var batch: Batch?
        var end: End?
        var isClosed = false
        var sender: CheckedContinuation<Bool, Never>?
        var receiver: CheckedContinuation<Received, Never>?
    }

    enum Received: Sendable {
        case batch(Batch)
        case end(End)
    }

    private let state = Mutex(State())

    /// Waits until `batch` was taken.
    ///
    /// - Returns: false when the receiver has closed.
    func send(_ batch: Batch) async -> Bool {
        await withCheckedContinuation { continuation in
            let (receiver, refused) = state.withLock { state -> (CheckedContinuation<Received, Never>?, Bool) in
                guard !state.isClosed else { return (nil, true) }
                if let receiver = state.receiver {
                    state.receiver = nil
                    return (receiver, false)
                }
                state.batch = batch
                state.sender = continuation
                return (nil, false)
            }
            if refused { return continuation.resume(returning: false) }
            guard let receiver else { return }
            receiver.resume(returning: .batch(batch))
            continuation.resume(returning: true)
        }
    }

    /// Ends the sender's side; the first end counts.
    func finish(_ end: End) {
        let receiver = state.withLock { state -> CheckedContinuation<Received, Never>? in
            guard state.end == nil else { return nil }
            state.end = end
            defer { state.receiver = nil }
            return state.receiver
        }
        receiver?.resume(returning: .end(end))
    }

    /// The next batch, or how it ended.
    func receive() async -> Received {
        await withCheckedContinuation { continuation in
            let (received, sender) = state.withLock { state -> (Received?, CheckedContinuation<Bool, Never>?) in
                if state.isClosed { return (.end(.failure(.cancelled)), nil) }
                if let batch = state.batch {
                    state.batch = nil
                    defer { state.sender = nil }
                    return (.batch(batch), state.sender)
                }
                if let end = state.end { return (.end(end), nil) }
                state.receiver = continuation
                return (nil, nil)
            }
            sender?.resume(returning: true)
            if let received { continuation.resume(returning: received) }
        }
    }

    /// Ends the receiver's side. Idempotent.
    func close() {
        let (sender, receiver) = state.withLock { state in
            state.isClosed = true
            state.batch = nil
            defer {
                state.sender = nil
                state.receiver = nil
            }
            return (state.sender, state.receiver)
        }
        sender?.resume(returning: false)
        receiver?.resume(returning: .end(.failure(.cancelled)))
    }
}
