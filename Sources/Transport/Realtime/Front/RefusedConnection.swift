internal import NIOCore

/// Serves a connection above the limit: a 503 at once, then the end, without reading what the client wants. Confined to
/// its event loop.
final class RefusedConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Long enough for the answer to arrive; then the descriptor is needed.
    private static let linger = TimeAmount.seconds(1)

    func channelActive(context: ChannelHandlerContext) {
        let body = ErrorBody.json(status: 503, message: "The server has no room for more connections.")
        var answer = ByteBuffer()
        answer.writeString(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n"
                + "Retry-After: 5\r\nConnection: close\r\nx-request-id: \(RequestIdentifier.make())\r\n\r\n")
        answer.writeBytes(body)
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: Self.linger) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
