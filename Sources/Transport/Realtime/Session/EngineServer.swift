package import Logging
package import NIOCore
internal import NIOHTTP1
internal import Synchronization
package import Telemetry
internal import TransportWire

/// The Engine.IO server, of revision 4 and where it is allowed 3: judges every request under the path (E1–E8, E38), opens sessions, and finds the session of
/// a request. Any thread; what belongs to a loop is in its ``LoopShard``.
package final class EngineServer: Sendable {
    package let configuration: TransportConfiguration
    let timing: SessionStateMachine.Timing
    let metrics: EngineMetrics
    /// The initial packet as every session is sent it (E10).
    let initialFrame: ByteBuffer?
    let node: UInt32
    let peers: (any PeerDirectory)?
    let addresses: AddressLimiter
    private let application: any SessionApplication
    private let registry = SessionRegistry()
    private let shards: [(eventLoop: any EventLoop, shard: NIOLoopBoundBox<LoopShard>)]
    private let logger: Logger
    private let observer = Mutex<(@Sendable (HandshakeRefusal) -> Void)?>(nil)
    private let isDraining = Atomic<Bool>(false)

    package init(
        configuration: TransportConfiguration, application: any SessionApplication, eventLoopGroup: any EventLoopGroup,
        peers: (any PeerDirectory)? = nil, metrics: MetricRegistry, logger: Logger
    ) {
        self.configuration = configuration
        self.application = application
        self.peers = peers
        self.logger = logger
        self.metrics = EngineMetrics(metrics)
        addresses = AddressLimiter(configuration, metrics: metrics, logger: logger)
        initialFrame = configuration.initialPacket.map { packet in
            switch packet {
            case .text(let text): WebSocketFrameWriter.textFrame(prefix: UInt8(ascii: "4"), payload: ByteBuffer(string: text))
            case .binary(let bytes): WebSocketFrameWriter.frame(.binary, payload: ByteBuffer(bytes: bytes))
            }
        }
        let shortest = min(configuration.pingInterval, configuration.pingTimeout, configuration.connectTimeout)
        // A twelfth of the shortest wait: late enough to be cheap, early enough for a peer's own watchdog (E14).
        let granularity = TimeAmount.nanoseconds(min(max(shortest.timeAmount.nanoseconds / 12, 5_000_000), 250_000_000))
        timing = SessionStateMachine.Timing(
            pingInterval: configuration.pingInterval.timeAmount, pingTimeout: configuration.pingTimeout.timeAmount,
            upgradeTimeout: configuration.upgradeTimeout.timeAmount,
            closeTimeout: .seconds(TransportLimits.pollingCloseSeconds), tolerance: granularity * 2)
        node = configuration.nodeID ?? UInt32.random(in: 0..<1 << 24)
        shards = eventLoopGroup.makeIterator().map { eventLoop in
            (
                eventLoop,
                NIOLoopBoundBox.makeBoxSendingValue(LoopShard(eventLoop: eventLoop, granularity: granularity), eventLoop: eventLoop)
            )
        }
    }

    /// Hears of every refusal, on some event loop (E6).
    package func onRefusal(_ observer: @escaping @Sendable (HandshakeRefusal) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    func count(_ refusal: HandshakeRefusal) {
        metrics.count(refusal)
        logger.debug("request refused", metadata: ["code": "\(refusal.code.rawValue)", "context": .string(refusal.context)])
        observer.withLock { $0 }?(refusal)
    }

    func newID() -> SessionID { SessionID.random(node: node) }

    package var eventLoops: [any EventLoop] { shards.map(\.eventLoop) }

    /// The shard of a loop of the group; nil for a loop that is none of ours.
    func shard(of eventLoop: any EventLoop) -> LoopShard? {
        shards.first { $0.eventLoop === eventLoop }?.shard.value
    }

    func forget(_ session: EngineSession, _ reason: CloseReason) {
        registry.remove(session.id)
        addresses.close(session.seat)
        metrics.sessions.subtract()
        metrics.count(reason)
        // Never its id, which is a secret (attack 23).
        logger.debug("session closed", metadata: ["reason": .string(reason.label)])
    }

    func find(_ id: SessionID) -> SessionRegistry.Entry? { registry.find(id) }

    /// Refuses new sessions, and closes those that there are, after what waits for them has been sent.
    package func shutdown(_ reason: CloseReason) async {
        for closing in beginShutdown(reason) { try? await closing.get() }
    }

    @discardableResult
    private func beginShutdown(_ reason: CloseReason) -> [EventLoopFuture<Void>] {
        isDraining.store(true, ordering: .relaxed)
        return shards.map { eventLoop, shard in
            eventLoop.submit {
                for session in shard.value.sessions { session.close(reason) }
            }
        }
    }

    package func quiesce() { beginShutdown(.serverShutdown) }

    /// From now on whoever wants a session is told 503. Those that there are go on.
    package func refuseSessions() { isDraining.store(true, ordering: .relaxed) }

    func sessions() -> [SessionRegistry.Entry] { registry.all }
    var hasSessions: Bool { registry.count > 0 }

    // MARK: Opening

    func open(_ session: EngineSession) {
        registry.insert(
            session.id,
            SessionRegistry.Entry(
                session: NIOLoopBound(session, eventLoop: session.eventLoop), eventLoop: session.eventLoop, seat: session.seat))
        metrics.sessions.add()
        if session.form.revision == .three { metrics.revision3.add() }
        session.shard.add(session)
        session.open(application)
    }

    func record(_ request: any EngineIORequest, _ query: EngineQuery) -> SessionRequest {
        SessionRequest(
            url: request.head.uri, headers: SessionRequest.worthKeeping(request.head.headers), query: query.others,
            address: addressText(of: request), isSecure: request.isSecure, issued: WallClock.milliseconds)
    }

    /// Of the client, as far as proxies that are trusted say who that is.
    private func addressText(of request: any EngineIORequest) -> String {
        let peer = request.remoteAddress?.ipAddress ?? ""
        guard !configuration.trustedProxies.isEmpty, let client = addresses.client(of: request) else { return peer }
        return client == ClientAddress(request.remoteAddress) ? peer : client.description
    }

    /// Whether there is no place for another session; counted when so.
    func refusesSessions() -> Bool {
        if isDraining.load(ordering: .relaxed) {
            metrics.refusedDraining.add()
            return true
        }
        guard registry.count >= TransportLimits.sessionsMax else { return false }
        metrics.refusedFull.add()
        return true
    }
}
