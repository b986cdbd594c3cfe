public import Logging
public import NIOCore

/// One pipelined connection to Redis that comes back by itself.
///
/// All state lives on one event loop (``RedisLink``); this face may be used from anywhere. While there is no connection every
/// command fails at once with `.unreachable`. Commands are answered in the order in which they were submitted from one thread.
public final class RedisConnection: Sendable {
    public struct Configuration: Sendable {
        public var url: RedisURL
        /// From submitting a command to giving up on its reply.
        public var deadlineMilliseconds = RedisLimits.deadlineMilliseconds
        public var outstandingMax = RedisLimits.outstandingMax
        /// Bytes of one command.
        public var commandBytesMax = RedisLimits.commandBytesMax
        /// Sent on every new connection, before it is ready.
        public var preparation: [RedisCommand] = []
        public var logger: Logger
        package var backoff = RedisBackoff()

        public init(url: RedisURL, logger: Logger) {
            self.url = url
            self.logger = logger
        }
    }

    public let eventLoop: any EventLoop
    package let configuration: Configuration
    private let link: NIOLoopBoundBox<RedisLink>
    private let healthBox: RedisHealthBox

    public init(_ configuration: Configuration, on eventLoop: any EventLoop) {
        let health = RedisHealthBox()
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.healthBox = health
        self.link = .makeBoxSendingValue(
            RedisLink(configuration: configuration, eventLoop: eventLoop, health: health), eventLoop: eventLoop)
    }

    /// Whether commands are sent now. Any thread.
    public var health: RedisHealth { healthBox.current }

    /// `run_id` of the Redis process that was last connected to; empty before the first. Any thread.
    package var incarnation: String { healthBox.incarnation }

    /// True when the Redis that was last connected to is a node of a cluster. Any thread.
    package var isCluster: Bool { healthBox.isCluster }

    /// Which of its addresses was last connected to. Any thread.
    package var address: RedisURL.Address { healthBox.address ?? configuration.url.address }

    /// Connects and waits for the first outcome. After a throw the attempts go on in the background, so a server may start without
    /// its Redis and refuse runs until it is there.
    public func start() async throws(RedisFault) {
        let result: Result<Void, RedisFault> = await withCheckedContinuation { continuation in
            eventLoop.execute { self.link.value.start { continuation.resume(returning: $0) } }
        }
        try result.get()
    }

    /// As ``start()``, and waits for nothing.
    public func connect() { eventLoop.execute { self.link.value.start { _ in } } }

    /// Closes for good; whatever waits fails with `.closed`.
    public func close() async {
        await withCheckedContinuation { continuation in
            eventLoop.execute { self.link.value.stop { continuation.resume() } }
        }
    }

    /// Sends one command and waits for its reply. Not cancelled with the task: once sent, only the deadline ends it, because the
    /// caller must learn whether a grant was made.
    public func call(_ command: RedisCommand) async throws(RedisFault) -> RedisValue {
        let result = await withCheckedContinuation { continuation in
            submit(command) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Sends one command; `completion` runs on the event loop. Any thread; no hop if this already is the loop's.
    public func submit(_ command: RedisCommand, _ completion: @escaping @Sendable (Result<RedisValue, RedisFault>) -> Void) {
        if eventLoop.inEventLoop {
            link.value.submit(command, completion)
        } else {
            eventLoop.execute { self.link.value.submit(command, completion) }
        }
    }
}
