internal import Synchronization

/// Spans on their way to a collector: bounded, and never waited for. What has no room is dropped and counted.
///
/// Safe to use from any thread: a `Mutex` held for a few lines.
public final class SpanQueue: Sendable {
    private let spans = Mutex<[SpanRecord]>([])
    private let most: Int
    private let dropped: @Sendable (Int) -> Void

    /// - Parameter dropped: told how many have been lost.
    public init(most: Int = TraceLimits.queue, dropped: @escaping @Sendable (Int) -> Void) {
        self.most = most
        self.dropped = dropped
    }

    /// The newest goes where there is no room: what waits belongs to traces that are nearly whole.
    func push(_ span: SpanRecord) {
        let hasRoom = spans.withLock { spans in
            guard spans.count < most else { return false }
            spans.append(span)
            return true
        }
        if !hasRoom { dropped(1) }
    }

    /// The oldest, at most so many.
    func take(_ count: Int) -> [SpanRecord] {
        spans.withLock { spans in
            let taken = Array(spans.prefix(count))
            spans.removeFirst(taken.count)
            return taken
        }
    }

    /// What was taken and not sent, back to the front; as far as there is room.
    func giveBack(_ batch: [SpanRecord]) {
        let lost = spans.withLock { spans in
            let fitting = batch.prefix(max(0, most - spans.count))
            spans.insert(contentsOf: fitting, at: 0)
            return batch.count - fitting.count
        }
        if lost > 0 { dropped(lost) }
    }

    func lose(_ count: Int) {
        if count > 0 { dropped(count) }
    }

    public var count: Int { spans.withLock { $0.count } }
}
