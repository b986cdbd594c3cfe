public import JSON
internal import NIOCore
internal import Synchronization
internal import TransportWire

/// A client in one namespace. Any thread may use it: what changes belongs to the session's event loop and is reached by
/// a hop; on that loop itself calls act at once. What one thread sends arrives in its order.
public final class Socket: Sendable {
    let key: SessionID
    public let namespace: Namespace
    public let handshake: Handshake
    /// What the namespace's last middleware returned; an empty tuple when there is none.
    public let context: any Sendable
    private let eventLoop: any EventLoop
    private let core: NIOLoopBound<SocketCore>
    private let ackTimeout: Duration

    private static let tokens = Atomic<UInt64>(0)

    /// Made on the session's loop.
    init(_ core: SocketCore, handshake: Handshake, context: any Sendable, eventLoop: any EventLoop, ackTimeout: Duration) {
        key = core.key
        namespace = core.namespace
        self.handshake = handshake
        self.context = context
        self.eventLoop = eventLoop
        self.core = NIOLoopBound(core, eventLoop: eventLoop)
        self.ackTimeout = ackTimeout
    }

    /// Public, and another one than the session's (E8). Also the name of a room that the socket alone is in (S11).
    public var id: String { String(describing: key) }

    static func mayEmit(_ event: String) -> Bool {
        let isReserved = SocketIOPacket.isReserved(eventName: event)
        assert(!isReserved, "\(event) is a reserved event name (S3)")
        return !isReserved
    }

    private func onLoop(_ body: @escaping @Sendable (SocketCore) -> Void) {
        if eventLoop.inEventLoop {
            body(core.value)
        } else {
            let core = core
            eventLoop.execute { body(core.value) }
        }
    }

    func send(_ frames: ByteBuffer) {
        if eventLoop.inEventLoop {
            core.value.send(frames)
        } else {
            let core = core
            eventLoop.execute { core.value.send(frames) }
        }
    }

    /// Sends an event. Reserved names (S3) are a mistake of ours: nothing is sent. Dropped when disconnected.
    public func emit(_ event: String, _ arguments: [JSONValue] = []) {
        guard Self.mayEmit(event) else { return }
        send(PacketFrames.event(event, arguments, namespace: namespace.name))
    }

    /// Sends an event and waits for the client's answer.
    ///
    /// - Parameter timeout: `ackTimeout` of the configuration unless given; there is no waiting for ever (S22).
    public func emitWithAck(
        _ event: String, _ arguments: [JSONValue] = [], timeout: Duration? = nil
    ) async throws(AcknowledgementError) -> [JSONValue] {
        guard Self.mayEmit(event) else { throw .cancelled }
        guard !Task.isCancelled else { throw .cancelled }
        let token = Self.tokens.add(1, ordering: .relaxed).newValue
        let timeout = (timeout ?? ackTimeout).timeAmount
        let answer: AckTable.Answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                onLoop { $0.ask(event, arguments, token: token, timeout: timeout) { continuation.resume(returning: $0) } }
            }
        } onCancel: {
            onLoop { $0.cancelAsk(token: token) }
        }
        return try answer.get()
    }

    /// Joins rooms. Beyond ``TransportLimits/roomsPerSocketMax`` nothing is joined, and counted.
    public func join(_ rooms: [String]) { onLoop { $0.join(rooms) } }
    public func join(_ room: String) { join([room]) }

    public func leave(_ rooms: [String]) { onLoop { $0.leave(rooms) } }
    public func leave(_ room: String) { leave([room]) }

    /// Leaves the namespace; with `closingSession` all namespaces of the session, and closes it (S16).
    public func disconnect(closingSession: Bool = false) { onLoop { $0.disconnect(closingSession: closingSession) } }

    /// Called once, on the session's loop; at once when the socket is disconnected already.
    public func onDisconnect(_ handler: @escaping @Sendable (DisconnectReason) -> Void) { onLoop { $0.onDisconnect(handler) } }

    /// Opens a feed: the source is read when it has signalled and the session has room.
    public func openFeed(_ source: any FeedSource) -> Feed {
        let feed = Feed(source, eventLoop: eventLoop, core: core)
        onLoop { $0.open(feed) }
        return feed
    }
}
