internal import NIOCore
internal import NIOHTTP2

/// Stands between a stream and its front, and makes the stream behave as a connection does: it knows what has not been taken yet, and
/// closing the output means what it means there. Confined to the connection's event loop.
final class HTTP2StreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Bytes of the answer that were written and that the kernel has not taken: they wait for the client's window or for its socket.
    private(set) var pendingBytes = 0
    private let whenTaken: (Int) -> Void
    private var requestEnded = false
    /// The end of the answer was written; done when the kernel has it.
    private var end: EventLoopFuture<Void>?

    /// - Parameter whenTaken: told how many bytes of the answer the kernel has taken.
    init(whenTaken: @escaping (Int) -> Void) {
        self.whenTaken = whenTaken
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let headers): if headers.endStream { requestEnded = true }
        case .data(let data): if data.endStream { requestEnded = true }
        default: break
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Over HTTP/1.1 an empty part after the end asks whether all has been taken. Here nothing may follow the end.
        if let end { return end.cascade(to: promise) }
        let (bytes, isLast) = Self.weight(unwrapOutboundIn(data))
        guard bytes > 0 || isLast else { return context.write(data, promise: promise) }
        let taken = promise ?? context.eventLoop.makePromise()
        pendingBytes += bytes
        taken.futureResult.assumeIsolated().whenComplete { _ in
            self.pendingBytes -= bytes
            self.whenTaken(bytes)
        }
        if isLast { end = taken.futureResult }
        context.write(data, promise: taken)
    }

    private static func weight(_ payload: HTTP2Frame.FramePayload) -> (bytes: Int, isLast: Bool) {
        switch payload {
        case .data(let data): (data.data.readableBytes, data.endStream)
        case .headers(let headers): (0, headers.endStream)
        default: (0, false)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            // A stream may not end in the turn in which it begins: it has not been announced to all.
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            return context.eventLoop.execute { bound.value.close(mode: mode, promise: promise) }
        }
        promise?.succeed()
        guard !requestEnded, let end else { return }
        // The answer is whole: the client need not send the rest of its request (RFC 9113 §8.1). Not before all of it has left, which a reset
        // would throw away.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let boundContext = NIOLoopBound(context, eventLoop: context.eventLoop)
        end.whenSuccess {
            guard !bound.value.requestEnded else { return }
            let context = boundContext.value
            context.writeAndFlush(bound.value.wrapOutboundOut(.rstStream(.noError)), promise: nil)
        }
    }
}
