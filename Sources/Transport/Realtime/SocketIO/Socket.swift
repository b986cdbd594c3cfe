public import JSON
internal import NIOCore
internal import Synchronization
internal import TransportWire

/// A client in one namespace. Any thread may use it: what changes belongs to the session's event loop and is reached by
/// a hop; on that loop itself calls act at once. What one thread sends arrives in its order.
public final class Socket: Sendable {
    let key: SessionID
    private let isQualified: Bool
    /// A client of Socket.IO 2, which does not come back.
    private let namesSession: Bool
    /// The namespace that the socket is in.
    public let namespace: Namespace
    /// What the client brought.
    public let handshake: Handshake
    /// What the namespace's last middleware returned; an empty tuple when there is none.
    public let context: any Sendable
    private let eventLoop: any EventLoop
    private let core: NIOLoopBound<SocketCore>
    /// True when the client has lost its connection and come back: it has the id, the rooms and the ``data`` that it had,
    /// and has been sent what it missed (R3).
    public let recovered: Bool
    /// Any thread: ``data`` is read everywhere.
    let storedData: SocketData
    let expiry = SocketExpiry()

    private static let tokens = Atomic<UInt64>(0)

    /// Made on the session's loop.
    init(
        _ core: SocketCore, handshake: Handshake, context: any Sendable, eventLoop: any EventLoop, data: SocketData = SocketData(),
        recovered: Bool = false
    ) {
        storedData = data
        self.recovered = recovered
        key = core.key
        isQualified = core.isQualified
        namesSession = core.namesSession
        namespace = core.namespace
        self.handshake = handshake
        self.context = context
        self.eventLoop = eventLoop
        self.core = NIOLoopBound(core, eventLoop: eventLoop)
    }

    /// Public, and another one than the session's (E8), but for clients of Socket.IO 2 (L5). Also the name of a room that
    /// the socket alone is in (S11).
    public var id: String { SocketCore.id(key, isQualified: isQualified, namespace) }

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

    func setExpiry(_ deadline: NIODeadline?, ending scope: ExpiryScope) { onLoop { $0.setExpiry(deadline, scope) } }

    // MARK: Answers that the client waits for (S7)

    /// The client has asked something; on the socket's loop.
    func owesAnswer() { core.value.questions += 1 }

    /// The client gets these frames, or will never have an answer.
    func answered(_ frames: ByteBuffer?) {
        onLoop { core in
            core.questions -= 1
            if let frames { core.send(frames) }
        }
    }

    // MARK: Sending

    /// Sends an event. Reserved names (S3) are counted and not sent. Dropped when disconnected; where connections are
    /// recovered it is kept for a client that has lost its own and may come back.
    public func emit(_ event: String, _ arguments: [JSONValue] = []) { emit(event, arguments, EmitFlags()) }

    func emit(_ event: String, _ arguments: [JSONValue], _ flags: EmitFlags) {
        guard namespace.mayEmit(event) else { return }
        if !namesSession, namespace.services.recovery?.send(event, arguments, flags, to: key, in: namespace.name) == true { return }
        var outgoing = OutgoingEvent(event, arguments, in: namespace, isRecoverable: !namesSession)
        let isVolatile = flags.isVolatile
        if let recovery = namespace.services.recovery, !namesSession {
            return recovery.publish(&outgoing, in: namespace, to: key, isVolatile: isVolatile)
        }
        onLoop { [outgoing] in $0.emit(outgoing, isVolatile: isVolatile) }
    }

    /// Sends an event and waits for the client's answer.
    ///
    /// - Parameter timeout: `ackTimeout` of the configuration unless given; there is no waiting for ever (S22).
    public func emitWithAck(
        _ event: String, _ arguments: [JSONValue] = [], timeout: Duration? = nil
    ) async throws(AcknowledgementError) -> [JSONValue] {
        guard namespace.mayEmit(event) else { throw .reservedName }
        guard !Task.isCancelled else { throw .cancelled }
        let token = Self.tokens.add(1, ordering: .relaxed).newValue
        let timeout = (timeout ?? namespace.services.ackTimeout).timeAmount
        let id = namespace.newAckID()
        let outgoing = OutgoingEvent(event, arguments, in: namespace, ackID: id)
        let answer: AckTable.Answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                onLoop { $0.ask(outgoing, id: id, token: token, timeout: timeout) { continuation.resume(returning: $0) } }
            }
        } onCancel: {
            onLoop { $0.cancelAsk(token: token) }
        }
        return try answer.get()
    }

    // MARK: Handlers of this socket (S18)

    /// Sets this socket's handler of an event, called after the namespace's. Set it in the namespace's `onConnect`, so
    /// that no event comes before.
    public func on(_ event: String, _ handler: @escaping HandlerTable.EventHandler) {
        onLoop { $0.register { $0.events[event] = handler } }
    }

    /// Adds a middleware of this socket's events. See ``HandlerScope/useEvents(_:)``; it runs after the namespace's.
    public func use(_ middleware: @escaping HandlerTable.EventMiddleware) {
        onLoop { $0.register { $0.eventMiddlewares.append(middleware) } }
    }

    /// See ``HandlerScope/onAny(_:)``.
    public func onAny(_ handler: @escaping HandlerTable.AnyHandler) { onLoop { $0.register { $0.any.append(handler) } } }

    /// See ``HandlerScope/onAnyOutgoing(_:)``.
    public func onAnyOutgoing(_ handler: @escaping HandlerTable.AnyHandler) {
        onLoop { $0.register { $0.anyOutgoing.append(handler) } }
    }

    /// For an asynchronous handler's turn. Called on the loop, where handlers are.
    ///
    /// - Returns: false when too many wait.
    func enqueue(weight: Int, _ job: @escaping HandlerQueue.Job) -> Bool { core.value.enqueue(weight: weight, job) }

    // MARK: Rooms

    /// The rooms that the socket is in, its own first; none when it is disconnected.
    public func rooms() async -> [String] {
        let core = core
        return (try? await eventLoop.submit { core.value.isConnected ? core.value.roomNames : [] }.get()) ?? []
    }

    /// Joins rooms. Beyond ``TransportLimits/roomsPerSocketMax`` nothing is joined, and counted.
    public func join(_ rooms: [String]) { onLoop { $0.join(rooms) } }
    /// Joins a room.
    public func join(_ room: String) { join([room]) }

    /// Leaves rooms; those that the socket is not in are left alone.
    public func leave(_ rooms: [String]) { onLoop { $0.leave(rooms) } }
    /// Leaves a room.
    public func leave(_ room: String) { leave([room]) }

    /// Leaves the namespace; with `closingSession` all namespaces of the session, and closes it (S16).
    public func disconnect(closingSession: Bool = false) {
        guard let stream = namespace.services.recovery?.stream else { return onLoop { $0.disconnect(closingSession: closingSession) } }
        // What was sent to it before goes by the cluster's stream; from the client nothing is heard any more.
        onLoop { $0.isLeaving = true }
        stream.afterSent { self.onLoop { $0.disconnect(closingSession: closingSession) } }
    }

    // MARK: End

    /// Called once, on the session's loop, while the socket is still in its rooms, which it is told (S16). What it sends
    /// to the socket itself is dropped.
    public func onDisconnecting(_ handler: @escaping @Sendable (DisconnectReason, [String]) -> Void) {
        onLoop { $0.onDisconnecting(handler) }
    }

    /// Called once, on the session's loop, after the rooms are left; at once when the socket is disconnected already.
    public func onDisconnect(_ handler: @escaping @Sendable (DisconnectReason) -> Void) { onLoop { $0.onDisconnect(handler) } }

    /// Opens a feed: the source is read when it has signalled and the session has room.
    public func openFeed(_ source: any FeedSource) -> Feed {
        let feed = Feed(source, eventLoop: eventLoop, core: core)
        onLoop { $0.open(feed) }
        return feed
    }
}
