internal import JSON
public import Logging
public import NIOCore
public import RedisClient
internal import Synchronization
public import Telemetry
public import Transport

/// The servers that are there, by what somebody else knows of them: with it a server that has stopped is not waited for.
public protocol ClusterRoll: Sendable {
    /// The adapter's ``RedisCluster/uid`` of every server that is alive, this one too. Any thread.
    var uids: Set<String> { get }
}

/// Several servers as one, over the publish and subscribe of a Redis, in the format of @socket.io/redis-adapter: servers of Node.js with
/// that adapter are members like any other, and every publisher in the format of @socket.io/redis-emitter is heard, as are
/// python-socketio's write-only managers.
///
/// Pub/sub keeps nothing: while a server has no connection it neither hears the others nor is heard, which is counted. Any thread; the
/// state is in short `Mutex`es, what arrives is worked off on the event loop of its connection.
///
/// Source: socketio.md §3.1, §3.2, §3.6 in the order of its sentences; the decisions are in ADR 19.
public final class RedisCluster: ClusterPort, RecoveringCluster {
    /// Where the Redis is, and how the cluster speaks there.
    public struct Configuration: Sendable {
        /// The Redis that every server of the cluster uses.
        public var url: RedisURL
        /// What the channels' names begin with; the option `key` of the other servers' adapter.
        public var key = "socket.io"
        /// The channel of python-socketio's managers; nil: it is not listened to.
        public var pythonChannel: String? = "socketio"
        /// Who the other servers are; nil: whoever subscribes.
        public var roll: (any ClusterRoll)?
        /// Entries that Redis keeps, roughly, of the stream of ``key`` for clients that come back; the option `maxLen` of the streams
        /// adapter. Used where the server recovers connections.
        public var streamEntriesMax = StreamLimits.entriesMax
        /// Where the loss of the connection is told.
        public var logger: Logger

        /// The defaults, to be changed property by property.
        public init(url: RedisURL, logger: Logger) {
            self.url = url
            self.logger = logger
        }
    }

    /// What a channel that is subscribed to by its name is for.
    enum Place: Sendable {
        case request(String)
        case response
        case python
    }

    struct Waiting: Sendable {
        var inquiry: ClusterInquiry
        /// Ended with the last answer.
        let done: AsyncStream<Never>.Continuation
    }

    typealias Job = @Sendable () async -> Void

    /// Marks the ids of servers that listen to a channel of their own for answers. Node.js servers have six letters or digits.
    static let uidPrefix = "kdc-"

    /// Names this server among the others.
    public let uid: String
    let configuration: Configuration
    let channels: ClusterChannels
    let metrics: ClusterMetrics
    let publisher: RedisConnection
    let subscriber: RedisSubscriber
    let stream: RedisStream
    let inquiries = Mutex<[String: Waiting]>([:])
    let answering = Atomic<Int>(0)
    /// Questions of others that are answered now.
    let jobs: AsyncStream<Job>.Continuation
    /// Events of others for this server, one after the other.
    let events: AsyncStream<Job>.Continuation
    private let jobQueue: AsyncStream<Job>
    private let eventQueue: AsyncStream<Job>
    private let attached = Mutex(Attached())
    private let places = Mutex<[String: Place]>([:])
    private let sending = Atomic<Int>(0)
    let seen = Mutex(ClusterSeen())

    private struct Attached { weak var server: SocketIOServer? }

    /// A cluster that is not connected yet: ``run()`` connects it.
    ///
    /// - Parameter eventLoop: carries its connections.
    public init(_ configuration: Configuration, on eventLoop: any EventLoop, metrics registry: MetricRegistry) {
        var generator = SystemRandomNumberGenerator()
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        uid = Self.uidPrefix + String((0..<12).map { _ in letters[Int.random(in: letters.indices, using: &generator)] })
        self.configuration = configuration
        channels = ClusterChannels(key: configuration.key)
        metrics = ClusterMetrics(registry)
        var publishing = RedisConnection.Configuration(url: configuration.url, logger: configuration.logger)
        // The name of the channel comes on top.
        publishing.commandBytesMax = ClusterLimits.messageBytesMax + 4_096
        publisher = RedisConnection(publishing, on: eventLoop)
        stream = RedisStream(configuration, uid: uid, on: eventLoop, registry, metrics)
        (jobQueue, jobs) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(ClusterLimits.answeringMax))
        (eventQueue, events) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(ClusterLimits.serverSideQueueMax))
        let ear = Ear()
        subscriber = RedisSubscriber(url: configuration.url, logger: configuration.logger, on: eventLoop) { ear.cluster?.heard($0) }
        ear.set(self)
        subscriber.subscribe([.matchingNames(beginningWith: channels.broadcasts)])
        if let channel = configuration.pythonChannel {
            places.withLock { $0[channel] = .python }
            subscriber.subscribe([.channel(channel)])
        }
    }

    /// Sets whose sockets this is about. Held weakly: the server holds its port.
    public func attach(_ server: SocketIOServer) { attached.withLock { $0.server = server } }

    var server: SocketIOServer? { attached.withLock { $0.server } }

    /// Connects and serves until it is cancelled; then leaves. Once.
    public func run() async {
        publisher.connect()
        subscriber.connect()
        await withTaskGroup { group in
            group.addTask { for await event in self.eventQueue { await event() } }
            group.addTask { await self.stream.run() }
            group.addTask {
                await withDiscardingTaskGroup { group in
                    for await job in self.jobQueue { group.addTask { await job() } }
                }
            }
        }
        await subscriber.close()
        await publisher.close()
        metrics.connected.set(0)
    }

    /// How the listening connection is doing. Any thread.
    public var status: RedisSubscriberStatus { subscriber.status }

    /// Whether this server hears the others in the namespace, is counted by them, and can speak to them. Any thread.
    public func takesPart(in namespace: String) -> Bool {
        publisher.health == .ready && topics(namespace).allSatisfy { subscriber.listens(to: $0) }
            && subscriber.listens(to: .matchingNames(beginningWith: channels.broadcasts)) && (!stream.isOpen || stream.isReady)
    }

    package var recoveryStream: any RecoveryStream { stream }

    // MARK: Namespaces

    /// Subscribes to the namespace's channels.
    public func opened(namespace: String) {
        places.withLock { places in
            places[channels.request(namespace)] = .request(namespace)
            places[channels.response(namespace)] = .response
            places[channels.response(namespace, to: uid)] = .response
        }
        subscriber.subscribe(topics(namespace))
    }

    /// Lets the namespace's channels go.
    public func closed(namespace: String) {
        let topics = topics(namespace)
        places.withLock { places in
            for case .channel(let name) in topics { places[name] = nil }
        }
        subscriber.unsubscribe(topics)
    }

    private func topics(_ namespace: String) -> [RedisTopic] {
        [channels.request(namespace), channels.response(namespace), channels.response(namespace, to: uid)].map { .channel($0) }
    }

    func place(_ channel: String) -> Place? { places.withLock { $0[channel] } }

    // MARK: Sending

    /// Publishes a command for the other servers. Dropped while the connection is lost.
    public func send(_ command: ClusterCommand, namespace: String) {
        switch command {
        case .emit(let event, let arguments, let target, let flags):
            guard target.rooms != [] else { return }
            let message = ClusterBroadcast(
                uid: uid, namespace: namespace, event: event, arguments: arguments, target: target, flags: flags)
            let rooms = Set(target.rooms ?? [])
            publish(
                ClusterEncoder.broadcast(message), to: channels.broadcast(namespace, room: rooms.count == 1 ? rooms.first : nil))
        case .serverSideEmit(let event, let arguments): send(.serverSideEmit(event, arguments), namespace)
        case .join(_, let target), .leave(_, let target), .disconnect(_, let target):
            // An empty list means nobody here, and everybody there.
            guard target.rooms != [] else { return }
            send(.command(command, socket: nil), namespace)
        }
    }

    private func send(_ body: ClusterRequest.Body, _ namespace: String) {
        let request = ClusterRequest(uid: uid, id: nil, body: body)
        publish(ClusterEncoder.request(request, namespace: namespace), to: channels.request(namespace))
    }

    /// - Parameter failed: called when Redis did not take it.
    func publish(_ bytes: [UInt8], to channel: String, failed: @escaping @Sendable () -> Void = {}) {
        let metrics = metrics
        func miss(_ reason: ClusterMetrics.Unsent) {
            metrics.miss(reason)
            failed()
        }
        guard bytes.count <= ClusterLimits.messageBytesMax else { return miss(.tooLong) }
        let size = bytes.count
        guard sending.wrappingAdd(size, ordering: .relaxed).newValue <= ClusterLimits.sendingBytesMax else {
            sending.wrappingSubtract(size, ordering: .relaxed)
            return miss(.overloaded)
        }
        var command = RedisCommand("PUBLISH", channel)
        command.append(bytes)
        publisher.submit(command) { [sent = metrics.sent, self] result in
            sending.wrappingSubtract(size, ordering: .relaxed)
            switch result {
            case .success: return sent.add()
            case .failure(.overloaded): metrics.miss(.overloaded)
            case .failure: metrics.miss(.unreachable)
            }
            failed()
        }
    }
}

/// What the subscriber calls, made before the cluster is.
private final class Ear: Sendable {
    private struct Held { weak var cluster: RedisCluster? }
    private let held = Mutex(Held())

    var cluster: RedisCluster? { held.withLock { $0.cluster } }
    func set(_ cluster: RedisCluster) { held.withLock { $0.cluster = cluster } }
}
