import NIOCore
import NIOHTTP1
import Transport
import TransportWire

/// A plain WebSocket echo under `/ws/`, for messages of up to 16 MiB.
final class AutobahnEcho: EngineIOIngress {
    /// Everything is compressed that may be, so that the suite sees it.
    private static let policy = DeflatePolicy(serverTakesContextOver: true, clientTakesContextOver: true, threshold: 0)

    func receive(_ request: any EngineIORequest) {
        request.respond(EngineIOResponse(status: .upgradeRequired, headers: ["Upgrade": "websocket"]))
    }

    func receiveUpgrade(_ request: any EngineIORequest) {
        let head = request.head
        let upgrade = WebSocketUpgradeRequest(
            method: head.method.rawValue, majorVersion: head.version.major, minorVersion: head.version.minor,
            headers: head.headers.map { ($0.name, $0.value) })
        do throws(WebSocketRefusal) {
            let acceptance = try WebSocketHandshake.accept(upgrade, deflate: Self.policy)
            var headers: HTTPHeaders = [
                "Upgrade": "websocket", "Connection": "Upgrade",
                "Sec-WebSocket-Accept": WebSocketAccept.key(for: acceptance.textToHash),
            ]
            if let deflate = acceptance.deflate { headers.add(name: "Sec-WebSocket-Extensions", value: deflate.fieldValue) }
            request.upgrade(headers: headers, handler: EchoHandler(acceptance.deflate))
        } catch {
            request.respond(EngineIOResponse(status: .init(statusCode: error.status), closesConnection: true))
        }
    }
}

/// Confined to the loop of its connection.
private final class EchoHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let limits = WebSocketLimits(messageBytes: 16 << 20, fragments: 1 << 20)

    private var parser: WebSocketParser
    private let deflate: MessageDeflate?
    private var input = ByteBuffer()
    private var isClosing = false

    init(_ agreement: DeflateAgreement?) {
        parser = WebSocketParser(limits: Self.limits, allowsCompression: agreement != nil)
        deflate = agreement.map { MessageDeflate($0, threshold: 0, messageBytesMax: Self.limits.messageBytes, shared: SharedDeflate()) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if input.readableBytes > 0 { input.writeBuffer(&bytes) } else { input = bytes }
        do throws(WebSocketFailure) {
            while let event = try parser.next(&input) { try answer(event, context) }
        } catch {
            close(error.closeCode, context)
        }
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        if event is ChannelShouldQuiesceEvent { close(1001, context) }
    }

    private func answer(_ event: WebSocketEvent, _ context: ChannelHandlerContext) throws(WebSocketFailure) {
        switch event {
        case .text(let message): write(WebSocketFrameWriter.frame(.text, payload: message), context)
        case .binary(let message): write(WebSocketFrameWriter.frame(.binary, payload: message), context)
        case .deflated(let message, let isText):
            guard let expanded = try deflate?.expand(message, isText: isText) else { return }
            write(WebSocketFrameWriter.frame(isText ? .text : .binary, payload: expanded), context)
        case .ping(let payload): write(WebSocketFrameWriter.frame(.pong, payload: payload), context)
        case .pong: break
        case .close(let code, _): close(code, context)
        }
    }

    private func write(_ frame: ByteBuffer, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(deflate?.compress(frame) ?? frame), promise: nil)
    }

    private func close(_ code: UInt16?, _ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isClosing = true
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(WebSocketFrameWriter.close(code: code))).whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}
