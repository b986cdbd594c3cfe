public import Logging
public import NIOCore
internal import Synchronization

/// What a subscriber tells its user, on its event loop.
public enum RedisSubscriberEvent: Sendable {
    case message(RedisMessage)
    case refused(RedisMessageRefusal)
    /// It listens. With a gap, what was published while there was no connection has been lost: pub/sub keeps nothing.
    case ready(isGap: Bool)
    /// It does not listen any more, and connects again by itself.
    case lost
}

/// How a subscriber is doing.
public struct RedisSubscriberStatus: Sendable {
    public var health = RedisHealth.connecting
    /// When the health last changed.
    public var since = NIODeadline.now()
    /// Messages since it was made.
    public var messages = 0
    /// Times that it came back after a loss.
    public var gaps = 0
}

/// One connection to Redis that listens to channels, and comes back by itself with all its subscriptions.
///
/// All state lives on one event loop (``RedisSubscriberLink``); this face may be used from anywhere. It is bounded by reading: what its
/// user does with a message is done before the next is read, and Redis drops a reader that is too slow (`client-output-buffer-limit
/// pubsub`), which is a gap. In a cluster any node will do: there every node hears of everything that is published.
public final class RedisSubscriber: Sendable {
    public let eventLoop: any EventLoop
    private let link: NIOLoopBoundBox<RedisSubscriberLink>
    private let shared: RedisSubscriberShared

    /// - Parameter observer: runs on the event loop, in the order of what comes; must not block.
    public init(
        url: RedisURL, logger: Logger, on eventLoop: any EventLoop, observer: @escaping @Sendable (RedisSubscriberEvent) -> Void
    ) {
        let shared = RedisSubscriberShared()
        self.eventLoop = eventLoop
        self.shared = shared
        link = .makeBoxSendingValue(
            RedisSubscriberLink(url: url, logger: logger, eventLoop: eventLoop, shared: shared, observer: observer), eventLoop: eventLoop)
    }

    /// Any thread.
    public var status: RedisSubscriberStatus { shared.status.withLock { $0 } }

    /// Whether Redis has confirmed this subscription on the connection that there is. Any thread.
    public func listens(to topic: RedisTopic) -> Bool { shared.confirmed.withLock { $0.contains(topic) } }

    /// Connects, and waits for nothing.
    public func connect() { eventLoop.execute { self.link.value.handle(.link(.start)) } }

    /// Wants these from now on. Nothing that is wanted already is subscribed to again; more than ``RedisLimits/topicsMax`` are refused
    /// with a line in the log.
    public func subscribe(_ topics: [RedisTopic]) { eventLoop.execute { self.link.value.handle(.subscribe(topics)) } }

    public func unsubscribe(_ topics: [RedisTopic]) { eventLoop.execute { self.link.value.handle(.unsubscribe(topics)) } }

    /// Closes for good.
    public func close() async {
        await withCheckedContinuation { continuation in
            eventLoop.execute { self.link.value.stop { continuation.resume() } }
        }
    }
}

/// What any thread may see of a subscriber; a short `Mutex` for each.
final class RedisSubscriberShared: Sendable {
    let status = Mutex(RedisSubscriberStatus())
    let confirmed = Mutex<Set<RedisTopic>>([])
}
