internal import JSON
internal import NIOCore
internal import Telemetry

/// The state of one socket. Confined to its session's loop; ``Socket`` is its face for everybody else.
final class SocketCore {
    struct Seat {
        let room: NamespaceShard.Room
        var index: Int
        /// What was emitted to the room up to here is not for this socket; used where connections are recovered.
        let since: RecoveryOffset
    }

    /// What most sockets do without.
    private final class Extras {
        /// Registered for this socket alone.
        var handlers = HandlerTable()
        var disconnecting: [@Sendable (DisconnectReason, [String]) -> Void] = []
        /// The latest volatile event, for when the transport takes it (S21).
        var latest: OutgoingEvent?
        /// Made with the first event that waits. Its task keeps it when the socket has gone.
        var queue: HandlerQueue?
        /// When the socket or its session ends unless somebody prolongs it.
        var expiry = NIODeadline.distantFuture
        var expiryScope = ExpiryScope.session
    }

    let key: SessionID
    /// The id has the namespace before the key (L5).
    let isQualified: Bool
    let namesSession: Bool
    let namespace: Namespace
    let table: SharedTable
    private let shard: NamespaceShard
    /// Nil once the socket is disconnected, as is ``socket``.
    private(set) var connection: SocketConnection?
    private(set) var socket: Socket?
    /// Owned by the shard, as is ``stamp``.
    var rooms: [Seat] = []
    var stamp: UInt64 = 0
    /// Made when the first acknowledgement is asked for: most sockets never do.
    private var acks: AckTable?
    private var extras: Extras?
    private var feeds: [Feed] = []
    /// What the client has asked and was not answered yet (S7).
    var questions = 0
    /// What its feeds said last is given this long to be heard before a drain ends the connection.
    private var restsUntil = NIODeadline.distantPast
    /// Feeds that wait for the session to have room.
    private var starved: [Feed] = []
    private var disconnectHandlers: [@Sendable (DisconnectReason) -> Void] = []
    /// Nil where connections are not recovered.
    var recovery: CoreRecovery?
    /// Set when the socket begins to leave: nothing is sent from then on.
    private var reason: DisconnectReason?

    /// - Parameter namesSession: the key is the session's: a client of Socket.IO 2, which makes its socket's id of that (L5).
    init(
        key: SessionID, namesSession: Bool = false, namespace: Namespace, table: SharedTable, shard: NamespaceShard,
        connection: SocketConnection
    ) {
        self.key = key
        self.namesSession = namesSession
        isQualified = namesSession && namespace.name != "/"
        self.namespace = namespace
        self.table = table
        self.shard = shard
        self.connection = connection
    }

    /// Joins the namespace. The socket and its core hold each other until the end.
    func begin(_ socket: Socket) {
        self.socket = socket
        shard.add(self)
    }

    var id: String { Self.id(key, isQualified: isQualified, namespace) }

    /// A socket's public id. That of Socket.IO 2 has the namespace before it, unless that is the main one.
    static func id(_ key: SessionID, isQualified: Bool, _ namespace: Namespace) -> String {
        isQualified ? "\(namespace.name)#\(key)" : String(describing: key)
    }

    var isConnected: Bool { reason == nil }
    /// It is about to be disconnected, once it has been sent what is on its way to it.
    var isLeaving = false

    func send(_ frames: ByteBuffer) {
        guard reason == nil else { return }
        connection?.session.send(frames)
    }

    // MARK: Events

    /// What was registered for this socket alone.
    var ownHandlers: HandlerTable? { extras?.handlers }

    func register(_ change: (inout HandlerTable) -> Void) {
        guard reason == nil else { return }
        change(&madeExtras().handlers)
    }

    func enqueue(weight: Int, _ job: @escaping HandlerQueue.Job) -> Bool {
        guard reason == nil else { return true }
        let extras = madeExtras()
        let queue = extras.queue ?? HandlerQueue()
        extras.queue = queue
        return queue.add(weight: weight, job)
    }

    private func madeExtras() -> Extras {
        if let extras { return extras }
        let made = Extras()
        extras = made
        return made
    }

    var listensToOutgoing: Bool { !table.handlers.anyOutgoing.isEmpty || extras?.handlers.anyOutgoing.isEmpty == false }

    /// Sends an event. A volatile one that the transport cannot take now replaces the one that waits (S21).
    func emit(_ outgoing: OutgoingEvent, isVolatile: Bool = false) {
        guard reason == nil, let connection else { return }
        if isVolatile {
            guard connection.session.isWritable else {
                let extras = madeExtras()
                if extras.latest != nil { connection.hub.services.replacedVolatile.add() }
                extras.latest = outgoing
                return
            }
            extras?.latest = nil
        }
        tell(outgoing)
        connection.session.send(outgoing.frames)
        if let offset = outgoing.offset { recovery?.sent(offset) }
    }

    private func tell(_ outgoing: OutgoingEvent) {
        guard listensToOutgoing, let socket else { return }
        for listener in table.handlers.anyOutgoing { listener(socket, outgoing.name, outgoing.arguments) }
        for listener in extras?.handlers.anyOutgoing ?? [] { listener(socket, outgoing.name, outgoing.arguments) }
    }

    /// The session takes more. `isWritable`: it would send at once.
    func hasRoom(isWritable: Bool) {
        if isWritable, extras?.latest != nil {
            // Others have been sent since, and some wait: their offset counts (R7), and a later volatile one among them too.
            let offset = recovery?.current()
            if var latest = extras?.latest {
                extras?.latest = nil
                if let offset { latest.stamp(offset) }
                emit(latest)
            }
        }
        guard !starved.isEmpty else { return }
        let waiting = starved
        starved = []
        for feed in waiting { feed.wake() }
    }

    // MARK: Rooms

    func join(_ names: [String]) { join(names.map { name -> (name: String, since: RecoveryOffset?) in (name, nil) }) }

    /// - Parameter rooms: each with the place since which the socket is in there; nil: from now on.
    func join(_ rooms: [(name: String, since: RecoveryOffset?)]) {
        guard reason == nil else { return }
        for room in rooms where !shard.join(self, room.name, since: room.since) { connection?.hub.services.refusedRooms.add() }
        // A client that has been told of it may be elsewhere in a moment.
        changed(isUrgent: true)
    }

    func leave(_ names: [String]) {
        for name in names { shard.leave(self, name) }
        if reason == nil { changed(isUrgent: true) }
    }

    /// The socket's own room first (S11).
    var roomNames: [String] { [id] + rooms.map(\.room.name) }

    var placesInRooms: [(name: String, since: RecoveryOffset)] {
        [(String(describing: key), .start)] + rooms.map { ($0.room.name, $0.since) }
    }

    var snapshot: SocketSnapshot? {
        guard let socket, reason == nil else { return nil }
        return SocketSnapshot(id: socket.id, handshake: socket.handshake, rooms: roomNames, data: socket.data)
    }

    // MARK: Acknowledgements

    func ask(
        _ outgoing: OutgoingEvent, id: UInt64, token: UInt64, timeout: TimeAmount, complete: @escaping (AckTable.Answer) -> Void
    ) {
        guard let connection, reason == nil else { return complete(.failure(.disconnected)) }
        var table = acks ?? AckTable()
        acks = nil
        let isAdded = table.add(id, token: token, deadline: connection.session.eventLoop.now + timeout, complete: complete)
        acks = table
        guard isAdded else { return complete(.failure(.tooManyOutstanding)) }
        connection.wake(at: table.deadline)
        emit(outgoing)
    }

    func awaits(_ id: UInt64) -> Bool { acks?.contains(id) == true }

    func answered(_ id: UInt64, _ arguments: [JSONValue]) {
        let complete = acks?.receive(id)
        complete?(.success(arguments))
    }

    func cancelAsk(token: UInt64) {
        let complete = acks?.cancel(token: token)
        complete?(.failure(.cancelled))
    }

    var deadline: NIODeadline {
        min(acks?.deadline ?? .distantFuture, recovery?.announceAt ?? .distantFuture, extras?.expiry ?? .distantFuture)
    }

    func setExpiry(_ deadline: NIODeadline?, _ scope: ExpiryScope) {
        guard reason == nil, deadline != nil || extras != nil else { return }
        madeExtras().expiry = deadline ?? .distantFuture
        madeExtras().expiryScope = scope
        connection?.wake(at: deadline ?? .distantFuture)
    }

    func expire(at now: NIODeadline) {
        announceIfDue(at: now)
        let overdue = acks?.expire(at: now) ?? []
        for complete in overdue { complete(.failure(.timedOut)) }
        guard let extras, extras.expiry <= now else { return }
        switch extras.expiryScope {
        case .session: connection?.session.close(.expired)
        case .namespace: disconnect(closingSession: false)
        }
    }

    // MARK: Feeds

    var hasFeeds: Bool { !feeds.isEmpty }

    /// The client is being sent something long or has just been, or waits for an answer.
    func isBusy(at now: NIODeadline) -> Bool { hasFeeds || questions > 0 || now < restsUntil }

    func open(_ feed: Feed) {
        guard reason == nil, feeds.count < TransportLimits.feedsPerSocketMax else { return feed.source.closed() }
        feeds.append(feed)
    }

    func close(_ feed: Feed) {
        feeds.removeAll { $0 === feed }
        starved.removeAll { $0 === feed }
    }

    /// Lets the feed write, if the session has room; otherwise it is remembered for when it has.
    func turn(_ feed: Feed) {
        guard let connection, feeds.contains(where: { $0 === feed }) else { return }
        let room = connection.session.room
        guard room > 0 else { return starve(feed) }
        feed.answer()
        var writer = FeedWriter(namespace: namespace.name, packets: namespace.services.packets, limit: room, recovery: recovery)
        let state = feed.source.read(into: &writer)
        if writer.frames.readableBytes > 0 { send(writer.frames) }
        switch state {
        case .idle: break
        case .more: if connection.session.hasRoom { feed.signal() } else { starve(feed) }
        case .finished:
            close(feed)
            restsUntil = .now() + TransportLimits.feedRest
        }
    }

    private func starve(_ feed: Feed) {
        feed.wait()
        guard !starved.contains(where: { $0 === feed }) else { return }
        starved.append(feed)
    }

    // MARK: End

    func onDisconnect(_ handler: @escaping @Sendable (DisconnectReason) -> Void) {
        if connection == nil, let reason { handler(reason) } else { disconnectHandlers.append(handler) }
    }

    func onDisconnecting(_ handler: @escaping @Sendable (DisconnectReason, [String]) -> Void) {
        guard reason == nil else { return }
        madeExtras().disconnecting.append(handler)
    }

    func disconnect(closingSession: Bool) {
        guard reason == nil else {
            guard let recovery else { return }
            return recovery.recovery.disconnect(recovery.pid, id, in: namespace.name, closingSession: closingSession)
        }
        connection?.disconnect(self, closingSession: closingSession)
    }

    /// The socket leaves: `disconnecting` while it is in its rooms, then rooms, acknowledgements, feeds and handlers are
    /// let go, then `disconnect` (S16).
    func end(_ reason: DisconnectReason) {
        guard self.reason == nil else { return }
        self.reason = reason
        if let extras, !extras.disconnecting.isEmpty {
            let names = roomNames
            for handler in extras.disconnecting { handler(reason, names) }
        }
        if let recovery {
            recovery.place.core.value = nil
            socket?.storedData.onChange(nil)
            recovery.recovery.ended(recovery.pid, reason, rooms: placesInRooms)
        }
        shard.remove(self)
        connection = nil
        let unanswered = acks?.removeAll() ?? []
        acks = nil
        let open = feeds
        feeds = []
        starved = []
        for feed in open { feed.source.closed() }
        let handlers = disconnectHandlers
        disconnectHandlers = []
        extras = nil
        for complete in unanswered { complete(.failure(.disconnected)) }
        for handler in handlers { handler(reason) }
        socket = nil
    }
}
