internal import NIOCore
internal import NIOHTTP1

/// What a streamed response has written and its event loop has not yet taken. Pure, apart from the continuation it keeps.
struct OutboxState {
    enum Phase: Equatable {
        case open
        /// The handler said that it wrote everything.
        case finished
        /// The exchange is over: every further write fails.
        case closed
    }

    /// What goes to the channel in one turn.
    struct Batch {
        var head: ResponseFraming?
        var buffers: [ByteBuffer]
        var isLast: Bool
        var trailers: HTTPHeaders?
    }

    private(set) var phase = Phase.open
    private var head: ResponseFraming?
    private var buffers: [ByteBuffer] = []
    private(set) var bytes = 0
    private var trailers: HTTPHeaders?
    /// Bytes of the declared length that are still owed; nil when none was declared.
    private var owedBytes: Int?
    private var isScheduled = false
    private var isWritable = true
    private var isCancelled = false
    private var waiter: CheckedContinuation<Void, any Error>?

    private var isFull: Bool { bytes > FrontLimits.outboxBytesMax || !isWritable }

    /// - Returns: whether a turn of the event loop must be asked for.
    private mutating func schedule() -> Bool {
        guard !isScheduled else { return false }
        isScheduled = true
        return true
    }

    mutating func begin(_ framing: ResponseFraming) -> Bool {
        head = framing
        if case .length(let length) = framing.body { owedBytes = length }
        return schedule()
    }

    mutating func append(_ buffer: ByteBuffer) throws(ResponseError) -> (schedule: Bool, isFull: Bool) {
        guard phase == .open else { throw phase == .finished ? .afterEnd : .connectionClosed }
        if let owed = owedBytes {
            guard buffer.readableBytes <= owed else { throw .lengthMismatch }
            owedBytes = owed - buffer.readableBytes
        }
        guard buffer.readableBytes > 0 else { return (false, false) }
        buffers.append(buffer)
        bytes += buffer.readableBytes
        return (schedule(), isFull)
    }

    mutating func finish(_ trailers: HTTPHeaders?) throws(ResponseError) -> Bool {
        guard phase == .open else { throw phase == .finished ? .afterEnd : .connectionClosed }
        guard owedBytes ?? 0 == 0 else { throw .lengthMismatch }
        self.trailers = trailers
        phase = .finished
        return schedule()
    }

    /// Takes everything for the channel, unless the channel can take nothing.
    mutating func take(isWritable: Bool) -> Batch? {
        isScheduled = false
        self.isWritable = isWritable
        guard phase != .closed, isWritable || head != nil else { return nil }
        guard head != nil || !buffers.isEmpty || phase == .finished else { return nil }
        let batch = Batch(head: head, buffers: buffers, isLast: phase == .finished, trailers: trailers)
        head = nil
        buffers.removeAll(keepingCapacity: true)
        bytes = 0
        return batch
    }

    /// The channel took a batch, or became writable, or not. - Returns: the writer to resume.
    mutating func settle(isWritable: Bool) -> CheckedContinuation<Void, any Error>? {
        self.isWritable = isWritable
        return isFull ? nil : waiter.take()
    }

    enum Wait { case park, resume, fail(any Error) }

    /// A writer that found the outbox full wants to wait until it is not.
    mutating func wait(_ continuation: CheckedContinuation<Void, any Error>) -> Wait {
        if isCancelled { return .fail(CancellationError()) }
        if phase == .closed { return .fail(ResponseError.connectionClosed) }
        guard isFull else { return .resume }
        precondition(waiter == nil, "a response has one writer at a time")
        waiter = continuation
        return .park
    }

    mutating func cancel() -> CheckedContinuation<Void, any Error>? {
        isCancelled = true
        return waiter.take()
    }

    mutating func close() -> CheckedContinuation<Void, any Error>? {
        phase = .closed
        head = nil
        buffers = []
        bytes = 0
        return waiter.take()
    }
}

/// Why a response cannot be written on.
enum ResponseError: Error, Equatable {
    case connectionClosed
    case lengthMismatch
    case afterEnd
}
