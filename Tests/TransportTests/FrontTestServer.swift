import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Telemetry

@testable import Transport

/// A real server on a free port, with routes that behave well and badly and a fake Engine.IO behind it.
struct FrontTestServer: Sendable {
    let port: Int
    let addresses: [SocketAddress]
    let ingress: FakeIngress
    let journal: FrontJournal
    let metrics: MetricRegistry
    /// Begins a graceful shutdown, and waits for its end.
    let shutDown: @Sendable () async throws -> Void

    /// Runs `body` against a server; the server is gone when this returns.
    static func run(
        loops: Int = 1, configure: (inout FrontConfiguration) -> Void = { _ in }, _ body: (FrontTestServer) async throws -> Void
    ) async throws {
        var configuration = FrontConfiguration()
        configuration.port = 0
        configuration.sweepInterval = .milliseconds(50)
        configuration.shutdownGrace = .seconds(5)
        configure(&configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let (ingress, journal, metrics) = (FakeIngress(), FrontJournal(), MetricRegistry())
        let (bound, announce) = AsyncStream.makeStream(of: [SocketAddress].self, bufferingPolicy: .bufferingNewest(1))
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = RealtimeServer(
            configuration: configuration, ingress: ingress, responder: FrontTestRoutes.router(journal).buildResponder(),
            eventLoopGroup: group,
            metrics: metrics, logger: logger, onBound: { announce.yield($0) })
        let services = ServiceGroup(
            configuration: .init(services: [.init(service: server, successTerminationBehavior: .gracefullyShutdownGroup)], logger: logger))
        let running = Task {
            defer { announce.finish() }
            try await services.run()
        }
        var iterator = bound.makeAsyncIterator()
        guard let addresses = await iterator.next(), let port = addresses.first?.port else {
            throw ChannelError.connectTimeout(.seconds(0))
        }
        let shutDown: @Sendable () async throws -> Void = {
            await services.triggerGracefulShutdown()
            try await running.value
        }
        let outcome: (any Error)?
        do {
            try await body(
                FrontTestServer(port: port, addresses: addresses, ingress: ingress, journal: journal, metrics: metrics, shutDown: shutDown))
            outcome = nil
        } catch { outcome = error }
        try await shutDown()
        try await group.shutdownGracefully()
        if let outcome { throw outcome }
    }

    func client() async throws -> RawClient { try await RawClient.connect(port) }

    /// Waits until `condition` is true; the clock is the event loop's, nothing sleeps in between.
    func eventually(_ condition: @escaping @Sendable () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while !condition() {
            if ContinuousClock.now > deadline { throw ChannelError.connectTimeout(.seconds(10)) }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    func shows(_ line: String) -> Bool { metrics.prometheusText().contains(line + "\n") }

    func refused(_ reason: String) -> Bool {
        !metrics.prometheusText().contains("kdcube_http_refused_total{reason=\"\(reason)\"} 0")
    }
}

/// What the routes saw.
final class FrontJournal: Sendable {
    struct Record: Sendable {
        var cancelled: [ContinuousClock.Instant] = []
        var started = 0
        var slow = 0
        var producedBytes = 0
        var bodyErrors = 0
    }

    private let state = Mutex(Record())
    var record: Record { state.withLock { $0 } }
    func update(_ change: (inout Record) -> Void) { state.withLock { change(&$0) } }
}

enum FrontTestRoutes {
    struct Failure: Error {}

    static func router(_ journal: FrontJournal) -> Router<FrontRequestContext> {
        let router = Router(context: FrontRequestContext.self)
        router.add(middleware: ErrorDocumentMiddleware())
        router.get("hello") { _, _ in "hello" }
        router.head("hello") { _, _ in Response(status: .ok, headers: [.contentLength: "5"]) }
        router.get("who") { _, context in "\(context.remoteAddress?.ipAddress ?? "?") \(context.id)" }
        router.get("empty") { _, _ in Response(status: .noContent) }
        router.get("socket.io/socket.io.js") { _, _ in "client" }
        router.get("own-id") { _, _ in
            Response(status: .ok, headers: [.requestIDForTests: "mine"], body: .init(byteBuffer: ByteBuffer(string: "x")))
        }
        router.get("fail") { _, _ -> String in throw Failure() }
        router.get("teapot") { _, _ -> String in throw HTTPError(.init(code: 418, reasonPhrase: "teapot"), message: "short and stout") }
        router.get("slow") { request, _ -> String in
            journal.update { $0.slow += 1 }
            try await Task.sleep(for: .milliseconds(request.uri.queryParameters.get("ms", as: Int.self) ?? 100))
            return "slow"
        }
        bodies(router, journal)
        streams(router, journal)
        return router
    }

    private static func bodies(_ router: Router<FrontRequestContext>, _ journal: FrontJournal) {
        router.post("echo") { request, _ in
            Response(status: .ok, body: .init(byteBuffer: try await request.body.collect(upTo: 16 * 1024 * 1024)))
        }
        router.post("count") { request, _ in
            journal.update { $0.started += 1 }
            do {
                var count = 0
                for try await buffer in request.body { count += buffer.readableBytes }
                return "\(count)"
            } catch {
                journal.update { $0.bodyErrors += 1 }
                throw error
            }
        }
        router.post("mirror") { request, _ in Response(status: .ok, body: .init(asyncSequence: request.body)) }
        router.post("unread") { _, _ in Response(status: .notFound) }
        router.post("stubborn") { request, _ in
            journal.update { $0.started += 1 }
            var iterator = request.body.makeAsyncIterator()
            _ = try await iterator.next()
            try await Task.sleep(for: .seconds(3600))
            return "never"
        }
    }

    private static func streams(_ router: Router<FrontRequestContext>, _ journal: FrontJournal) {
        router.get("big") { request, _ in
            let length = 50 * 1024 * 1024
            let isKnown = request.uri.queryParameters.get("known") != nil
            return Response(
                status: .ok,
                body: .init(contentLength: isKnown ? length : nil) { writer in
                    for _ in 0..<length / 65_536 {
                        try await writer.write(ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536))
                        journal.update { $0.producedBytes += 65_536 }
                    }
                    try await writer.finish(nil)
                })
        }
        router.get("sse") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/event-stream"],
                body: .init { writer in
                    try await writer.write(ByteBuffer(string: "data: first\n\n"))
                    journal.update { $0.started += 1 }
                    do { try await Task.sleep(for: .seconds(3600)) } catch { journal.update { $0.cancelled.append(.now) } }
                    try await writer.finish(nil)
                })
        }
        router.get("chunks") { request, _ in
            let count = request.uri.queryParameters.get("n", as: Int.self) ?? 10
            return Response(
                status: .ok,
                body: .init { writer in
                    for index in 0..<count { try await writer.write(ByteBuffer(string: "\(index),")) }
                    try await writer.finish(nil)
                })
        }
        router.get("lies") { request, _ in
            let declared = request.uri.queryParameters.get("declared", as: Int.self) ?? 10
            let written = request.uri.queryParameters.get("written", as: Int.self) ?? 5
            return Response(
                status: .ok,
                body: .init(contentLength: declared) { writer in
                    var left = written
                    while left > 0 {
                        try await writer.write(ByteBuffer(repeating: UInt8(ascii: "y"), count: min(left, 50_000)))
                        left -= min(left, 50_000)
                    }
                    try await writer.finish(nil)
                })
        }
        router.get("breaks") { _, _ in
            Response(
                status: .ok,
                body: .init { writer in
                    try await writer.write(ByteBuffer(string: "part"))
                    throw Failure()
                })
        }
    }
}

extension HTTPField.Name {
    /// `x-request-id`, as a route of an application may set it.
    static let requestIDForTests: HTTPField.Name = {
        guard let name = HTTPField.Name("x-request-id") else { preconditionFailure("x-request-id is a header name") }
        return name
    }()
}
