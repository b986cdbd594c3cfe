internal import NIOCore

/// The sockets of one namespace on one loop, and their rooms (S20). Confined to that loop.
final class NamespaceShard {
    /// A room's members on this loop, in an array because a broadcast walks it.
    final class Room {
        let name: String
        fileprivate(set) var members: [SocketCore] = []

        init(name: String) {
            self.name = name
        }
    }

    private var sockets: [SessionID: SocketCore] = [:]
    private var rooms: [String: Room] = [:]
    /// Marks the sockets that the current broadcast has dealt with, so that none gets it twice.
    private var stamp: UInt64 = 0
    /// Broadcasts that wait for answers, by the id of their acknowledgement: ``TransportLimits/broadcastAcksMax`` at most.
    private var gathers: [UInt64: AckGather] = [:]

    var roomCount: Int { rooms.count }
    var roomNames: [String] { Array(rooms.keys) + sockets.keys.map(\.description) }

    func add(_ socket: SocketCore) { sockets[socket.key] = socket }

    func remove(_ socket: SocketCore) {
        while let seat = socket.rooms.last { leave(socket, seat.room) }
        sockets[socket.key] = nil
    }

    /// False when the socket is in as many rooms as it may be, or the name is too long.
    ///
    /// - Parameter since: nil: from now on.
    func join(_ socket: SocketCore, _ name: String, since: RecoveryOffset? = nil) -> Bool {
        guard name.utf8.count <= TransportLimits.roomNameBytesMax else { return false }
        let room = rooms[name] ?? Room(name: name)
        if socket.rooms.contains(where: { $0.room === room }) { return true }
        guard socket.rooms.count < TransportLimits.roomsPerSocketMax else { return false }
        rooms[name] = room
        let since = since ?? socket.recovery.map { $0.recovery.delivered(on: $0.place.loop) } ?? .start
        socket.rooms.append(SocketCore.Seat(room: room, index: room.members.count, since: since))
        room.members.append(socket)
        return true
    }

    func leave(_ socket: SocketCore, _ name: String) {
        if let room = rooms[name] { leave(socket, room) }
    }

    private func leave(_ socket: SocketCore, _ room: Room) {
        guard let position = socket.rooms.firstIndex(where: { $0.room === room }) else { return }
        let index = socket.rooms[position].index
        socket.rooms.remove(at: position)
        // The last member takes the free place.
        let last = room.members.removeLast()
        if last !== socket {
            room.members[index] = last
            if let seat = last.rooms.firstIndex(where: { $0.room === room }) { last.rooms[seat].index = index }
        }
        if room.members.isEmpty { rooms[room.name] = nil }
    }

    // MARK: Many sockets at once

    /// Sends the event to the sockets that are meant, once each (S20). A socket's id names the room that it alone is in
    /// (S11).
    func deliver(_ outgoing: OutgoingEvent, to target: BroadcastTarget, isVolatile: Bool) {
        // Listeners are the application's: called at the end, because they may change rooms or broadcast themselves.
        var listening: [SocketCore] = []
        forEach(of: target) { socket in
            if socket.listensToOutgoing { listening.append(socket) } else { socket.emit(outgoing, isVolatile: isVolatile) }
        }
        for socket in listening { socket.emit(outgoing, isVolatile: isVolatile) }
    }

    /// The sockets that are meant, for whoever may change the shard meanwhile.
    func matching(_ target: BroadcastTarget) -> [SocketCore] {
        var found: [SocketCore] = []
        forEach(of: target) { found.append($0) }
        return found
    }

    /// Sends the event to the sockets that are meant and fulfils the promise when each has answered, timed out or left
    /// (S23).
    func ask(
        _ outgoing: OutgoingEvent, id: UInt64, _ target: BroadcastTarget, timeout: TimeAmount, observer: AnswerObserver? = nil,
        _ promise: EventLoopPromise<GatheredAnswers>
    ) {
        let receivers = matching(target)
        let gather = AckGather(waiting: receivers.count, observer: observer, promise: promise)
        guard !receivers.isEmpty else { return gather.finish() }
        gathers[id] = gather
        for socket in receivers {
            socket.ask(outgoing, id: id, token: 0, timeout: timeout) { [weak self] answer in
                if gather.take(answer) { self?.gathers[id] = nil }
            }
        }
    }

    func cancelAsking(_ id: UInt64) { gathers.removeValue(forKey: id)?.cancel() }

    /// `body` must leave the shard as it is.
    private func forEach(of target: BroadcastTarget, _ body: (SocketCore) -> Void) {
        stamp += 1
        for name in target.except { forEach(in: name) { $0.stamp = stamp } }
        guard let names = target.rooms else {
            for socket in sockets.values where socket.stamp != stamp { body(socket) }
            return
        }
        for name in names {
            forEach(in: name) { socket in
                guard socket.stamp != stamp else { return }
                socket.stamp = stamp
                body(socket)
            }
        }
    }

    private func forEach(in name: String, _ body: (SocketCore) -> Void) {
        if let room = rooms[name] {
            for member in room.members { body(member) }
        } else if let socket = socket(named: name) {
            body(socket)
        }
    }

    /// The socket whose id this is; one of Socket.IO 2 may have the namespace in it, `/chat#key` (L5).
    private func socket(named id: String) -> SocketCore? {
        if let key = SessionID(id) { return sockets[key].flatMap { $0.isQualified ? nil : $0 } }
        guard id.utf8.first == UInt8(ascii: "/"), let mark = id.utf8.lastIndex(of: UInt8(ascii: "#")),
            let key = SessionID(id[id.utf8.index(after: mark)...])
        else { return nil }
        return sockets[key].flatMap { $0.id == id ? $0 : nil }
    }
}
