/// The events of a run as a sequence of batches, from a position until after the terminal event. For SSE.
///
/// The reader sets the pace: what it has missed comes merged, and no queue grows behind it. Ends early when the task is
/// cancelled or the run has too many subscribers.
public struct LogBatches: AsyncSequence, Sendable {
    public typealias Element = [LogEntry]
    public typealias Failure = Never

    let log: RunLog
    let after: Int
    let maxBytes: Int

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    /// Confined to its task.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let log: RunLog
        private let maxBytes: Int
        private var position: Int
        private var advances: AsyncStream<Void>.Iterator
        private let signal: ReaderSignal
        private let subscription: RunLog.Subscription?

        fileprivate init(_ batches: LogBatches) {
            log = batches.log
            maxBytes = batches.maxBytes
            position = batches.after
            let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            advances = stream.makeAsyncIterator()
            let signal = ReaderSignal { continuation.yield() }
            self.signal = signal
            subscription = log.subscribe { signal.ring() }
            if subscription == nil { continuation.finish() }
        }

        public mutating func next() async -> [LogEntry]? {
            while true {
                signal.answer()
                // Asked before the read: a terminal event that comes in between is found by the next round.
                let hasEnded = log.terminal != nil
                let entries = log.read(after: position, maxBytes: maxBytes)
                if let last = entries.last {
                    position = last.seq
                    return entries
                }
                guard !hasEnded, await advances.next(isolation: #isolation) != nil else { return nil }
            }
        }
    }
}

extension RunLog {
    /// Everything after `seq`, in batches of at most `maxBytes`.
    public func batches(after seq: Int, maxBytes: Int = 64 << 10) -> LogBatches {
        LogBatches(log: self, after: seq, maxBytes: maxBytes)
    }
}
