import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A local HTTP server whose answers a test writes.
final class TestHTTPServer: Sendable {
    struct Request: Sendable {
        let method: HTTPMethod
        let uri: String
        let headers: HTTPHeaders
        let body: String
    }

    struct Answer: Sendable {
        var status = 200
        var headers: [(String, String)] = [("content-type", "application/json")]
        var body = ""
        /// Say no more, and keep the connection.
        var stalls = false
        /// Write the body again for as long as the peer takes it.
        var floods = false
        /// Close before anything was answered.
        var drops = false
    }

    private let channel: any Channel
    private let seen = Mutex<[Request]>([])
    let port: Int

    var requests: [Request] { seen.withLock { $0 } }

    static func start(_ answer: @escaping @Sendable (Request) -> Answer) async throws -> TestHTTPServer {
        let sink = LateValue<TestHTTPServer>()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Responder(answer) { request in sink.value?.seen.withLock { $0.append(request) } })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = TestHTTPServer(channel)
        sink.value = server
        return server
    }

    private init(_ channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    func stop() async { try? await channel.close() }
}

/// A value that is set once, before the first request can come.
private final class LateValue<Value: AnyObject & Sendable>: Sendable {
    private let stored = Mutex<Value?>(nil)
    var value: Value? {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

private final class Responder: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (TestHTTPServer.Request) -> TestHTTPServer.Answer
    private let note: @Sendable (TestHTTPServer.Request) -> Void
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(
        _ answer: @escaping @Sendable (TestHTTPServer.Request) -> TestHTTPServer.Answer,
        note: @escaping @Sendable (TestHTTPServer.Request) -> Void
    ) {
        self.answer = answer
        self.note = note
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body.clear()
        case .body(var part): body.writeBuffer(&part)
        case .end: respond(context)
        }
    }

    private func respond(_ context: ChannelHandlerContext) {
        guard let head else { return }
        let request = TestHTTPServer.Request(
            method: head.method, uri: head.uri, headers: head.headers, body: String(buffer: body))
        note(request)
        let answer = answer(request)
        guard !answer.drops else { return context.close(promise: nil) }
        var headers = HTTPHeaders(answer.headers)
        if !answer.stalls && !answer.floods && !headers.contains(name: "content-length") && answer.status != 204 {
            headers.add(name: "content-length", value: String(answer.body.utf8.count))
        }
        let response = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
        context.writeAndFlush(wrapOutboundOut(.head(response)), promise: nil)
        if !answer.body.isEmpty {
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
        }
        if answer.floods { return flood(context, answer.body) }
        if !answer.stalls { context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
    }

    private func flood(_ context: ChannelHandlerContext, _ text: String) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text))))).whenSuccess {
            let (handler, context) = bound.value
            handler.flood(context, text)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
