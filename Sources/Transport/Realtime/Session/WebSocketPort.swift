internal import NIOCore

/// A session's view of one of its WebSockets, which may live on another loop. Confined to the session's loop.
enum WebSocketPort {
    case local(WebSocketSessionHandler)
    case remote(RemoteWebSocket)

    var id: ObjectIdentifier {
        switch self {
        case .local(let handler): ObjectIdentifier(handler)
        case .remote(let port): port.id
        }
    }

    /// True when the connection takes more.
    var hasRoom: Bool {
        switch self {
        case .local(let handler): handler.hasRoom
        case .remote(let port): !port.isBusy
        }
    }

    /// True when nothing waits in front of the connection.
    var isDrained: Bool {
        switch self {
        case .local(let handler): handler.isDrained
        case .remote(let port): !port.isBusy
        }
    }

    func write(_ frames: ByteBuffer) {
        switch self {
        case .local(let handler): handler.write(frames)
        case .remote(let port): port.write(frames)
        }
    }

    func flush() {
        switch self {
        case .local(let handler): handler.flush()
        case .remote(let port): port.flush()
        }
    }

    func writeAndFlush(_ frames: ByteBuffer) {
        write(frames)
        flush()
    }

    func close(_ reason: CloseReason) {
        switch self {
        case .local(let handler): handler.close(reason)
        case .remote(let port): port.close(reason)
        }
    }
}

/// The near end of a WebSocket whose connection belongs to another loop. Confined to the session's loop.
///
/// Frames are gathered and handed over once a turn. Until the other loop says that it took them the session counts as
/// busy, so what is in flight between two loops is bounded by one turn's frames.
final class RemoteWebSocket {
    let id: ObjectIdentifier
    private let handler: NIOLoopBound<WebSocketSessionHandler>
    private let eventLoop: any EventLoop
    private var pending: [ByteBuffer] = []
    private var handedOver: UInt64 = 0
    private var taken: UInt64 = 0

    init(id: ObjectIdentifier, handler: NIOLoopBound<WebSocketSessionHandler>, eventLoop: any EventLoop) {
        self.id = id
        self.handler = handler
        self.eventLoop = eventLoop
    }

    var hasRoom: Bool { !isBusy }
    var isBusy: Bool { !pending.isEmpty || handedOver != taken }

    func write(_ frames: ByteBuffer) { pending.append(frames) }

    func flush() {
        guard !pending.isEmpty else { return }
        var frames: [ByteBuffer] = []
        swap(&frames, &pending)
        handedOver += 1
        let batch = handedOver
        let handler = handler
        eventLoop.execute { [frames] in handler.value.take(frames, batch: batch) }
    }

    /// The other loop has written the batch and has room for more.
    func took(_ batch: UInt64) { taken = max(taken, batch) }

    func close(_ reason: CloseReason) {
        flush()
        let handler = handler
        eventLoop.execute { handler.value.close(reason) }
    }
}
