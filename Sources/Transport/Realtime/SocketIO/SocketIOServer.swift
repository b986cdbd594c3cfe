package import JSON
public import Logging
public import NIOCore
public import Telemetry
internal import TransportWire

/// A Socket.IO v5 server over Engine.IO v4, and where ``TransportConfiguration/allowEIO3`` says so for clients of Socket.IO 2
/// too. Any thread.
///
/// It opens no port itself: ``serve(host:port:page:onListening:)`` and ``RealtimeServer`` do, and give it every request under
/// ``TransportConfiguration/path``.
public final class SocketIOServer: Sendable {
    /// What the server was made with.
    public let configuration: TransportConfiguration
    let eventLoopGroup: any EventLoopGroup
    let metrics: MetricRegistry
    let logger: Logger
    private let hub: SocketHub
    private let engine: EngineServer

    /// A server on event loops that are there already, for instance those of the rest of an application.
    ///
    /// - Parameters:
    ///   - eventLoopGroup: the loops that the front's connections run on.
    ///   - cluster: the way to the other servers, if there are any.
    ///   - peers: where they are, so that requests of their sessions are sent on to them; their ids are those that
    ///     ``TransportConfiguration/nodeID`` gives to each. Without it such a request is of an unknown session.
    public init(
        configuration: TransportConfiguration, eventLoopGroup: any EventLoopGroup, cluster: (any ClusterPort)? = nil,
        peers: (any PeerDirectory)? = nil, metrics: MetricRegistry, logger: Logger
    ) {
        self.configuration = configuration
        self.eventLoopGroup = eventLoopGroup
        self.metrics = metrics
        self.logger = logger
        let eventLoops = Array(eventLoopGroup.makeIterator())
        hub = SocketHub(SocketServices(configuration: configuration, eventLoops: eventLoops, cluster: cluster, metrics: metrics))
        engine = EngineServer(
            configuration: configuration, application: hub, eventLoopGroup: eventLoopGroup, peers: peers, metrics: metrics,
            logger: logger)
    }

    // MARK: Namespaces

    /// The namespace, made when it is first asked for. Names begin with a slash; `/` is the main one. A name that the
    /// pattern of a dynamic namespace matches is made as its child (S17).
    public func namespace(_ name: String) -> Namespace { hub.directory.namespace(name) }

    /// Lets clients make the namespaces whose names match a pattern (S17): `*` stands for any characters but a slash, at
    /// least one. `/orders-*` matches `/orders-12`, and neither `/orders-` nor `/orders-12/items`.
    ///
    /// - Parameters:
    ///   - keepsEmpty: keeps a child that its last socket has left. Otherwise it is forgotten, as is one whose first
    ///     client was refused by a middleware.
    ///   - childrenMax: how many children there may be at once. Beyond it a client is told "Invalid namespace".
    public func namespaces(
        matching pattern: String, keepsEmpty: Bool = false, childrenMax: Int = TransportLimits.dynamicNamespacesMax
    ) throws(NamespacePatternError) -> DynamicNamespace {
        hub.directory.add(DynamicNamespace(.pattern(try NamespacePattern(pattern)), keepsEmpty: keepsEmpty, childrenMax: childrenMax))
    }

    /// Lets clients make the namespaces that `predicate` admits (S17). It is asked for every client, with the name and
    /// the client's auth, also when the child is there already; dynamic namespaces are asked in the order in which they
    /// were made. See ``namespaces(matching:keepsEmpty:childrenMax:)`` for the rest.
    public func namespaces(
        keepsEmpty: Bool = false, childrenMax: Int = TransportLimits.dynamicNamespacesMax,
        where predicate: @escaping DynamicNamespace.Predicate
    ) -> DynamicNamespace {
        hub.directory.add(DynamicNamespace(.predicate(predicate), keepsEmpty: keepsEmpty, childrenMax: childrenMax))
    }

    /// Hears of every namespace that is made from now on, before its first socket joins: the place to register what is
    /// special about it. Must not block; runs on some thread.
    public func onNewNamespace(_ hook: @escaping @Sendable (Namespace) -> Void) { hub.directory.onNewNamespace(hook) }

    // MARK: Cluster

    /// Does what another server of the cluster says. A namespace that is not here is nobody's.
    public func perform(_ command: ClusterCommand, namespace name: String) async {
        guard let namespace = hub.directory.existing(name) else { return }
        if case .serverSideEmit(let event, let arguments) = command {
            _ = await namespace.table.handlers.serverSide[event]?(arguments)
        } else {
            namespace.perform(command)
        }
    }

    /// Answers what another server of the cluster asks.
    public func answer(_ question: ClusterQuestion, namespace name: String, timeout: Duration) async -> ClusterAnswers {
        guard let namespace = hub.directory.existing(name) else { return ClusterAnswers() }
        switch question {
        case .emit(let event, let arguments, let target, _):
            let gathered = await namespace.ask(event, arguments, target, timeout: timeout)
            return ClusterAnswers(values: gathered.answers, missing: gathered.missing)
        case .fetchSockets(let target):
            return ClusterAnswers(sockets: await namespace.snapshots(of: target))
        case .serverSideEmit(let event, let arguments):
            guard let handler = namespace.table.handlers.serverSide[event] else { return ClusterAnswers(missing: 1) }
            return ClusterAnswers(values: [await handler(arguments)])
        }
    }

    /// As ``perform(_:namespace:)`` for what needs no waiting, done when it returns; a `serverSideEmit` does nothing here.
    package func performAtOnce(_ command: ClusterCommand, namespace name: String) {
        hub.directory.existing(name)?.perform(command)
    }

    package func has(namespace name: String) -> Bool { hub.directory.existing(name) != nil }

    /// Sends an event to the sockets here and tells of their answers as they come (S23); returns when all are in, or the time is over.
    ///
    /// - Parameter onCount: called once, with the number of receivers.
    package func ask(
        _ event: String, _ arguments: [JSONValue], _ target: BroadcastTarget, namespace name: String, timeout: Duration,
        onCount: @escaping @Sendable (Int) -> Void, onAnswer: @escaping @Sendable (JSONValue) -> Void
    ) async {
        guard let namespace = hub.directory.existing(name) else { return onCount(0) }
        let observer = AnswerObserver(parts: hub.services.eventLoops.count, onCount: onCount, answered: onAnswer)
        _ = await namespace.ask(event, arguments, target, timeout: timeout, observer: observer)
    }

    /// The rooms of a namespace that have members here.
    package func roomNames(namespace name: String) async -> [String] { await hub.directory.existing(name)?.roomNames() ?? [] }

    // MARK: Life

    /// Hears of every refused request, on some event loop (E6).
    public func onRefusal(_ observer: @escaping @Sendable (HandshakeRefusal) -> Void) { engine.onRefusal(observer) }

    /// Tells whoever wants a session 503 with `Retry-After`, so that it goes to another server. Those that there are go on.
    public func refuseSessions() { engine.refuseSessions() }

    /// Takes no new session, and closes those that there are one after the other, in random order, so that their clients do not all come to
    /// the other servers at once (attack 29). Stock clients reconnect by themselves. Cancelled, it closes all at once.
    ///
    /// - Parameter sparesFeeds: asked all the time; while it says yes, sessions with an open ``Feed`` stay.
    public func drain(_ policy: DrainPolicy, sparesFeeds: @escaping @Sendable () -> Bool = { false }) async {
        await engine.drain(policy, sparesBusy: sparesFeeds)
    }

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

/// What the sessions of a server are opened with.
final class SocketHub: SessionApplication {
    let services: SocketServices
    let directory: NamespaceDirectory
    private let wireLimits = WireLimits()
    private let wireLimits3 = WireLimits(namespaceBytes: WireLimits().namespaceBytes + TransportLimits.namespaceQueryBytesMax)

    init(_ services: SocketServices) {
        self.services = services
        directory = NamespaceDirectory(services)
        guard let recovery = services.recovery else { return }
        // Held weakly: the hub holds its cluster.
        recovery.stream?.open(duration: recovery.policy.maxDisconnectionDuration, retention: recovery.retention) { [weak self] readings in
            guard let self else { return }
            services.recovery?.receive(readings, directory, services)
        }
    }

    /// A namespace of revision 3 may have a query behind it (L5).
    func wireLimits(_ revision: EngineIORevision) -> WireLimits { revision == .three ? wireLimits3 : wireLimits }

    func opened(_ session: EngineSession) -> any SessionDelegate { SocketConnection(session: session, hub: self) }
}
