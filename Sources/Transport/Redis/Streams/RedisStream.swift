internal import JSON
internal import Logging
internal import NIOCore
internal import RedisClient
internal import Synchronization
internal import Telemetry
internal import Transport

/// Recovery over a stream of Redis, in the format of @socket.io/redis-streams-adapter.
///
/// Three parts: commands on their way (here), what is read (RedisStream+read) and sockets that are kept (RedisStream+sessions). Any
/// thread; a `Mutex` guards the state and is held for one step, and nothing is sent or called while it is. Two connections: one that
/// writes, pipelined, so that what one thread sends stands there in its order; one whose reads wait. The decisions are in ADR 27.
final class RedisStream: RecoveryStream {
    struct Settings: Sendable {
        let duration: Duration
        let retention: Duration
        let receiver: @Sendable ([RecoveryReading]) -> Void
    }

    enum Item: Sendable {
        case command(ClusterCommand, namespace: String)
        case mark(StreamCodec.Mark)
        /// A mark that somebody waits for until the deadline.
        case awaited(deadline: NIODeadline, @Sendable (RecoveryOffset?) -> Void)
    }

    enum Phase: Sendable {
        /// Nobody wants it, or it has ended.
        case off
        /// Until the first outcome of connecting what is sent waits.
        case starting
        case on
    }

    struct State: Sendable {
        var phase = Phase.off
        var settings: Settings?
        var pending = PendingEntries<Item>()
        var held: [(number: UInt64, fields: StreamCodec.Fields)] = []
        /// Something was not taken: said in the stream as soon as that is possible.
        var owesGap = false
        /// This server's first mark was read: it reads along.
        var isLive = false
        var sessions = SessionQueue()
        /// Sockets that were found to be gone from Redis.
        var doubtful: Set<SessionID> = []
        var farewell: CheckedContinuation<Void, Never>?
    }

    let uid: String
    let name: String
    let entriesMax: Int
    let logger: Logger
    let writer: RedisConnection
    let reader: RedisConnection
    let metrics: StreamMetrics
    let clusterMetrics: ClusterMetrics
    let state = Mutex(State())

    init(
        _ configuration: RedisCluster.Configuration, uid: String, on eventLoop: any EventLoop, _ registry: MetricRegistry,
        _ metrics: ClusterMetrics
    ) {
        self.uid = uid
        name = configuration.key
        entriesMax = configuration.streamEntriesMax
        logger = configuration.logger
        clusterMetrics = metrics
        self.metrics = StreamMetrics(registry)
        var writing = RedisConnection.Configuration(url: configuration.url, logger: configuration.logger)
        // Beside the commands a look-up for each client that comes back, in a wave.
        writing.outstandingMax = 2 * StreamLimits.pendingMax + StreamLimits.sessionsOnTheWayMax
        writing.commandBytesMax = StreamLimits.entryBytesMax + 4_096
        writer = RedisConnection(writing, on: eventLoop)
        var reading = RedisConnection.Configuration(url: configuration.url, logger: configuration.logger)
        reading.deadlineMilliseconds = StreamLimits.blockMilliseconds + StreamLimits.replyMilliseconds
        reader = RedisConnection(reading, on: eventLoop)
    }

    // MARK: RecoveryStream

    func open(duration: Duration, retention: Duration, receiver: @escaping @Sendable ([RecoveryReading]) -> Void) {
        state.withLock { state in
            state.phase = .starting
            state.settings = Settings(duration: duration, retention: retention, receiver: receiver)
        }
    }

    var isOpen: Bool { state.withLock { $0.phase != .off } }

    var isReady: Bool { writer.health == .ready && reader.health == .ready && state.withLock { $0.isLive } }

    func send(_ command: ClusterCommand, namespace: String) -> Bool {
        let fields = StreamCodec.fields(of: command, namespace: namespace)
        guard fields.data.count <= StreamLimits.entryBytesMax else {
            if case .emit(_, _, let target, _) = command { sendMark(.lost(target, namespace: namespace)) }
            return false
        }
        return send(.command(command, namespace: namespace), fields)
    }

    func afterSent(_ body: @escaping @Sendable () -> Void) {
        let waits = state.withLock { state in state.pending.follow(body) }
        if !waits { body() }
    }

    // MARK: Sending

    func sendMark(_ mark: StreamCodec.Mark) { _ = send(.mark(mark), StreamCodec.fields(of: mark)) }

    func send(_ item: Item, _ fields: StreamCodec.Fields) -> Bool {
        let isReachable = writer.health == .ready
        var owed = false
        let number = state.withLock { state -> UInt64? in
            guard state.phase != .off else { return nil }
            guard state.phase == .starting || isReachable, let number = state.pending.append(item, bytes: fields.data.count) else {
                if item.isOwed { state.owesGap = true }
                return nil
            }
            guard state.phase == .on else {
                state.held.append((number, fields))
                return 0
            }
            owed = state.owesGap
            state.owesGap = false
            return number
        }
        guard let number else { return false }
        if owed { sendMark(.gap) }
        if number > 0 { submit(number, fields) }
        return true
    }

    private func submit(_ number: UInt64, _ fields: StreamCodec.Fields) {
        writer.submit(Self.add(fields, to: name, uid, entriesMax, number: number)) { [self] result in
            switch result {
            case .success: metrics.sent.add()
            case .failure: failed(number)
            }
        }
    }

    static func add(
        _ fields: StreamCodec.Fields, to name: String, _ uid: String, _ entriesMax: Int, id: String = "*", number: UInt64? = nil
    ) -> RedisCommand {
        var command = RedisCommand("XADD", name, "MAXLEN", "~", String(entriesMax), id)
        for word in ["uid", StreamCodec.writer, "nsp", fields.namespace, "type", fields.type, "data"] { command.append(word) }
        command.append(fields.data)
        if let number {
            command.append(StreamCodec.numberField)
            command.append(StreamCodec.signature(number, uid: uid))
        }
        return command
    }

    /// Redis has not taken it, or perhaps it has and did not say so: then it is not delivered here a second time when it is read.
    func failed(_ number: UInt64) {
        let (settled, settings) = state.withLock { state -> (PendingEntries<Item>.Settled?, Settings?) in
            let settled = state.pending.settle(number)
            if settled?.item.isOwed == true { state.owesGap = true }
            return (settled, state.settings)
        }
        guard let settled else { return }
        switch settled.item {
        case .command(let command, let namespace): settings?.receiver([.unstored(command, namespace: namespace)])
        case .mark: break
        case .awaited(_, let done): done(nil)
        }
        for follower in settled.followers { follower() }
    }

    // MARK: Life

    /// Connects and reads along until it is cancelled; then leaves. Once.
    func run() async {
        guard let settings = state.withLock({ $0.phase == .starting ? $0.settings : nil }) else { return }
        reader.connect()
        // Without Redis the server starts all the same; the attempts go on.
        try? await writer.start()
        try? await reader.start()
        if writer.isCluster {
            logger.error("recovery over several servers needs one Redis; on a Redis Cluster sockets do not come back")
            finish()
        } else {
            sendMark(.start)
            letGo()
            await withTaskGroup { group in
                group.addTask { await self.readAlong(settings) }
                // A read that waits ends with its connection.
                group.addTask {
                    while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
                    await self.reader.close()
                }
            }
            finish()
            await farewell()
        }
        await reader.close()
        await writer.close()
    }

    /// What was held leaves, in its order; then what is sent leaves at once.
    private func letGo() {
        while true {
            let held = state.withLock { state -> [(number: UInt64, fields: StreamCodec.Fields)] in
                if state.held.isEmpty, state.phase == .starting { state.phase = .on }
                defer { state.held = [] }
                return state.held
            }
            if held.isEmpty { return }
            for entry in held { submit(entry.number, entry.fields) }
        }
    }

    private func finish() {
        let numbers = state.withLock { state in
            state.phase = .off
            state.isLive = false
            state.held = []
            return state.pending.numbers { _ in true }
        }
        metrics.ready.set(0)
        for number in numbers { failed(number) }
    }
}

extension RedisStream.Item {
    /// Whoever was away misses it, if it is not in the stream.
    fileprivate var isOwed: Bool {
        switch self {
        case .command, .mark(.gap), .mark(.lost): true
        case .mark, .awaited: false
        }
    }
}
