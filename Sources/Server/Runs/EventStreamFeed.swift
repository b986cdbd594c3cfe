internal import Engine
internal import Hummingbird
internal import NIOCore
internal import Synchronization
internal import TransportWire

/// The events of any number of runs as one SSE response.
///
/// There is no queue: each run has a position in its log, and the response reads on when the client has taken what it
/// got (`docs/adr/0002-the-run-log-is-the-queue.md`). Attachments are in a short `Mutex`; the rest belongs to the task
/// that writes the response.
final class EventStreamFeed: Sendable {
    private struct Attachment {
        let handle: RunHandle
        var position: Int
        let subscription: RunLog.Subscription
    }

    private struct State {
        var attachments: [Attachment] = []
        var isClosed = false
    }

    /// Runs at once on one stream: far more than a person starts, few enough to scan at each signal.
    static let attachmentsMax = 64
    /// Comment that keeps proxies and clients from giving up (contract, *SSE*).
    static let heartbeatInterval = Duration.seconds(15)
    /// What one read takes from a log: a socket buffer's worth.
    static let readBytesMax = 64 << 10

    private let state = Mutex(State())
    private let signals: AsyncStream<Signal>
    private let signal: AsyncStream<Signal>.Continuation
    private let advance: ReaderSignal

    private enum Signal { case advanced, heartbeat, closed }

    init() {
        // What is signalled is only "look again", so the newest few are enough.
        let (signals, signal) = AsyncStream.makeStream(of: Signal.self, bufferingPolicy: .bufferingNewest(4))
        (self.signals, self.signal) = (signals, signal)
        advance = ReaderSignal { signal.yield(.advanced) }
    }

    /// Adds a run, from the event after `position`.
    ///
    /// - Returns: false when the stream is closed or full, or the run has too many readers.
    func attach(_ handle: RunHandle, after position: Int) -> Bool {
        guard let subscription = handle.log.subscribe(onAdvance: { [advance] in advance.ring() }) else { return false }
        let isAttached = state.withLock { state in
            guard !state.isClosed, state.attachments.count < Self.attachmentsMax else { return false }
            state.attachments.append(Attachment(handle: handle, position: position, subscription: subscription))
            return true
        }
        if isAttached { advance.ring() }
        return isAttached
    }

    /// Ends the response after what has been read.
    func close() {
        signal.yield(.closed)
        signal.finish()
    }

    /// Writes until the client goes or, with `untilIdle`, until every attached run has ended.
    @concurrent func write(to writer: inout any ResponseBodyWriter, untilIdle: Bool) async throws {
        defer { state.withLock { $0 = State(isClosed: true) } }
        // Ends with this function: leaving the scope of an `async let` cancels it.
        async let _: Void = heartbeat()
        if try await drain(to: &writer), untilIdle { return signal.finish() }
        for await signal in signals {
            if case .closed = signal { return }
            advance.answer()
            if case .heartbeat = signal {
                var comment = ByteBuffer()
                ServerSentEvent.comment("keep-alive", into: &comment)
                try await writer.write(comment)
            }
            // Heartbeats that pile up behind a slow client may push out a pending `.advanced`, so each of them looks as well.
            if try await drain(to: &writer), untilIdle { self.signal.finish() }
        }
    }

    private func heartbeat() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.heartbeatInterval) } catch { return }
            signal.yield(.heartbeat)
        }
    }

    /// Writes all there is.
    ///
    /// - Returns: whether no run is left.
    @concurrent private func drain(to writer: inout any ResponseBodyWriter) async throws -> Bool {
        while true {
            let (text, isIdle) = read()
            if text.readableBytes == 0 { return isIdle }
            try await writer.write(text)
        }
    }

    private func read() -> (ByteBuffer, isIdle: Bool) {
        var text = ByteBuffer()
        let isIdle = state.withLock { state in
            // Before the reading: what an earlier look has read is written by now, and until then its run has a reader.
            state.attachments.removeAll { $0.handle.log.terminal != nil && $0.position >= $0.handle.log.lastSeq }
            for index in state.attachments.indices {
                let attachment = state.attachments[index]
                for entry in attachment.handle.log.read(after: attachment.position, maxBytes: Self.readBytesMax) {
                    Self.write(entry, of: attachment.handle.identity, to: &text)
                    state.attachments[index].position = entry.seq
                }
            }
            return state.attachments.isEmpty
        }
        return (text, isIdle)
    }

    private static func write(_ entry: LogEntry, of run: RunIdentity, to text: inout ByteBuffer) {
        let data = ByteBuffer(bytes: RunEventEncoder.encode(entry, of: run))
        // Neither the name nor the id can hold a line break, which is all that the encoder refuses.
        try? ServerSentEvent(event: entry.body.eventName, id: "\(run.run.text):\(entry.seq)", data: data).encode(into: &text)
    }
}
