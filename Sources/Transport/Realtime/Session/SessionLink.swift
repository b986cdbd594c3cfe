internal import NIOCore

/// A WebSocket's way to its session. Confined to the WebSocket's loop; a session on another loop is reached by one hop
/// a read, in order.
final class SessionLink {
    private enum Target {
        case local(EngineSession)
        case remote(SessionRegistry.Entry)
        case none
    }

    private var target: Target
    /// True for the WebSocket that opened the session, false for one that wants to take it over.
    private let isFirst: Bool
    private var batch: [(message: ByteBuffer, isBinary: Bool)] = []
    /// Bytes that the session's loop has not seen yet. Above the limit the connection is not read.
    private var bytesInFlight = 0
    private var batchBytes = 0
    /// For a WebSocket that opens its session.
    init() {
        target = .none
        isFirst = true
    }

    func attach(_ session: EngineSession) { target = .local(session) }

    /// For a WebSocket that names a session. Made on the WebSocket's loop.
    init(candidateFor entry: SessionRegistry.Entry, on eventLoop: any EventLoop) {
        target = entry.eventLoop === eventLoop ? .local(entry.session.value) : .remote(entry)
        isFirst = false
    }

    func connected(_ handler: WebSocketSessionHandler, eventLoop: any EventLoop) {
        guard !isFirst else { return }
        switch target {
        case .local(let session): session.connected(.local(handler))
        case .remote(let entry):
            let bound = NIOLoopBound(handler, eventLoop: eventLoop)
            let id = ObjectIdentifier(handler)
            entry.eventLoop.execute {
                entry.session.value.connected(.remote(RemoteWebSocket(id: id, handler: bound, eventLoop: eventLoop)))
            }
        case .none: break
        }
    }

    func received(_ message: ByteBuffer, isBinary: Bool, from handler: WebSocketSessionHandler) {
        switch target {
        case .local(let session): session.received(message, isBinary: isBinary, from: ObjectIdentifier(handler))
        case .remote:
            batch.append((message, isBinary))
            batchBytes += message.readableBytes
        case .none: break
        }
    }

    /// Hands the messages of one read to a session on another loop.
    func readComplete(_ handler: WebSocketSessionHandler) {
        guard case .remote(let entry) = target, !batch.isEmpty else { return }
        var messages: [(message: ByteBuffer, isBinary: Bool)] = []
        swap(&messages, &batch)
        let bytes = batchBytes
        batchBytes = 0
        bytesInFlight += bytes
        if bytesInFlight > TransportLimits.inboundHopBytesMax { handler.setReading(false) }
        let id = ObjectIdentifier(handler)
        let bound = NIOLoopBound(handler, eventLoop: handler.eventLoop)
        let link = NIOLoopBound(self, eventLoop: handler.eventLoop)
        let back = handler.eventLoop
        entry.eventLoop.execute { [messages] in
            for (message, isBinary) in messages { entry.session.value.received(message, isBinary: isBinary, from: id) }
            back.execute {
                link.value.bytesInFlight -= bytes
                if link.value.bytesInFlight <= TransportLimits.inboundHopBytesMax { bound.value.setReading(true) }
            }
        }
    }

    func ended(_ handler: WebSocketSessionHandler, isError: Bool) {
        let ending = target
        // Messages of the same read come before the end.
        readComplete(handler)
        target = .none
        let id = ObjectIdentifier(handler)
        switch ending {
        case .local(let session): session.ended(id, isError: isError)
        case .remote(let entry): entry.eventLoop.execute { entry.session.value.ended(id, isError: isError) }
        case .none: break
        }
    }

    func drained(_ handler: WebSocketSessionHandler) {
        let id = ObjectIdentifier(handler)
        switch target {
        case .local(let session): session.drained(id)
        case .remote(let entry): entry.eventLoop.execute { entry.session.value.drained(id) }
        case .none: break
        }
    }

    func took(_ batch: UInt64, _ handler: WebSocketSessionHandler) {
        guard case .remote(let entry) = target else { return }
        let id = ObjectIdentifier(handler)
        entry.eventLoop.execute { entry.session.value.took(batch, by: id) }
    }

    func overflowed(_ handler: WebSocketSessionHandler) {
        switch target {
        case .local(let session): session.overflowed()
        case .remote(let entry): entry.eventLoop.execute { entry.session.value.overflowed() }
        case .none: break
        }
    }
}
