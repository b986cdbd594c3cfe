internal import Accounting
internal import AccountingBoard
internal import AccountingRedis
internal import AsyncHTTPClient
internal import Engine
internal import EngineProviders
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import RedisClient
internal import ServiceLifecycle
internal import Supervisor
internal import Telemetry
internal import Transport
internal import TransportRedis
internal import TransportWire
internal import UnixSignals

/// Everything that a server process is made of, and the order in which it lives and dies.
struct ServerGraph {
    let configuration: Configuration
    let logger: Logger

    /// Builds, serves until a graceful shutdown has ended, and takes everything down again.
    ///
    /// - Parameter onReady: told the port once clients can connect.
    func run(onReady: @escaping @Sendable (Int) -> Void) async throws {
        let started = WallClock.now()
        try configuration.stores.checkServable()
        let registry = MetricRegistry()
        let stores = try Stores(
            configuration.stores, metrics: configuration.stores.postgres.isEmpty ? nil : PostgresMetricsBinding(registry))
        let budgets = try ConfiguredBudgets(configuration.budgets, in: stores.budgets)
        // Before it is read: what comes later is a change.
        let priceFile = FileIdentity(configuration.priceFile)
        let prices = try Prices.load(configuration.priceFile, models: configuration.models)
        let certificate = try CertificateWatch(
            configuration.server.tls, connectsToPeers: configuration.transport.cluster, registry: registry, logger: logger)
        let tokens = try TokenKeys(configuration.tokens, registry: registry, logger: logger)
        for notice in configuration.notices { logger.notice("setting without effect", metadata: ["setting": "\(notice)"]) }

        do {
            try await stores.ping()
            try await budgets.apply()
        } catch {
            // An embedded database that cannot be written will not come back by itself; a Postgres will.
            guard case .postgres = stores.durable else { throw error }
            logger.error("Postgres cannot be used; runs are refused until it can", metadata: ["fault": "\(error)"])
        }

        let group = MultiThreadedEventLoopGroup.singleton
        let metrics = ServerMetrics(registry)
        let counters = try await Counters(stores, logger: logger)
        let node = "node-\(RandomText.urlSafe(bytes: 6))"
        let holder = LeaseHolder(node: node, fence: WallClock.now().rawValue)
        var succession = try Succession(data: configuration.stores.data, holder: holder, stores: stores, logger: logger)
        let accountant = Accountant(
            store: counters.store, ledger: stores.ledger, directory: budgets,
            prices: prices, holder: holder, clock: WallClock.accounting,
            root: counters.isEmbedded ? nil : stores.root, board: succession.board, slots: configuration.accounting.slots,
            sliceSeconds: configuration.accounting.slice.components.seconds,
            metrics: AccountingMetricsBinding(metrics: metrics))
        var clientConfiguration = OpenAIProvider.clientConfiguration()
        if let connect = configuration.models.map(\.connectTimeout).max() { clientConfiguration.timeout.connect = .init(connect) }
        let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: clientConfiguration)
        let traces = TraceExport(configuration.telemetry, node: node, client: client, registry: registry, logger: logger)
        let models = ConfiguredModels(configuration.models, client: client)
        let book = PriceBook(
            prices, file: configuration.priceFile, models: configuration.models, accountant: accountant, metrics: metrics)
        let ends = RunEndRecorder(store: stores.runEnds, metrics: metrics)
        let board = LiveBoard(node: node)
        let upstreams = UpstreamBook()
        let writer = DecisionWriter(WatchedDecisions(store: stores.decisions, board: board)) { error in
            logger.error("decisions cannot be written; calls and runs are denied", metadata: ["fault": "\(error)"])
        }
        let notLogged = ToolMetrics.decisionsNotLogged(registry)
        let trail = AuditTrail(writer, logger: logger) { notLogged.add() }
        let tools: ToolRoom?
        do {
            tools = try ToolRoom.make(
                configuration,
                ToolRoom.Surroundings(
                    stores: stores, accountant: accountant, writer: writer, trail: trail, client: client, group: group, registry: registry,
                    logger: logger))
        } catch {
            // A client that is let go while it is open ends the process before the mistake is told.
            try? await client.shutdown()
            throw error
        }
        let checkpoints = CheckpointWriter(
            stores.audit, directory: configuration.stores.data, file: configuration.audit.checkpoints, registry: registry, logger: logger)
        let windows = WindowReader(stores, counters: counters.isEmbedded ? nil : counters.store)
        let limits = EngineLimits()
        // A run of another server may wait for people as well; one of this server's is known here as long as it lives.
        let waits = configuration.stores.redis.isEmpty ? limits.toolTimeMax : limits.toolTimeMax + limits.approvalTimeMax
        let lost = LostRuns(stores: stores, windows: windows, toolTimeMax: tools == nil ? .zero : waits)
        // An address that is none has been refused by the counters.
        let runs = (try? RedisURL(parsing: configuration.stores.redis)).map {
            SharedRuns($0, node: node, lost: lost, registry: registry, logger: logger)
        }
        succession.nodes = runs?.nodes
        let coordinator = RunCoordinator(
            meter: MeterBinding(accountant: accountant, trail: trail), models: models, conversations: ConversationBinding(stores: stores),
            tools: tools?.gate, metrics: EngineMetricsBinding(metrics: metrics, ends: ends, board: board, upstreams: upstreams),
            tracer: traces?.tracer, share: runs?.writer)
        let revocations = RevocationWatch(
            store: stores.revocations, coordinator: coordinator, trail: trail, metrics: metrics, logger: logger)
        let intake = RunIntake(
            coordinator: coordinator, defaultModel: models.entries.first?.model.id, disconnects: DisconnectRules(configuration),
            onDeny: configuration.tools.onDeny,
            lost: lost, trail: trail, shared: runs)
        let uses = KeyUses(stores.keys)
        let authenticator = Authenticator(
            directory: KeyDirectory(keys: stores.keys, uses: uses), tokens: tokens, trail: trail, metrics: metrics)

        let membership = try await ClusterMembership.configured(configuration, metrics: registry, logger: logger)
        let cluster = try RedisCluster.configured(configuration, metrics: registry, roll: membership, logger: logger)
        let sockets = SocketIOServer(
            configuration: try transportConfiguration(node: membership?.id), eventLoopGroup: group, cluster: cluster, peers: membership,
            metrics: registry, logger: logger)
        cluster?.attach(sockets)
        ChatNamespace(
            intake: intake, authenticator: authenticator, desk: tools?.desk, metrics: metrics, areTraced: traces != nil,
            refreshGrace: configuration.tokens.refreshGrace
        )
        .install(on: sockets)
        let console = sockets.namespace("/console")
        let feed = ConsoleFeed(console, decisions: stores.decisions, desk: tools?.desk)
        let door = ConsoleDoor(authenticator)
        let readiness = Readiness(stores: stores, redis: counters.connection)
        let live = LiveServer(
            board: board, store: stores.nodes,
            health: ServerHealth(stores: stores, counters: counters, readiness: readiness, metrics: metrics), coordinator: coordinator,
            readiness: readiness, address: "\(configuration.server.host):\(configuration.server.port)", registry: registry,
            logger: logger)
        let approvals = ApprovalCount(store: tools?.desk.store, keys: stores.keys)
        let liveFeed = LiveFeed(console, live: live, stores: stores, accountant: accountant, approvals: approvals)
        ConsoleNamespace(authenticator: authenticator, feed: feed, live: liveFeed, door: door).install(on: console)
        tools?.listeners.add { feed.changed($0) }
        let routes = ServerRoutes(
            configuration: configuration, intake: intake, authenticator: authenticator, models: models, prices: book,
            windows: windows, stores: stores,
            readiness: readiness, metrics: metrics, outbox: counters.outbox, tools: tools, trail: trail,
            live: live, approvals: approvals, upstreams: upstreams, logger: logger, traces: traces)
        let front = RealtimeServer(
            configuration: frontConfiguration(certificate), ingress: sockets, responder: routes.router().buildResponder(),
            eventLoopGroup: group,
            metrics: registry, logger: logger
        ) { addresses in
            membership?.announce(
                uid: cluster?.uid, address: configuration.server.peerAddress(port: addresses.first?.port ?? configuration.server.port))
            if let port = addresses.first?.port { live.listens(at: "\(configuration.server.host):\(port)") }
            onReady(addresses.first?.port ?? configuration.server.port)
        }

        await tools?.switches.look()
        let heirs = succession
        let impatience = Impatience()
        let signals: [UnixSignal] = [.sigterm, .sigint]
        // In this order they start; in the reverse order they stop, so that runs are drained while clients still listen, and
        // settled while the counters still answer.
        let services: [any Service] =
            [
                Background { await impatience.watch(signals) { front.hurry() } },
                Background { await counters.outbox?.run() },
                Background { await accountant.run() },
                Background { await heirs.run(accountant) },
                Background { await forgetOldRuns(coordinator) },
                Background { await ends.run() },
                Background { await uses.run() },
                Background { await PriceWatch(book: book, logger: logger, read: priceFile).run() },
                Background { await tokens?.run() },
                Background { await certificate?.run() },
                Background { await revocations.run(since: started) },
                Background { await checkpoints.run() },
                Background { await feed.run() },
                Background { await live.health.run() },
                Background { await live.writeReports() },
                Background { await liveFeed.run() },
                Background { await liveFeed.runStores() },
                Background { await door.run() },
                Background { await traces?.run() },
                Background { await cluster?.run() },
                Background { await membership?.run() },
            ] + ((tools?.loops ?? []) + (runs?.loops(coordinator) ?? [])).map { Background($0) } + [
                front,
                RunDrain(
                    coordinator: coordinator, tools: tools?.supervisor, readiness: readiness, grace: configuration.server.grace,
                    sockets: sockets, drain: try configuration.server.drainPolicy(), impatience: impatience),
            ]
        var lifecycle = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, gracefulShutdownSignals: signals, logger: logger)
        // Past the drain's grace and the front's: something is stuck, and a supervisor wants its process back.
        lifecycle.maximumGracefulShutdownDuration = configuration.server.grace + configuration.server.drain + .seconds(20)
        let result = await Result { try await ServiceGroup(configuration: lifecycle).run() }
        await live.leave()
        await runs?.leave()
        await tools?.shutdown()
        // After the last decision: what is not signed could be cut off while nobody looks.
        await checkpoints.flush()
        await traces?.flush()
        try? await client.shutdown()
        await accountant.leave()
        succession.board.discard()
        await ends.flush()
        await uses.flush()
        await counters.outbox?.close()
        await counters.connection?.close()
        await stores.close()
        try result.get()
    }

    /// Starts and ends of runs forget old logs too; this is for a server that has become idle.
    private func forgetOldRuns(_ coordinator: RunCoordinator) async {
        while !Task.isCancelled {
            coordinator.prune()
            try? await Task.sleep(for: .seconds(30))
        }
    }

    private func transportConfiguration(node: UInt32?) throws -> TransportConfiguration {
        let transport = configuration.transport
        return try TransportConfiguration(
            pingInterval: transport.pingInterval, pingTimeout: transport.pingTimeout, maxPayload: transport.maxMessage,
            queueBytesMax: transport.queue, origins: configuration.originPolicy, nodeID: node, httpCompression: transport.httpCompression,
            deflate: transport.deflate ? DeflatePolicy() : nil, allowEIO3: transport.allowEIO3,
            // The credential is looked at again: what a key may do is what it may do now.
            recovery: transport.recovery.map { try RecoveryPolicy(maxDisconnectionDuration: $0, skipMiddlewares: false) },
            rateLimits: transport.rateLimits.limits(), trustedProxies: configuration.server.trustedProxies.map { try AddressBlock($0) },
            connectionLifetime: transport.connectionLifetime.map { try ConnectionLifetime($0) })
    }

    private func frontConfiguration(_ certificate: CertificateWatch?) -> FrontConfiguration {
        var front = FrontConfiguration()
        front.hosts = [configuration.server.host]
        front.port = configuration.server.port
        front.tls = certificate?.identity
        // What nobody waits for is not generated, and not paid for (metering.md §2, item 12).
        front.pathsThatEndWithTheirClient = ["/v1/chat/completions", "/v1/responses", "/v1/messages"]
        front.pollingBodyBytesMax = configuration.transport.maxMessage
        return front
    }
}

extension Configuration {
    var originPolicy: OriginPolicy {
        server.origins.contains("*") ? .any : .sameHost(and: server.origins.map { $0.lowercased() })
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
