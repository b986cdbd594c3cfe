internal import NIOCore
internal import NIOPosix

/// Who has a ``RedisLine``. Both are confined to the same event loop.
protocol RedisLineOwner: AnyObject, SendableMetatype {
    associatedtype Word

    /// `connected`, `connectFailed`, `disconnected` or `retryDue`.
    func lineChanged(_ event: RedisLinkState.Event)
    func received(_ word: Word)
}

/// The one connection that a link has at a time: opens it, loses it, and waits before the next. Loop-confined.
///
/// What an old connection still says, or that it ends, is not told: it may close after a new one was opened. An owner that has let go of
/// its line stays as long as a connection or a pause is its own.
final class RedisLine {
    private let eventLoop: any EventLoop
    private let backoff: RedisBackoff
    private var random = SystemRandomNumberGenerator()
    private var channel: (any Channel)?
    /// Of the connection that is open, or being opened.
    private var generation = 0

    init(on eventLoop: any EventLoop, backoff: RedisBackoff) {
        self.eventLoop = eventLoop
        self.backoff = backoff
    }

    var isOpen: Bool { channel != nil }

    /// Kept when the connection that is open now has ended; at once when there is none.
    var ended: EventLoopFuture<Void> { channel?.closeFuture ?? eventLoop.makeSucceededVoidFuture() }

    /// - Parameter reader: what takes words out of the connection's bytes; each connection has its own.
    func open<Owner: RedisLineOwner, Reader: RedisReader & ~Copyable>(
        _ address: RedisURL.Address, reader: Reader.Type, for owner: Owner
    ) where Reader.Word == Owner.Word {
        generation += 1
        let generation = generation
        let bound = NIOLoopBound((line: self, owner: owner), eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(RedisLimits.connectMilliseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (line, owner) = bound.value
                    let handler = try RedisChannelHandler<Reader, Owner>(line, owner, generation: generation)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        let attempt =
            switch address {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        attempt.hop(to: eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel) where generation == self.generation:
                self.channel = channel
                owner.lineChanged(.connected)
            case .success(let channel): channel.close(promise: nil)
            case .failure(let error): owner.lineChanged(.connectFailed("\(error)"))
            }
        }
    }

    /// Nothing without a connection.
    func write(_ bytes: ByteBuffer) { channel?.writeAndFlush(bytes, promise: nil) }

    /// Without a word to the owner, who wants it.
    func close() {
        generation += 1
        channel?.close(promise: nil)
        channel = nil
    }

    /// Tells the owner when the pause before another attempt is over.
    func retry(attempt: Int, for owner: some RedisLineOwner) {
        let pause = backoff.pause(attempt: attempt, random: &random)
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pause)) { owner.lineChanged(.retryDue) }
    }

    // MARK: What a channel tells

    fileprivate func isCurrent(_ generation: Int) -> Bool { generation == self.generation }

    /// False for one that counts no more.
    fileprivate func hasEnded(_ generation: Int) -> Bool {
        guard isCurrent(generation) else { return false }
        self.generation += 1
        channel = nil
        return true
    }
}

/// Bytes of one channel → words → the line's owner. Loop-confined; lives as long as its channel.
private final class RedisChannelHandler<Reader: RedisReader & ~Copyable, Owner: RedisLineOwner>: ChannelInboundHandler
where Reader.Word == Owner.Word {
    typealias InboundIn = ByteBuffer

    private var reader: Reader
    private let line: RedisLine
    private let owner: Owner
    private let generation: Int

    init(_ line: RedisLine, _ owner: Owner, generation: Int) throws(RedisFault) {
        reader = try Reader()
        self.line = line
        self.owner = owner
        self.generation = generation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(RedisFault) {
            try reader.feed(unwrapInboundIn(data))
            while let word = try reader.next() {
                if line.isCurrent(generation) { owner.received(word) }
            }
        } catch {
            end("what Redis says cannot be read: \(error)")
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end("the connection was closed by Redis")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end("\(error)")
        context.close(promise: nil)
    }

    private func end(_ reason: String) {
        if line.hasEnded(generation) { owner.lineChanged(.disconnected(reason)) }
    }
}
