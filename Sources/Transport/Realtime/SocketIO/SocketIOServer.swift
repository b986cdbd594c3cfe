public import Logging
public import NIOCore
internal import Synchronization
public import Telemetry
internal import TransportWire

/// A Socket.IO v5 server over Engine.IO v4. Any thread.
///
/// It opens no port: the HTTP front gives it every request under ``TransportConfiguration/path``.
public final class SocketIOServer: Sendable {
    public let configuration: TransportConfiguration
    private let hub: SocketHub
    private let engine: EngineServer

    /// - Parameter eventLoopGroup: the loops that the front's connections run on.
    public init(configuration: TransportConfiguration, eventLoopGroup: any EventLoopGroup, metrics: MetricRegistry, logger: Logger) {
        self.configuration = configuration
        hub = SocketHub(configuration: configuration, eventLoops: Array(eventLoopGroup.makeIterator()), metrics: metrics)
        engine = EngineServer(
            configuration: configuration, application: hub, eventLoopGroup: eventLoopGroup, metrics: metrics, logger: logger)
    }

    /// The namespace, made when it is first asked for. Names begin with a slash; `/` is the main one.
    public func namespace(_ name: String) -> Namespace { hub.namespace(name) }

    /// Hears of every refused request, on some event loop (E6).
    public func onRefusal(_ observer: @escaping @Sendable (HandshakeRefusal) -> Void) { engine.onRefusal(observer) }

    /// Takes no new session and closes all, with what waits for them sent first.
    public func shutdown(reason: DisconnectReason = .serverShuttingDown) async {
        await engine.shutdown(reason == .serverShuttingDown ? .serverShutdown : .forcedClose)
    }
}

extension SocketIOServer: EngineIOIngress {
    package func announce(_ request: any EngineIORequest) { engine.announce(request) }
    package func receive(_ request: any EngineIORequest) { engine.receive(request) }
    package func receiveUpgrade(_ request: any EngineIORequest) { engine.receiveUpgrade(request) }
    package func quiesce() { engine.quiesce() }
}

/// The namespaces of a server, and what its sessions share.
final class SocketHub: SessionApplication {
    let connectTimeout: TimeAmount
    let ackTimeout: Duration
    let wireLimits = WireLimits()
    let sockets: Metric
    let parseErrors: Metric
    let refusedRooms: Metric
    private let eventLoops: [any EventLoop]
    private let namespaces = Mutex<[String: Namespace]>([:])

    init(configuration: TransportConfiguration, eventLoops: [any EventLoop], metrics: MetricRegistry) {
        connectTimeout = configuration.connectTimeout.timeAmount
        ackTimeout = configuration.ackTimeout
        self.eventLoops = eventLoops
        sockets = metrics.gauge("kdcube_sockets", "Sockets that have joined a namespace.")
        parseErrors = metrics.counter("kdcube_socketio_parse_errors_total", "Sessions closed because of a malformed Socket.IO packet.")
        refusedRooms = metrics.counter("kdcube_rooms_refused_total", "Joins refused because a socket is in too many rooms.")
    }

    func namespace(_ name: String) -> Namespace {
        namespaces.withLock { namespaces in
            if let found = namespaces[name] { return found }
            let made = Namespace(name: name, eventLoops: eventLoops)
            namespaces[name] = made
            return made
        }
    }

    func find(_ name: String) -> Namespace? { namespaces.withLock { $0[name] } }

    func opened(_ session: EngineSession) -> any SessionDelegate { SocketConnection(session: session, hub: self) }
}
