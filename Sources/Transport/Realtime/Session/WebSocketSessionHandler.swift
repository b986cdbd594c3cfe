package import NIOCore
internal import TransportWire

/// The end of a WebSocket's pipeline: bytes in, whole messages to the session; whole frames out. Confined to the loop
/// of its connection, which is nearly always the session's too.
///
/// What the connection does not take is queued here and counted in bytes; a reader that lets the queue reach
/// `queueBytesMax` is disconnected. One flush answers everything that one read brought, and one flush a turn of the
/// loop everything else.
package final class WebSocketSessionHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private enum State {
        case waiting, open
        /// A close frame has been sent; what else comes is discarded.
        case closing
        case closed
    }

    private let link: SessionLink
    private let shard: LoopShard
    private let queueBytesMax: Int
    private let metrics: EngineMetrics
    private var parser: WebSocketParser
    private let deflate: MessageDeflate?
    private var input = ByteBuffer()
    private var state = State.waiting
    private var context: ChannelHandlerContext?
    private var queue = CircularBuffer<ByteBuffer>(initialCapacity: 0)
    private var queuedBytes = 0
    private var needsFlush = false
    /// The last batch of a session on another loop that waits to be taken.
    private var waitingBatch: UInt64?
    /// Between the first bytes of a read and its end, when everything is flushed.
    private(set) var isReading = false
    private var ownsCork = false
    private var isPaused = false
    private var hasPeerClosed = false
    private var hasToldEnd = false

    init(
        link: SessionLink, shard: LoopShard, configuration: TransportConfiguration, deflate: DeflateAgreement?, metrics: EngineMetrics
    ) {
        self.link = link
        self.shard = shard
        self.metrics = metrics
        queueBytesMax = configuration.queueBytesMax
        let limit = configuration.maxPayload
        parser = WebSocketParser(limits: WebSocketLimits(messageBytes: limit), allowsCompression: deflate != nil)
        self.deflate = deflate.map {
            MessageDeflate($0, threshold: configuration.deflate?.threshold ?? 0, messageBytesMax: limit, shared: shard.deflate)
        }
    }

    var eventLoop: any EventLoop { shard.eventLoop }
    var hasRoom: Bool { queue.isEmpty && (context?.channel.isWritable ?? false) }
    var isDrained: Bool { queue.isEmpty }
    var isGone: Bool { state == .closed }

    // MARK: Pipeline

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        state = .open
        link.connected(self, eventLoop: context.eventLoop)
        drain()
        flush()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        gone(isError: true)
        self.context = nil
    }

    package func channelInactive(context: ChannelHandlerContext) {
        gone(isError: false)
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        gone(isError: true)
        context.close(promise: nil)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            // The peer will not send a close frame any more.
            gone(isError: false)
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state != .closed else { return }
        isReading = true
        input.append(read: unwrapInboundIn(data))
        parse(context)
        // Keeps nothing between messages: an idle connection holds no buffer.
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        link.readComplete(self)
        flush()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            drain()
            flush()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: In

    private func parse(_ context: ChannelHandlerContext) {
        do throws(WebSocketFailure) {
            while let event = try parser.next(&input) {
                switch event {
                case .text(let message): if state == .open { link.received(message, isBinary: false, from: self) }
                case .binary(let message): if state == .open { link.received(message, isBinary: true, from: self) }
                case .deflated(let message, let isText):
                    guard state == .open, let deflate else { continue }
                    link.received(try deflate.expand(message, isText: isText), isBinary: !isText, from: self)
                case .ping(let payload): if state == .open { write(WebSocketFrameWriter.frame(.pong, payload: payload)) }
                case .pong: break
                case .close(let code, _): peerClosed(code, context)
                }
            }
        } catch {
            metrics.count(error)
            close(code: error.closeCode)
            tellEnd(isError: true)
        }
    }

    /// The closing handshake (RFC 6455 §5.5.1): the peer's code is echoed, then the connection is closed.
    private func peerClosed(_ code: UInt16?, _ context: ChannelHandlerContext) {
        hasPeerClosed = true
        if state == .open { close(code: code) } else { context.close(promise: nil) }
        tellEnd(isError: false)
    }

    /// Stops or resumes reading from the connection.
    func setReading(_ isOn: Bool) {
        guard let context, state == .open, isPaused == isOn else { return }
        isPaused = !isOn
        context.channel.setOption(.autoRead, value: isOn).whenFailure { _ in }
    }

    private func tellEnd(isError: Bool) {
        guard !hasToldEnd else { return }
        hasToldEnd = true
        link.ended(self, isError: isError)
    }

    /// The connection is broken or closed.
    private func gone(isError: Bool) {
        state = .closed
        releaseCork()
        queue = CircularBuffer(initialCapacity: 0)
        queuedBytes = 0
        input = ByteBuffer()
        tellEnd(isError: isError)
    }

    // MARK: Out

    /// Queues whole frames. They leave with the next ``flush()``.
    func write(_ frames: ByteBuffer) {
        guard state == .open || state == .waiting else { return }
        let frames = deflate?.compress(frames) ?? frames
        guard queue.isEmpty, let context, context.channel.isWritable else { return enqueue(frames) }
        needsFlush = true
        if isReading, frames.readableBytes <= TransportLimits.corkBytesMax { return gather(frames, context) }
        pullCork(context)
        context.write(wrapOutboundOut(frames), promise: nil)
    }

    private func enqueue(_ frames: ByteBuffer) {
        queue.append(frames)
        queuedBytes += frames.readableBytes
        if queuedBytes > queueBytesMax { link.overflowed(self) }
    }

    /// Small frames that answer one read are copied into one buffer: cheaper than an entry in the channel's list each.
    private func gather(_ frames: ByteBuffer, _ context: ChannelHandlerContext) {
        if ownsCork, shard.cork.readableBytes + frames.readableBytes > TransportLimits.corkBytesMax { pullCork(context) }
        if !ownsCork {
            guard !shard.isCorkTaken else { return context.write(wrapOutboundOut(frames), promise: nil) }
            shard.cork.clear()
            shard.isCorkTaken = true
            ownsCork = true
        }
        shard.cork.writeImmutableBuffer(frames)
    }

    private func pullCork(_ context: ChannelHandlerContext) {
        guard ownsCork else { return }
        context.write(wrapOutboundOut(shard.cork), promise: nil)
        releaseCork()
    }

    private func releaseCork() {
        guard ownsCork else { return }
        ownsCork = false
        shard.isCorkTaken = false
    }

    func flush() {
        guard needsFlush, !isReading, let context else { return }
        needsFlush = false
        pullCork(context)
        context.flush()
    }

    /// Moves the queue into the channel while the channel takes it.
    private func drain() {
        guard let context, state == .open else { return }
        let hadQueue = !queue.isEmpty
        while context.channel.isWritable, let frames = queue.popFirst() {
            queuedBytes -= frames.readableBytes
            context.write(wrapOutboundOut(frames), promise: nil)
            needsFlush = true
        }
        guard queue.isEmpty else { return }
        if hadQueue { queue = CircularBuffer(initialCapacity: 0) }
        if let batch = waitingBatch {
            waitingBatch = nil
            link.took(batch, self)
        }
        link.drained(self)
    }

    /// Frames from a session on another loop.
    func take(_ frames: [ByteBuffer], batch: UInt64) {
        for frames in frames { write(frames) }
        flush()
        if hasRoom { link.took(batch, self) } else { waitingBatch = batch }
    }

    // MARK: End

    /// The session is over with this WebSocket: nothing of it is heard any more.
    func close(_ reason: CloseReason) { close(code: reason.webSocketCode) }

    private func close(code: UInt16?) {
        guard let context, state == .open || state == .waiting else { return }
        // What waited is abandoned: the session flushes first when it wants it sent.
        queue = CircularBuffer(initialCapacity: 0)
        queuedBytes = 0
        pullCork(context)
        state = .closing
        let channel = context.channel
        // Half-closed, so that the close frame is not lost to a reset; the peer's end or the shard closes the rest.
        let mode: CloseMode = hasPeerClosed ? .all : .output
        context.writeAndFlush(wrapOutboundOut(WebSocketFrameWriter.close(code: code))).whenComplete { _ in
            channel.close(mode: mode, promise: nil)
        }
        shard.linger(self)
    }

    /// The peer did not close its side in time.
    func cut() {
        guard state == .closing else { return }
        context?.close(promise: nil)
    }
}
