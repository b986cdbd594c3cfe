public import ArgumentParser
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import RedisClient
import ServiceLifecycle
import Telemetry
import Transport
import TransportRedis
public import TransportWire
import UnixSignals

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The echo servers that the public suites and the load generator need. Listens on `localhost`, IPv4 and IPv6.
@main
struct ConformanceServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conformance-server", abstract: "Serves what a public conformance suite expects.")

    enum Suite: String, CaseIterable, ExpressibleByArgument { case engineio, socketio, clients, autobahn, bench }

    @Option(help: "Which server to be.")
    var suite: Suite

    @Option(help: "The port; 0 takes a free one.")
    var port: Int

    @Option(help: "Event loops. The suites expect the order of requests on different connections to be kept: one loop.")
    var threads = 1

    @Option(help: "How the packets of the suites socketio and clients are written.")
    var parser = PacketParser.json

    @Option(help: "A Redis that makes several servers of the suites socketio and bench a cluster: redis://127.0.0.1:6379.")
    var redis: String?

    @Option(help: "Where the other servers of the cluster reach this one: host:port. Otherwise 127.0.0.1 and the port.")
    var advertise: String?

    @Flag(name: .customLong("allow-eio3"), help: "Serve clients of Engine.IO 3 and Socket.IO 2 too.")
    var allowEIO3 = false

    @Option(help: "Seconds for which the suites socketio and bench keep a socket that has lost its connection; 0 keeps none.")
    var recovery = 0

    private func recoveryPolicy() throws -> RecoveryPolicy? {
        recovery > 0 ? try RecoveryPolicy(maxDisconnectionDuration: .seconds(recovery)) : nil
    }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        var logger = Logger(label: "conformance-server")
        logger.logLevel = .warning
        let metrics = MetricRegistry()
        let membership = try await redis.asyncMap { text in
            let membership = ClusterMembership(url: try RedisURL(parsing: text), on: group.next(), metrics: metrics, logger: logger)
            await membership.start()
            return membership
        }
        let cluster = try redis.map { text in
            var configuration = RedisCluster.Configuration(url: try RedisURL(parsing: text), logger: logger)
            configuration.roll = membership
            return RedisCluster(configuration, on: group.next(), metrics: metrics)
        }
        let (configuration, ingress) = try makeIngress(group, cluster, membership, metrics, logger)
        var front = FrontConfiguration()
        front.hosts = ["127.0.0.1", "::1"]
        front.port = port
        front.enginePath = configuration.path
        front.pollingBodyBytesMax = configuration.maxPayload
        let responder = router(metrics, cluster, membership).buildResponder()
        let server = RealtimeServer(
            configuration: front, ingress: ingress, responder: responder, eventLoopGroup: group, metrics: metrics, logger: logger
        ) { [advertise] addresses in
            let own = PeerAddress(host: "127.0.0.1", port: addresses.first?.port ?? 0)
            membership?.announce(uid: cluster?.uid, address: advertise.flatMap { PeerAddress($0) } ?? own)
            print("listening on port \(addresses.first?.port ?? 0)")
            // A script that waits for the line reads a pipe, which is not flushed at a line's end.
            fflush(nil)
        }
        let members: [any Service] =
            (cluster.map { [ClusterService(cluster: $0)] } ?? []) + (membership.map { [MembershipService(membership: $0)] } ?? [])
        let services = ServiceGroup(services: members + [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await services.run()
        try await group.shutdownGracefully()
    }

    /// The metrics, and whether the cluster is heard.
    private func router(
        _ metrics: MetricRegistry, _ cluster: RedisCluster?, _ membership: ClusterMembership?
    ) -> Router<BasicRequestContext> {
        let router = Router()
        router.get("metrics") { _, _ in metrics.prometheusText() }
        router.get("cluster") { _, _ in cluster?.takesPart(in: "/") == true ? "ready" : "alone" }
        // How many other nodes can be reached.
        router.get("nodes") { _, _ in "\(membership?.nodes.count { $0.address != nil } ?? 0)" }
        return router
    }

    private func makeIngress(
        _ group: MultiThreadedEventLoopGroup, _ cluster: RedisCluster?, _ membership: ClusterMembership?, _ metrics: MetricRegistry,
        _ logger: Logger
    ) throws -> (TransportConfiguration, any EngineIOIngress) {
        switch suite {
        case .engineio:
            let configuration = try Suites.configuration(path: "/engine.io/", allowEIO3: allowEIO3)
            let server = EngineServer(
                configuration: configuration, application: EngineEcho(), eventLoopGroup: group, metrics: metrics, logger: logger)
            return (configuration, server)
        case .socketio:
            let configuration = try Suites.configuration(
                path: "/socket.io/", parser: parser, allowEIO3: allowEIO3, nodeID: membership?.id, recovery: recoveryPolicy())
            let server = SocketIOServer(
                configuration: configuration, eventLoopGroup: group, cluster: cluster, peers: membership, metrics: metrics, logger: logger)
            cluster?.attach(server)
            Suites.serveSocketIO(server)
            return (configuration, server)
        case .clients:
            // A heartbeat that a test sees, with time for a client on a busy machine.
            let configuration = try TransportConfiguration(
                pingInterval: .seconds(2), pingTimeout: .seconds(20), origins: .any, parser: parser, allowEIO3: allowEIO3)
            let server = SocketIOServer(configuration: configuration, eventLoopGroup: group, metrics: metrics, logger: logger)
            Suites.serveSocketIO(server)
            Suites.serveClients(server)
            return (configuration, server)
        case .bench:
            let configuration = try TransportConfiguration(nodeID: membership?.id, recovery: recoveryPolicy())
            let server = SocketIOServer(
                configuration: configuration, eventLoopGroup: group, cluster: cluster, peers: membership, metrics: metrics, logger: logger)
            cluster?.attach(server)
            Suites.serveBench(server)
            return (configuration, server)
        case .autobahn:
            return (try TransportConfiguration(path: "/ws/"), AutobahnEcho())
        }
    }
}

extension PacketParser: ExpressibleByArgument {}

private struct ClusterService: Service {
    let cluster: RedisCluster

    func run() async throws { await cancelWhenGracefulShutdown { await cluster.run() } }
}

private struct MembershipService: Service {
    let membership: ClusterMembership

    func run() async throws { await cancelWhenGracefulShutdown { await membership.run() } }
}

extension Optional {
    fileprivate func asyncMap<Result>(_ transform: (Wrapped) async throws -> Result) async throws -> Result? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
