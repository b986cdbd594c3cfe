internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1
internal import Synchronization

/// The way of one response from its task to its connection. The state is in a short `Mutex`; the connection is touched on
/// its event loop alone, at most once a turn however many chunks were written (one-port.md, pitfall 9).
final class ResponseOutbox: Sendable {
    private let state = Mutex(OutboxState())
    private let front: NIOLoopBound<FrontHandler>

    init(front: NIOLoopBound<FrontHandler>) {
        self.front = front
    }

    // MARK: From the task

    /// Sends a response whose body is known, in one turn.
    func send(_ framing: ResponseFraming, _ buffers: [ByteBuffer]) {
        front.eventLoop.execute { self.front.value.sendWhole(self, framing, buffers) }
    }

    func begin(_ framing: ResponseFraming) {
        if state.withLock({ $0.begin(framing) }) { schedule() }
    }

    /// Suspends only while more than 64 KiB wait or the socket takes nothing.
    func write(_ buffer: ByteBuffer) async throws {
        let appended = try state.withLock { state throws(ResponseError) in try state.append(buffer) }
        if appended.schedule { schedule() }
        if appended.isFull { try await waitForRoom() }
    }

    func finish(_ trailers: HTTPFields?) throws(ResponseError) {
        let headers = trailers.map { HTTPHeaders($0) }
        if try state.withLock({ state throws(ResponseError) in try state.finish(headers) }) { schedule() }
    }

    var isFinished: Bool { state.withLock { $0.phase == .finished } }

    /// The response cannot be completed: what was sent of it must not look whole.
    func abort(_ reason: RefusalReason?) {
        front.eventLoop.execute { self.front.value.abortResponse(self, reason) }
    }

    /// The handler asks for the body of a request that expects 100-continue.
    func wantsBody() {
        front.eventLoop.execute { self.front.value.sendContinue(self) }
    }

    func consumerHasRoom() {
        front.eventLoop.execute { self.front.value.consumerHasRoom(self) }
    }

    private func schedule() {
        front.eventLoop.execute { self.front.value.drain(self) }
    }

    private func waitForRoom() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                switch state.withLock({ $0.wait(continuation) }) {
                case .park: break
                case .resume: continuation.resume()
                case .fail(let error): continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            state.withLock { $0.cancel() }?.resume(throwing: CancellationError())
        }
    }

    // MARK: From the event loop

    func take(isWritable: Bool) -> OutboxState.Batch? {
        state.withLock { $0.take(isWritable: isWritable) }
    }

    func settle(isWritable: Bool) {
        state.withLock { $0.settle(isWritable: isWritable) }?.resume()
    }

    func close() {
        state.withLock { $0.close() }?.resume(throwing: ResponseError.connectionClosed)
    }
}

/// Writes a streamed response body into its outbox.
struct OutboxWriter: ResponseBodyWriter {
    let outbox: ResponseOutbox

    func write(_ buffer: ByteBuffer) async throws {
        try await outbox.write(buffer)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        try outbox.finish(trailingHeaders)
    }
}

/// Keeps a short response body until it is whole. Used by one task.
struct CollectingWriter: ResponseBodyWriter {
    final class Collected: Sendable {
        private let state = Mutex<(buffers: [ByteBuffer], bytes: Int)>(([], 0))

        func append(_ buffer: ByteBuffer, max: Int) throws(ResponseError) {
            let fits = state.withLock { state in
                state.bytes += buffer.readableBytes
                if state.bytes <= max, buffer.readableBytes > 0 { state.buffers.append(buffer) }
                return state.bytes <= max
            }
            if !fits { throw .lengthMismatch }
        }

        var content: (buffers: [ByteBuffer], bytes: Int) { state.withLock { $0 } }
    }

    let collected: Collected
    let length: Int

    func write(_ buffer: ByteBuffer) async throws {
        try collected.append(buffer, max: length)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
