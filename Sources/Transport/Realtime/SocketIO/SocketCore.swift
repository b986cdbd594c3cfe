internal import JSON
internal import NIOCore
internal import Telemetry

/// The state of one socket. Confined to its session's loop; ``Socket`` is its face for everybody else.
final class SocketCore {
    struct Seat {
        let room: NamespaceShard.Room
        var index: Int
    }

    let key: SessionID
    let namespace: Namespace
    let table: Namespace.Table
    private let shard: NamespaceShard
    /// Nil once the socket is disconnected.
    private(set) var connection: SocketConnection?
    /// Owned by the shard, as is ``stamp``.
    var rooms: [Seat] = []
    var stamp: UInt64 = 0
    /// Made when the first acknowledgement is asked for: most sockets never do.
    private var acks: AckTable?
    private var feeds: [Feed] = []
    /// Feeds that wait for the session to have room.
    private var starved: [Feed] = []
    private var disconnectHandlers: [@Sendable (DisconnectReason) -> Void] = []
    private var reason: DisconnectReason?

    init(key: SessionID, namespace: Namespace, table: Namespace.Table, shard: NamespaceShard, connection: SocketConnection) {
        self.key = key
        self.namespace = namespace
        self.table = table
        self.shard = shard
        self.connection = connection
        shard.add(self)
    }

    func send(_ frames: ByteBuffer) { connection?.session.send(frames) }

    // MARK: Rooms

    func join(_ names: [String]) {
        guard connection != nil else { return }
        for name in names where !shard.join(self, name) { connection?.hub.refusedRooms.add() }
    }

    func leave(_ names: [String]) {
        for name in names { shard.leave(self, name) }
    }

    // MARK: Acknowledgements

    func ask(_ event: String, _ arguments: [JSONValue], token: UInt64, timeout: TimeAmount, complete: @escaping (AckTable.Answer) -> Void) {
        guard let connection else { return complete(.failure(.disconnected)) }
        var table = acks ?? AckTable()
        acks = nil
        let id = table.add(token: token, deadline: connection.session.eventLoop.now + timeout, complete: complete)
        acks = table
        guard let id else { return complete(.failure(.tooManyOutstanding)) }
        connection.wake(at: table.deadline)
        send(PacketFrames.event(event, arguments, namespace: namespace.name, ackID: id))
    }

    func answered(_ id: UInt64, _ arguments: [JSONValue]) { acks?.receive(id, arguments) }

    func cancelAsk(token: UInt64) { acks?.cancel(token: token) }

    var deadline: NIODeadline { acks?.deadline ?? .distantFuture }

    func expire(at now: NIODeadline) { acks?.expire(at: now) }

    // MARK: Feeds

    func open(_ feed: Feed) {
        guard connection != nil, feeds.count < TransportLimits.feedsPerSocketMax else { return }
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
        var writer = FeedWriter(namespace: namespace.name, limit: room)
        let state = feed.source.read(into: &writer)
        if writer.frames.readableBytes > 0 { send(writer.frames) }
        switch state {
        case .idle: break
        case .more: if connection.session.hasRoom { feed.signal() } else { starve(feed) }
        case .finished: close(feed)
        }
    }

    private func starve(_ feed: Feed) {
        guard !starved.contains(where: { $0 === feed }) else { return }
        starved.append(feed)
    }

    func hasRoom() {
        guard !starved.isEmpty else { return }
        let waiting = starved
        starved = []
        for feed in waiting { feed.signal() }
    }

    // MARK: End

    func onDisconnect(_ handler: @escaping @Sendable (DisconnectReason) -> Void) {
        if let reason { handler(reason) } else { disconnectHandlers.append(handler) }
    }

    func disconnect(closingSession: Bool) { connection?.disconnect(self, closingSession: closingSession) }

    /// The socket is out: rooms, acknowledgements, feeds and handlers are let go.
    func end(_ reason: DisconnectReason) {
        guard connection != nil else { return }
        connection = nil
        self.reason = reason
        shard.remove(self)
        acks?.failAll()
        acks = nil
        feeds = []
        starved = []
        let handlers = disconnectHandlers
        disconnectHandlers = []
        for handler in handlers { handler(reason) }
    }
}
