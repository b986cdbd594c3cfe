internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
public import Telemetry
internal import UnixSignals

/// A whole program in one line. Whoever has routes, TLS or other services of its own takes ``RealtimeServer``.
extension SocketIOServer {
    /// A server by itself, on the event loops that the process shares, one for each core.
    ///
    /// - Parameters:
    ///   - configuration: as the reference server's defaults, unless given.
    ///   - metrics: where it counts; `prometheusText()` shows it.
    /// - Throws: never for the default configuration.
    public convenience init(
        configuration: TransportConfiguration? = nil, metrics: MetricRegistry = MetricRegistry(),
        logger: Logger = Logger(label: "transport")
    ) throws(TransportConfigurationError) {
        let chosen: TransportConfiguration
        if let configuration { chosen = configuration } else { chosen = try TransportConfiguration() }
        self.init(configuration: chosen, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, metrics: metrics, logger: logger)
    }

    /// Serves Socket.IO on a port until the process is told to end (SIGTERM, SIGINT) or the task is cancelled. Open
    /// sessions are closed with what waits for them sent first.
    ///
    /// - Parameters:
    ///   - host: the address to bind; `0.0.0.0` for every interface of IPv4.
    ///   - port: 0 takes a free one.
    ///   - page: HTML for `/`; everything else outside of ``TransportConfiguration/path`` is 404.
    ///   - onListening: told the port once it is bound.
    /// - Throws: when the address cannot be bound.
    public func serve(
        host: String = "127.0.0.1", port: Int = 3000, page: String? = nil, onListening: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws {
        var front = FrontConfiguration()
        front.hosts = [host]
        front.port = port
        let router = Router()
        if let page {
            router.get("/") { _, _ in
                Response(
                    status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: page)))
            }
        }
        let server = RealtimeServer(configuration: front, sockets: self, responder: router.buildResponder()) { addresses in
            onListening(addresses.first?.port ?? port)
        }
        try await ServiceGroup(services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger).run()
    }
}
