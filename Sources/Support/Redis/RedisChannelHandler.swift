internal import NIOCore

/// Bytes of one channel → replies → the link. Loop-confined; lives as long as its channel.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var parser: RedisParser
    private let link: RedisLink
    /// Tells the link which of its channels speaks: an old one may still close after a new one was opened.
    private let generation: Int

    init(link: RedisLink, generation: Int) throws(RedisFault) {
        self.parser = try RedisParser()
        self.link = link
        self.generation = generation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        do throws(RedisFault) {
            try buffer.withUnsafeReadableBytes { bytes throws(RedisFault) in try parser.feed(bytes) }
            while let reply = try parser.next() { link.received(reply, generation: generation) }
        } catch {
            link.disconnected("a reply cannot be read: \(error)", generation: generation)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        link.disconnected("the connection was closed by Redis", generation: generation)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        link.disconnected("\(error)", generation: generation)
        context.close(promise: nil)
    }
}
