internal import Engine
internal import Synchronization
internal import Transport

/// One run's events on their way to one socket: a position in the run's log, read when the socket has room.
///
/// The position is touched only in turns on the socket's event loop; the `Mutex` around it is never contended.
final class RunFeed: FeedSource {
    private let handle: RunHandle
    private let position: Mutex<Int>
    private let seat = Mutex(Seat())

    /// The place among the run's readers. The log's list of readers leads back to this feed, so it has to be given up.
    private struct Seat {
        var subscription: RunLog.Subscription?
        var isClosed = false
    }

    private init(_ handle: RunHandle, after seq: Int) {
        self.handle = handle
        position = Mutex(seq)
    }

    /// Streams the events of `handle` after `seq` to `socket`, until after the terminal one or until the socket is gone.
    ///
    /// - Returns: false when the run has too many readers.
    static func open(_ handle: RunHandle, after seq: Int, on socket: Socket) -> Bool {
        let source = RunFeed(handle, after: seq)
        let feed = socket.openFeed(source)
        guard let subscription = handle.log.subscribe(onAdvance: { feed.signal() }) else {
            feed.cancel()
            return false
        }
        source.take(subscription)
        feed.signal()
        return true
    }

    func read(into writer: inout FeedWriter) -> FeedState {
        // Asked before the read: a terminal event that comes in between is found by the next turn.
        let hasEnded = handle.log.terminal != nil
        while !writer.isFull {
            let after = position.withLock { $0 }
            let entries = handle.log.read(after: after, maxBytes: Self.turnBytesMax)
            guard let last = entries.last else {
                guard hasEnded else { return .idle }
                closed()
                return .finished
            }
            for entry in entries {
                writer.emit(event: entry.body.eventName, json: RunEventEncoder.encode(entry, of: handle.identity))
            }
            position.withLock { $0 = last.seq }
        }
        return .more
    }

    /// A feed whose socket left meanwhile takes no seat.
    private func take(_ subscription: RunLog.Subscription) {
        seat.withLock { if !$0.isClosed { $0.subscription = subscription } }
    }

    func closed() {
        // Released outside the lock: the run may end with its last reader.
        let left = seat.withLock { seat in
            defer { seat = Seat(subscription: nil, isClosed: true) }
            return seat.subscription
        }
        left?.cancel()
    }

    /// What one look into the log takes: so that one reader with a long way to catch up leaves the loop to the others.
    private static let turnBytesMax = 16 << 10
}
