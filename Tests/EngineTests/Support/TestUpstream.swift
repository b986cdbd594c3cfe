import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A local HTTP server that answers each request by a script: the upstream that misbehaves.
final class TestUpstream: Sendable {
    enum Step: Sendable {
        case head(Int, contentType: String = "text/event-stream")
        case body(String)
        case pause(Duration)
        /// Say no more, but keep the connection.
        case stall
        /// Break the connection without ending the body.
        case drop
        case end
        /// Write this for as long as the peer reads, and count what was taken.
        case flood(String)
    }

    struct Seen: Sendable {
        var bodies: [String] = []
        var headers: [HTTPHeaders] = []
        var connections = 0
        /// When each connection was closed by the peer.
        var closedAt: [NIODeadline] = []
        var flooded = 0
    }

    private let channel: any Channel
    private let seen: SharedSeen
    let port: Int

    var baseURL: String { "http://127.0.0.1:\(port)/v1/" }
    var record: Seen { seen.value.withLock { $0 } }

    fileprivate final class SharedSeen: Sendable { let value = Mutex(Seen()) }

    static func start(_ steps: [Step]) async throws -> TestUpstream {
        let seen = SharedSeen()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 16)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    seen.value.withLock { $0.connections += 1 }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Player(steps, seen))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return TestUpstream(channel, seen)
    }

    private init(_ channel: any Channel, _ seen: SharedSeen) {
        self.channel = channel
        self.seen = seen
        port = channel.localAddress?.port ?? 0
    }

    func stop() async { try? await channel.close() }

    /// Plays the script for each request. Confined to its event loop.
    private final class Player: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let steps: [Step]
        private let seen: SharedSeen
        private var body = ""
        private var position = 0
        private var isFlooding: String?
        private var hasClosed = false

        init(_ steps: [Step], _ seen: SharedSeen) {
            self.steps = steps
            self.seen = seen
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): seen.value.withLock { $0.headers.append(head.headers) }
            case .body(let buffer): body += String(buffer: buffer)
            case .end:
                seen.value.withLock { $0.bodies.append(body) }
                body = ""
                position = 0
                play(context)
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            hasClosed = true
            seen.value.withLock { $0.closedAt.append(.now()) }
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) { flood(context) }

        private func play(_ context: ChannelHandlerContext) {
            while position < steps.count, !hasClosed {
                position += 1
                switch steps[position - 1] {
                case .head(let status, let type):
                    let head = HTTPResponseHead(
                        version: .http1_1, status: .init(statusCode: status), headers: ["content-type": type])
                    context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
                case .body(let text): write(text, context)
                case .pause(let duration):
                    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
                    context.eventLoop.scheduleTask(in: TimeAmount(duration)) {
                        let (player, context) = bound.value
                        player.play(context)
                    }
                    return
                case .stall: return
                case .drop: return context.close(promise: nil)
                case .end: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                case .flood(let text):
                    isFlooding = text
                    return flood(context)
                }
            }
        }

        private func write(_ text: String, _ context: ChannelHandlerContext) {
            let buffer = context.channel.allocator.buffer(string: text)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }

        private func flood(_ context: ChannelHandlerContext) {
            guard let isFlooding else { return }
            while context.channel.isWritable, !hasClosed {
                write(isFlooding, context)
                seen.value.withLock { $0.flooded += isFlooding.utf8.count }
            }
        }
    }
}
