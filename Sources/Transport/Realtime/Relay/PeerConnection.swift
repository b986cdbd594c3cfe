internal import NIOCore
internal import NIOHTTP1

/// A TCP connection to another node: carries one relayed request at a time, and waits in the pool between two. Confined to
/// the event loop of the clients that it serves.
final class PeerConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    let address: PeerAddress
    private let pool: PeerPool
    private let gate = InputGate()
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private var context: ChannelHandlerContext?
    private var readIsPending = false
    /// The request that is being answered.
    var relay: Relay?
    /// In the pool since then.
    var idleSince = NIODeadline.distantPast

    init(_ address: PeerAddress, pool: PeerPool) {
        self.address = address
        self.pool = pool
        var encoding = HTTPRequestEncoder.Configuration()
        encoding.automaticallySetFramingHeaders = false
        encoder = HTTPRequestEncoder(configuration: encoding)
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = FrontLimits.headerFieldBytesMax
        limits.maxHeaderListSize = FrontLimits.headerListBytesMax
        limits.maxHeaderFieldCount = FrontLimits.headerFieldsMax
        decoder = ByteToMessageHandler(
            HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop, limitConfiguration: limits))
    }

    /// Adds the codec and itself to a new channel.
    func install(in channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(gate)
        try pipeline.addHandler(encoder)
        try pipeline.addHandler(decoder)
        try pipeline.addHandler(self)
    }

    var isUsable: Bool { context?.channel.isActive ?? false }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func send(_ head: HTTPRequestHead, _ body: ByteBuffer) {
        guard let context else { return }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func close() {
        relay = nil
        context?.close(promise: nil)
    }

    // MARK: Reading

    /// Reads no more of an answer than its client takes.
    func read(context: ChannelHandlerContext) {
        if relay?.clientIsFull == true { readIsPending = true } else { context.read() }
    }

    func resumeReading() {
        guard readIsPending else { return }
        readIsPending = false
        context?.read()
    }

    var withholdsRead: Bool { readIsPending }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // An answer that nobody asked for: the connection cannot be trusted with another request.
        guard let relay else { return close() }
        relay.received(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) { relay?.readComplete() }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        ended()
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        ended()
        context.close(promise: nil)
    }

    private func ended() {
        pool.forget(self)
        relay?.peerEnded()
    }

    // MARK: Upgrade

    /// Leaves the connection to `handler`. What the peer sent early stays in the decoder until it is removed, and then
    /// reaches `handler` in a read cycle of its own.
    func handOver(to handler: RelayPipe) {
        relay = nil
        guard let context else { return }
        let channel = context.channel
        let pipeline = context.pipeline.syncOperations
        gate.hold()
        do {
            pipeline.removeHandler(encoder, promise: nil)
            try pipeline.addHandler(handler, position: .last)
            pipeline.removeHandler(self, promise: nil)
        } catch {
            // Only a channel that is closing refuses a handler.
            return channel.close(promise: nil)
        }
        let bound = NIOLoopBound((handler, gate), eventLoop: channel.eventLoop)
        pipeline.removeHandler(decoder).whenSuccess {
            let (handler, gate) = bound.value
            handler.open()
            gate.open()
            // Told to it alone: TLS passes on no end of a cycle in which nothing came.
            if let context = try? channel.pipeline.syncOperations.context(handler: handler) {
                handler.channelReadComplete(context: context)
            }
            channel.read()
        }
    }
}

/// Between the socket and the decoder: holds the end of the input back while the decoder is being taken out. A decoder that
/// hears of the end lets go of what follows the 101, and the close frame of a refused WebSocket would be lost (E32).
private final class InputGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private var context: ChannelHandlerContext?
    private var isHolding = false
    private var inputIsClosed = false
    private var isInactive = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func hold() { isHolding = true }

    func open() {
        isHolding = false
        if inputIsClosed { context?.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        if isInactive { context?.fireChannelInactive() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isHolding, case .inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isHolding { isInactive = true } else { context.fireChannelInactive() }
    }
}
