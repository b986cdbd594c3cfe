internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The part of a ``RedisSubscriber`` that lives on its event loop: carries out what ``RedisSubscriberState`` decides. Loop-confined.
final class RedisSubscriberLink {
    private let url: RedisURL
    private let logger: Logger
    private let eventLoop: any EventLoop
    private let shared: RedisSubscriberShared
    private let observer: @Sendable (RedisSubscriberEvent) -> Void
    private let backoff = RedisBackoff()
    private var random = SystemRandomNumberGenerator()
    private var state: RedisSubscriberState
    private var channel: (any Channel)?
    /// Tells which channel speaks: an old one may still close after a new one was opened.
    private var generation = 0
    private var isTicking = false

    init(
        url: RedisURL, logger: Logger, eventLoop: any EventLoop, shared: RedisSubscriberShared,
        observer: @escaping @Sendable (RedisSubscriberEvent) -> Void
    ) {
        self.url = url
        self.logger = logger
        self.eventLoop = eventLoop
        self.shared = shared
        self.observer = observer
        state = RedisSubscriberState(
            addresses: url.addresses.count, credentials: url.password.map { password in (url.user.map { [$0] } ?? []) + [password] })
    }

    func handle(_ event: RedisSubscriberState.Event) {
        for action in state.apply(event) { perform(action) }
    }

    func stop(_ done: @escaping () -> Void) {
        let open = channel
        handle(.stop)
        guard let open else { return done() }
        open.closeFuture.assumeIsolated().whenComplete { _ in done() }
    }

    // MARK: What the channel tells

    func received(_ push: RedisPush, generation: Int) {
        guard generation == self.generation else { return }
        handle(.received(push))
        switch push {
        case .subscribed, .unsubscribed: shared.confirmed.withLock { $0 = state.confirmed }
        default: break
        }
    }

    func disconnected(_ reason: String, generation: Int) {
        guard generation == self.generation else { return }
        self.generation += 1
        channel = nil
        handle(.disconnected(reason))
    }

    // MARK: Private

    private func perform(_ action: RedisSubscriberState.Action) {
        switch action {
        case .connect: connect()
        case .disconnect:
            generation += 1
            channel?.close(promise: nil)
            channel = nil
        case .retry(let attempt):
            let pause = backoff.pause(attempt: attempt, random: &random)
            eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(pause)) { self.handle(.retryDue) }
        case .report(let health): report(health)
        case .send(let commands): send(commands)
        case .deliver(let message):
            shared.status.withLock { $0.messages += 1 }
            observer(.message(message))
        case .refuse(let refusal): observer(.refused(refusal))
        case .ready(let isGap):
            if isGap { shared.status.withLock { $0.gaps += 1 } }
            observer(.ready(isGap: isGap))
        case .complain(let reason): logger.error("redis subscription refused", metadata: ["reason": "\(reason)"])
        }
    }

    private func report(_ health: RedisHealth) {
        let before = shared.status.withLock { status in
            let before = status.health
            status.health = health
            if before != health { status.since = .now() }
            return before
        }
        switch health {
        case .ready: logger.info("redis subscription ready")
        case .unreachable(let reason), .notCluster(let reason):
            shared.confirmed.withLock { $0 = [] }
            if before != health { logger.warning("redis subscription lost", metadata: ["reason": "\(reason)"]) }
            if before == .ready { observer(.lost) }
        case .closed: shared.confirmed.withLock { $0 = [] }
        case .connecting: break
        }
    }

    private func connect() {
        generation += 1
        let generation = generation
        let link = NIOLoopBound(self, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(RedisLimits.connectMilliseconds))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(RedisPushHandler(link: link.value, generation: generation))
                }
            }
        let attempt =
            switch url.addresses[state.address] {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        attempt.hop(to: eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel) where generation == self.generation && !self.state.isClosed:
                self.channel = channel
                self.handle(.connected)
                self.tickLater()
            case .success(let channel): channel.close(promise: nil)
            case .failure(let error): self.handle(.connectFailed("\(error)"))
            }
        }
    }

    private func send(_ commands: [[String]]) {
        guard let channel else { return }
        var bytes = ByteBuffer()
        for words in commands {
            var command = RedisCommand()
            for word in words { command.append(word) }
            command.write(into: &bytes, incarnation: "")
        }
        channel.writeAndFlush(bytes, promise: nil)
    }

    private func tickLater() {
        guard !isTicking, !state.isClosed else { return }
        isTicking = true
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(RedisLimits.subscriberTickMilliseconds)) {
            self.isTicking = false
            guard self.channel != nil else { return }
            self.handle(.tick)
            self.tickLater()
        }
    }
}

/// Bytes of one channel → pushes → the link. Loop-confined; lives as long as its channel.
private final class RedisPushHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var parser = RedisPushParser()
    private var input = ByteBuffer()
    private let link: RedisSubscriberLink
    private let generation: Int

    init(link: RedisSubscriberLink, generation: Int) {
        self.link = link
        self.generation = generation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if input.readableBytes > 0 { input.writeBuffer(&bytes) } else { input = bytes }
        do throws(RedisFault) {
            while let push = try parser.next(&input) { link.received(push, generation: generation) }
            if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
        } catch {
            link.disconnected("what Redis says cannot be read: \(error)", generation: generation)
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
