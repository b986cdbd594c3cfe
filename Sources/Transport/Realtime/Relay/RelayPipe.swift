internal import NIOCore

/// One end of a two-way pipe of bytes: the end of the client's pipeline or of the peer's. What it reads its partner writes;
/// it reads while the partner's connection takes what is written. Both are confined to one event loop.
///
/// It knows nothing of WebSockets: heartbeats, limits and the closing handshake are the owner's.
final class RelayPipe: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var partner: RelayPipe?
    private var context: ChannelHandlerContext?
    private var readIsPending = false
    private var needsFlush = false
    private var inputIsClosed = false
    private var isEnding = false
    private var output: Output
    /// What came for an output that is not ready: the rest of one read, because nothing is read for it meanwhile.
    private var held = ByteBuffer()
    private var endIsHeld = false

    private enum Output {
        /// The decoder of HTTP is still there, and would take what is written for a request.
        case unready
        case open, closing, closed
    }

    private init(_ output: Output) {
        self.output = output
    }

    /// The client's end, and the peer's, which waits for its ``open()``.
    static func pair() -> (toClient: RelayPipe, toPeer: RelayPipe) {
        let (client, peer) = (RelayPipe(.open), RelayPipe(.unready))
        (client.partner, peer.partner) = (peer, client)
        return (client, peer)
    }

    var isAttached: Bool { context != nil }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    /// From here on bytes may be written.
    func open() {
        guard output == .unready else { return }
        output = .open
        if held.readableBytes > 0 {
            write(held)
            held = ByteBuffer()
        }
        flush()
        if endIsHeld { closeOutput() }
        partner?.resumeReading()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Bytes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { partner?.write(unwrapInboundIn(data)) }
    func channelReadComplete(context: ChannelHandlerContext) { partner?.flush() }

    func read(context: ChannelHandlerContext) {
        if partner?.takesMore ?? true { context.read() } else { readIsPending = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.resumeReading() }
        context.fireChannelWritabilityChanged()
    }

    private var takesMore: Bool { output != .unready && context?.channel.isWritable ?? false }

    private func resumeReading() {
        guard readIsPending, partner?.takesMore ?? true else { return }
        readIsPending = false
        context?.read()
    }

    private func write(_ bytes: ByteBuffer) {
        guard let context, !isEnding else { return }
        guard output != .unready else {
            held.writeImmutableBuffer(bytes)
            return
        }
        needsFlush = true
        context.write(wrapOutboundOut(bytes), promise: nil)
    }

    private func flush() {
        guard needsFlush else { return }
        needsFlush = false
        context?.flush()
    }

    // MARK: Ends

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            inputIsClosed = true
            partner?.closeOutput()
            if partner?.inputIsClosed ?? true { finish() }
        case is ChannelShouldQuiesceEvent:
            // The session lives on elsewhere, but its WebSocket cannot: the client comes back through another node.
            partner?.finish()
            finish()
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        depart()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        depart()
        context.close(promise: nil)
    }

    private func depart() {
        isEnding = true
        let left = partner
        partner = nil
        left?.partner = nil
        left?.finish()
    }

    /// The other side says no more: what it said leaves first.
    private func closeOutput() {
        if output == .unready { endIsHeld = true }
        guard let context, !isEnding, output == .open else { return }
        flush()
        output = .closing
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let closed = context.eventLoop.makePromise(of: Void.self)
        closed.futureResult.whenComplete { _ in bound.value.outputClosed() }
        context.close(mode: .output, promise: closed)
        linger()
    }

    private func outputClosed() {
        output = .closed
        if isEnding { context?.close(promise: nil) }
    }

    /// Closes when everything written is with the kernel, or when that has taken too long.
    private func finish() {
        guard let context, !isEnding else { return }
        isEnding = true
        switch output {
        // The last bytes are on their way already.
        case .closing: return
        case .closed, .unready: return context.close(promise: nil)
        case .open: break
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
        linger()
    }

    /// A peer that does not take its last bytes, or does not close its own side, is cut.
    private func linger() {
        guard let context else { return }
        let channel = context.channel
        let late = context.eventLoop.scheduleTask(in: .seconds(RelayLimits.lingerSeconds)) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in late.cancel() }
    }
}
