import Hummingbird
import JSON
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Telemetry
import Transport

/// A real server on a free port, for one test.
struct TestServer: Sendable {
    let port: Int
    let metrics: MetricRegistry
    /// The path with Engine.IO's revision, ready for more parameters.
    let base: String
    /// What its clients speak TLS with, where it does.
    var tls: NIOSSLContext?

    func connect() async throws -> TestConnection { try await TestConnection.open(port, tls: tls) }

    /// One request on a connection of its own.
    func ask(_ method: String, _ target: String, _ headers: [String] = [], body: String = "") async throws -> TestConnection.Answer {
        let connection = try await connect()
        connection.request(method, target, headers, body: body)
        let answer = try await connection.answer()
        connection.close()
        return answer
    }

    /// Opens a polling session and gives its id.
    func openPolling() async throws -> String {
        let answer = try await ask("GET", base + "&transport=polling")
        guard let sid = try JSONValue(parsing: String(answer.body.dropFirst()))["sid"]?.stringValue else { throw TestConnection.Ended() }
        return sid
    }

    func polling(_ sid: String) -> String { base + "&transport=polling&sid=\(sid)" }

    func poll(_ sid: String) async throws -> TestConnection.Answer { try await ask("GET", polling(sid)) }

    func post(_ sid: String, _ body: String) async throws -> TestConnection.Answer { try await ask("POST", polling(sid), body: body) }

    /// Opens a WebSocket; with `sid` as a candidate of that session. The open packet of a new session has not been read.
    func openWebSocket(sid: String? = nil) async throws -> TestConnection {
        let connection = try await connect()
        let status = try await connection.upgrade(base + "&transport=websocket" + (sid.map { "&sid=\($0)" } ?? ""))
        guard status == 101 else { throw TestConnection.Ended() }
        return connection
    }

    /// A WebSocket that has joined the main namespace. Gives the CONNECT packet too.
    func openSocket(_ auth: String = "") async throws -> (TestConnection, String) {
        let connection = try await openWebSocket()
        _ = try await connection.text()
        connection.say("40" + auth)
        return (connection, try await connection.text())
    }

    /// A WebSocket that has joined `namespace`; the CONNECT packet has been read.
    func join(_ namespace: String, _ auth: String = "") async throws -> TestConnection {
        let connection = try await openWebSocket()
        _ = try await connection.text()
        connection.say("40\(namespace),\(auth)")
        guard try await connection.text().hasPrefix("40\(namespace),") else { throw TestConnection.Ended() }
        return connection
    }

    func metric(_ line: String) -> Bool { metrics.prometheusText().split(separator: "\n").contains { $0 == line } }

    /// Waits until the exposition has the line. The clock is the only thing that can make a test with a fault fail.
    func shows(_ line: String) async throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while !metric(line) {
            guard ContinuousClock.now < deadline else { return false }
            try await Task.sleep(for: .milliseconds(2))
        }
        return true
    }

    // MARK: Running

    /// The public suites' values (socketio.md §5), unless a test wants others.
    static func configuration(
        path: String = "/socket.io/", pingInterval: Duration = .milliseconds(300), pingTimeout: Duration = .milliseconds(200),
        connectTimeout: Duration = .seconds(20), maxPayload: Int = 1_000_000, queueBytesMax: Int = 1 << 20, origins: OriginPolicy = .any
    ) throws -> TransportConfiguration {
        try TransportConfiguration(
            path: path, pingInterval: pingInterval, pingTimeout: pingTimeout, maxPayload: maxPayload, connectTimeout: connectTimeout,
            queueBytesMax: queueBytesMax, origins: origins)
    }

    /// An Engine.IO server that echoes in kind.
    static func echo(
        _ configuration: TransportConfiguration, loops: Int = 1, peers: (any PeerDirectory)? = nil, logger: Logger? = nil,
        front: @Sendable (inout FrontConfiguration) -> Void = { _ in }, _ body: @escaping @Sendable (TestServer) async throws -> Void
    )
        async throws
    {
        try await run(configuration, loops: loops, logger: logger, front: front, body) { group, metrics, logger in
            EngineServer(
                configuration: configuration, application: EchoApplication(), eventLoopGroup: group, peers: peers, metrics: metrics,
                logger: logger)
        }
    }

    /// A Socket.IO server.
    static func socketIO(
        _ configuration: TransportConfiguration, loops: Int = 1, cluster: (any ClusterPort)? = nil, logger: Logger? = nil,
        setUp: @escaping @Sendable (SocketIOServer) -> Void, _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await run(configuration, loops: loops, logger: logger, body) { group, metrics, logger in
            let server = SocketIOServer(
                configuration: configuration, eventLoopGroup: group, cluster: cluster, metrics: metrics, logger: logger)
            setUp(server)
            return server
        }
    }

    /// A Socket.IO server whose heartbeat does not come in between.
    static func quiet(
        loops: Int = 1, ackTimeout: Duration = .seconds(20), cluster: (any ClusterPort)? = nil,
        _ setUp: @escaping @Sendable (SocketIOServer) -> Void, _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(30), pingTimeout: .seconds(20), ackTimeout: ackTimeout, origins: .any)
        try await socketIO(configuration, loops: loops, cluster: cluster, setUp: setUp, body)
    }

    private static func run(
        _ configuration: TransportConfiguration, loops: Int, logger given: Logger?,
        front configure: @Sendable (inout FrontConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (TestServer) async throws -> Void,
        _ makeIngress: (MultiThreadedEventLoopGroup, MetricRegistry, Logger) -> any EngineIOIngress
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let metrics = MetricRegistry()
        var quiet = Logger(label: "test")
        quiet.logLevel = .critical
        let logger = given ?? quiet
        var front = FrontConfiguration()
        front.port = 0
        front.enginePath = configuration.path
        front.pollingBodyBytesMax = configuration.maxPayload
        front.shutdownGrace = .milliseconds(100)
        configure(&front)
        let router = Router()
        router.get("fail") { request, _ -> String in throw RouteFailure(request: request.uri.string) }
        let (bound, announce) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let server = RealtimeServer(
            configuration: front, ingress: makeIngress(group, metrics, logger), responder: router.buildResponder(),
            eventLoopGroup: group, metrics: metrics, logger: logger
        ) { announce.yield($0.first?.port ?? 0) }
        let running = Task {
            defer { announce.finish() }
            try await server.run()
        }
        var ports = bound.makeAsyncIterator()
        let failure: (any Error)?
        do {
            guard let port = await ports.next() else { throw TestConnection.Ended() }
            try await body(TestServer(port: port, metrics: metrics, base: configuration.path + "?EIO=4"))
            failure = nil
        } catch {
            failure = error
        }
        running.cancel()
        _ = await running.result
        try await group.shutdownGracefully()
        if let failure { throw failure }
    }
}

/// Its description holds what the client sent, as descriptions of errors may.
private struct RouteFailure: Error { let request: String }

private final class EchoApplication: SessionApplication {
    func opened(_ session: EngineSession) -> any SessionDelegate { Echo(session) }

    private final class Echo: SessionDelegate {
        unowned let session: EngineSession

        init(_ session: EngineSession) {
            self.session = session
        }

        func received(_ message: ByteBuffer, isBinary: Bool) { session.send(message: message, isBinary: isBinary) }
        func hasRoom() {}
        func deadlinePassed(at now: NIODeadline) {}
        func closed(_ reason: CloseReason) {}
    }
}
