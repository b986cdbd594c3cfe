internal import DequeModule
internal import NIOCore
internal import NIOHTTP1

/// The handlers that turn bytes into HTTP parts and back, kept so that an upgrade can take them out.
struct HTTPCodec {
    let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    let encoder: HTTPResponseEncoder

    init() {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = FrontLimits.headerFieldBytesMax
        limits.maxHeaderListSize = FrontLimits.headerListBytesMax
        limits.maxHeaderFieldCount = FrontLimits.headerFieldsMax
        decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop, limitConfiguration: limits))
        var encoding = HTTPResponseEncoder.Configuration()
        encoding.automaticallySetFramingHeaders = false
        encoder = HTTPResponseEncoder(configuration: encoding)
    }
}

extension FrontHandler {
    /// Answers 101 and leaves the connection to `handler`. What the client sent early stays in the decoder until it is
    /// removed, and then reaches `handler` as bytes in a read cycle of its own.
    func upgrade(headers: HTTPHeaders, handler: any ChannelInboundHandler & RemovableChannelHandler) {
        guard let context, let codec, machine.upgrade() else { return abortConnection() }
        current = .none
        queue.removeAll()
        slot.front = nil
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)

        let channel = context.channel
        let isQuiescing = machine.isQuiescing
        let pipeline = context.pipeline.syncOperations
        do {
            pipeline.removeHandler(codec.encoder, promise: nil)
            try pipeline.addHandler(handler, position: .last)
            pipeline.removeHandler(self, promise: nil)
        } catch {
            // Only a channel that is closing refuses a handler.
            return channel.close(promise: nil)
        }
        pipeline.removeHandler(codec.decoder).assumeIsolated().whenSuccess {
            // Without the end of a read cycle nothing would flush what the handler answers to early bytes. Told to it alone: TLS passes on no
            // end of a cycle in which nothing came.
            if let context = try? channel.pipeline.syncOperations.context(handler: handler) {
                handler.channelReadComplete(context: context)
            }
            channel.read()
            // The shutdown was announced to this handler, before the new one was there to hear it.
            if isQuiescing { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        }
    }
}
