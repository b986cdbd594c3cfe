internal import DequeModule
internal import NIOCore
internal import NIOHTTP1

/// The last handler of an HTTP connection: takes its requests one at a time, gives those under the Engine.IO path to the
/// ingress and the others to the router, and hands the connection over on an upgrade.
///
/// What each event means is decided by ``FrontStateMachine``; this class only does it. Confined to the connection's
/// event loop. See `docs/architecture.md`, "One port".
final class FrontHandler: ChannelDuplexHandler, RemovableChannelHandler, SweptConnection {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    enum QueuedPart {
        case part(HTTPServerRequestPart)
        case failure(Refusal)
    }

    /// The request being served.
    enum Current {
        case none
        case engine(EngineExchange)
        case rest(RESTExchange, gathered: ByteBuffer?)
    }

    let shared: FrontShared
    let loop: FrontLoop
    let slot: FrontLoop.Slot
    /// Nil on a stream of HTTP/2, which is never upgraded.
    let codec: HTTPCodec?
    /// The stream of HTTP/2 that this front serves; nil on a connection of HTTP/1.1.
    let stream: HTTP2StreamHandler?
    var context: ChannelHandlerContext?

    var machine = FrontStateMachine()
    var current = Current.none
    var queue = Deque<QueuedPart>()
    private var isPumping = false
    private var readIsPending = false
    /// In a read cycle, writes are flushed once at its end.
    private var isReading = false
    var needsFlush = false
    /// Reserved for the body that is being gathered.
    private var reservedBytes = 0

    private var deadlines = FrontDeadlines()
    var requestEpoch: UInt32 = 0
    var writtenBytes = 0
    /// Something was decoded in this read cycle; if not, the bytes belong to an unfinished header.
    private var sawPart = false
    private var hasPartialHead = false

    init(shared: FrontShared, loop: FrontLoop, slot: FrontLoop.Slot, codec: HTTPCodec?, stream: HTTP2StreamHandler? = nil) {
        self.shared = shared
        self.loop = loop
        self.slot = slot
        self.codec = codec
        self.stream = stream
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        sawPart = true
        hasPartialHead = false
        accept(.part(unwrapInboundIn(data)))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !sawPart { hasPartialHead = true }
        sawPart = false
        isReading = false
        flushIfNeeded()
    }

    func read(context: ChannelHandlerContext) {
        if machine.withholdsRead { readIsPending = true } else { context.read() }
    }

    func resumeReading() {
        guard readIsPending, !machine.withholdsRead else { return }
        readIsPending = false
        context?.read()
    }

    /// Gives an arrived part to the machine, or to the queue behind the request that is being served.
    private func accept(_ part: QueuedPart) {
        switch machine.arrived(bytes: part.byteCount) {
        case .process: process(part)
        case .enqueue: queue.append(part)
        case .discard: break
        case .drop:
            shared.metrics.count(.pipeline)
            abandonAndClose()
        }
    }

    private func process(_ part: QueuedPart) {
        switch part {
        case .part(.head(let head)): begin(head)
        case .part(.body(let buffer)): receive(buffer)
        case .part(.end): endRequest()
        case .failure(let refusal): fail(refusal)
        }
    }

    /// Works off what was pipelined. A loop, not recursion: answers given at once would nest once per request.
    func pump() {
        guard !isPumping else { return }
        isPumping = true
        while machine.takesFromQueue, let part = queue.popFirst() {
            machine.tookFromQueue()
            process(part)
        }
        isPumping = false
        if queue.isEmpty { queue = Deque() }
        if machine.isOrphaned { abandonAndClose() }
        resumeReading()
    }

    // MARK: Flushing

    func flushIfNeeded() {
        guard needsFlush, !isReading, !isPumping else { return }
        needsFlush = false
        context?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        if case .engine(let exchange) = current, isWritable { exchange.relay?.clientHasRoom() }
        guard case .rest(let exchange, _) = current else { return }
        if isWritable { drain(exchange.outbox) }
        exchange.outbox.settle(isWritable: isWritable)
    }

    // MARK: Departures

    func channelInactive(context: ChannelHandlerContext) {
        machine.closed()
        queue = Deque()
        abandonCurrent()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        // The half message at the end of the input: the end itself is reported next.
        case HTTPParserError.invalidEOFState: break
        case let error as HTTPParserError: accept(.failure(Refusal(error)))
        case let error as ByteToMessageDecoderError:
            if case .dataReceivedInErrorState(_, let buffer) = error, machine.arrived(bytes: buffer.readableBytes) == .drop { close() }
        default: close()
        }
        flushIfNeeded()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as ChannelEvent:
            if event == .inputClosed { depart(machine.inputClosed()) } else if machine.inputIsClosed { close() }
        case is ChannelShouldQuiesceEvent: depart(machine.quiesce())
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func depart(_ departure: FrontStateMachine.Departure) {
        switch departure {
        case .none: break
        // An answer that the kernel has not taken yet leaves first: the end of the output is reported when it has, and
        // the write deadline covers a client that stalls.
        case .close: if machine.state == .idle { closeAfterFlush() } else if bufferedBytes == 0 { close() }
        case .abandonAndClose: abandonAndClose()
        }
    }

    /// - Returns: false when the server has no room for so much of a body.
    func reserve(_ bytes: Int) -> Bool {
        guard shared.reserve(bytes) else { return false }
        reservedBytes += bytes
        return true
    }

    /// The body is whole, or nobody wants it.
    func releaseReserved() {
        guard reservedBytes > 0 else { return }
        shared.release(reservedBytes)
        reservedBytes = 0
    }

    func abandonCurrent() {
        releaseReserved()
        let gone = current
        current = .none
        switch gone {
        case .none: break
        case .engine(let exchange): exchange.abandon(.connectionLost)
        case .rest(let exchange, _): exchange.cancel()
        }
    }

    func abandonAndClose() {
        machine.closed()
        queue = Deque()
        abandonCurrent()
        context?.close(promise: nil)
    }

    func close() {
        machine.closed()
        context?.close(promise: nil)
    }

    // MARK: Deadlines

    /// Written, but not yet taken by the kernel.
    private var bufferedBytes: Int {
        // A stream's channel does not know this option.
        if let stream { return stream.pendingBytes }
        return (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func sweep() -> FrontDeadlines.Verdict {
        let phase: FrontDeadlines.Phase
        switch machine.state {
        case .idle: phase = hasPartialHead ? .header : .idle
        case .open(let exchange) where exchange.isReceiving:
            phase = .body(received: exchange.bodyBytes, isWithheld: machine.withholdsRead)
        case .open: phase = .answering
        case .draining: phase = .draining
        case .upgraded, .closed: return .stay
        }
        return deadlines.sweep(phase, epoch: requestEpoch, bufferedBytes: bufferedBytes, writtenBytes: writtenBytes, shared.deadlines)
    }

    func overstayed(_ verdict: FrontDeadlines.Verdict) {
        switch verdict {
        case .stay: break
        case .idle, .linger, .handshakeDeadline: abandonAndClose()
        case .headerDeadline: refuseLate(.headerDeadline)
        case .bodyRate: refuseLate(.bodyRate)
        case .writeProgress:
            shared.metrics.count(.writeProgress)
            abandonAndClose()
        }
    }

    private func refuseLate(_ reason: RefusalReason) {
        let refusal = Refusal(status: .requestTimeout, reason: reason, message: "The request took too long to arrive.")
        fail(refusal)
    }
}

extension FrontHandler.QueuedPart {
    var byteCount: Int {
        if case .part(.body(let buffer)) = self { buffer.readableBytes } else { 0 }
    }
}
