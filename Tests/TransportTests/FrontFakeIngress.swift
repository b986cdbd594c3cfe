import NIOCore
import NIOHTTP1
import Synchronization

@testable import Transport

/// An ingress that answers by what the query says: `park` never, `later` after a while, else at once.
final class FakeIngress: EngineIOIngress {
    struct Log: Sendable {
        var abandoned: [ContinuousClock.Instant] = []
        var parked = 0
        var requests = 0
        var upgrades = 0
    }

    private let log = Mutex(Log())
    private let parked = Mutex<[NIOLoopBound<any EngineIORequest>]>([])
    var record: Log { log.withLock { $0 } }

    func receive(_ request: any EngineIORequest) {
        log.withLock { $0.requests += 1 }
        let uri = request.head.uri
        if uri.contains("park") {
            request.onAbandoned = { [self] _ in log.withLock { $0.abandoned.append(.now) } }
            parked.withLock { $0.append(NIOLoopBound(request, eventLoop: request.eventLoop)) }
            log.withLock { $0.parked += 1 }
        } else if uri.contains("abort") {
            request.abort()
        } else if uri.contains("later") {
            let bound = NIOLoopBound(request, eventLoop: request.eventLoop)
            request.eventLoop.scheduleTask(in: .milliseconds(20)) { bound.value.respond(Self.echo(bound.value)) }
        } else {
            request.respond(Self.echo(request))
        }
    }

    private static func echo(_ request: any EngineIORequest) -> EngineIOResponse {
        EngineIOResponse(
            status: .ok, headers: ["Content-Type": "text/plain"], body: ByteBuffer(string: "poll:" + String(buffer: request.body)),
            closesConnection: request.head.uri.contains("close"))
    }

    func receiveUpgrade(_ request: any EngineIORequest) {
        log.withLock { $0.upgrades += 1 }
        if request.head.uri.contains("refuse") {
            request.respond(EngineIOResponse(status: .badRequest, body: ByteBuffer(string: "no"), closesConnection: true))
        } else if request.head.uri.contains("later") {
            let bound = NIOLoopBound(request, eventLoop: request.eventLoop)
            request.eventLoop.scheduleTask(in: .milliseconds(request.head.uri.contains("200") ? 200 : 30)) {
                bound.value.upgrade(headers: Self.upgradeHeaders, handler: EchoHandler())
            }
        } else {
            request.upgrade(headers: Self.upgradeHeaders, handler: EchoHandler())
        }
    }

    private static let upgradeHeaders: HTTPHeaders = ["Upgrade": "websocket", "Connection": "Upgrade"]

    /// Answers parked polls, as sessions do when they end.
    func quiesce() {
        let requests = parked.withLock { parked in
            defer { parked = [] }
            return parked
        }
        for bound in requests {
            bound.eventLoop.execute { bound.value.respond(EngineIOResponse(status: .ok, body: ByteBuffer(string: "1"))) }
        }
    }
}

/// Stands for a WebSocket handler: greets, echoes bytes, says `bye` at shutdown. It flushes at the end of a read cycle
/// alone, so that a front that leaves out the end is caught.
final class EchoHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "greeting\n")), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        guard event is ChannelShouldQuiesceEvent else { return }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "bye")), promise: nil)
        channel.close(promise: nil)
    }
}
