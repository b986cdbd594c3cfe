internal import DequeModule

/// A socket that can be recovered, as it is kept.
struct RecoverableSocket: Sendable {
    let key: SessionID
    let namespace: String
    /// Since when it is in the namespace.
    let start: RecoveryOffset
    let data: SocketData
    let context: any Sendable
    /// Nil while it is kept, that is, not connected.
    var live: LivePlace?
    /// Its own first. While it is connected they are with its core.
    var rooms: [(name: String, since: RecoveryOffset)] = []
    /// Where it was taken over from another server; what is told of it up to there is old.
    var claimed = RecoveryOffset.start
    /// While it is kept: when it is forgotten, in microseconds, and what it costs in bytes, roughly.
    fileprivate(set) var expiry: UInt64 = 0
    fileprivate(set) var weight = 0

    init(key: SessionID, namespace: String, start: RecoveryOffset, data: SocketData, context: any Sendable, live: LivePlace?) {
        self.key = key
        self.namespace = namespace
        self.start = start
        self.data = data
        self.context = context
        self.live = live
    }

    fileprivate func isMeant(by target: BroadcastTarget) -> Bool {
        func isIn(_ names: [String]) -> Bool { rooms.contains { names.contains($0.name) } }
        return (target.rooms.map(isIn) ?? true) && !isIn(target.except)
    }

    /// Does to it, while it is away, what is done to all who are meant. Rooms are joined from `since` on.
    ///
    /// - Returns: false when it must not come back.
    mutating func perform(_ command: ClusterCommand, since: RecoveryOffset) -> Bool {
        switch command {
        case .join(let names, let target) where isMeant(by: target):
            for name in names where !rooms.contains(where: { $0.name == name }) {
                guard rooms.count <= TransportLimits.roomsPerSocketMax, name.utf8.count <= TransportLimits.roomNameBytesMax else { break }
                rooms.append((name, since))
            }
        case .leave(let names, let target) where isMeant(by: target):
            // The first is the socket's own, which it cannot leave.
            rooms = Array(rooms.prefix(1)) + rooms.dropFirst().filter { !names.contains($0.name) }
        case .disconnect(_, let target): return !isMeant(by: target)
        default: break
        }
        return true
    }
}

/// The sockets that have a `pid`: those that are connected, and those that are kept for a while (R3). A value that knows
/// no clock; guarded by ``Recovery``.
struct RecoverableSockets {
    enum Finding {
        case found(RecoverableSocket)
        case expired
        /// Never there, of another namespace, let go to save room, or long gone.
        case unknown
    }

    /// One that was kept; it may have come back since.
    private struct Turn {
        let pid: SessionID
        let expiry: UInt64
    }

    private let socketsMax: Int
    private let bytesMax: Int
    private let duration: UInt64
    private var sockets: [SessionID: RecoverableSocket] = [:]
    private var pids: [SessionID: SessionID] = [:]
    /// The first to expire first.
    private var turns: Deque<Turn> = []
    private(set) var keptCount = 0
    private(set) var keptBytes = 0
    /// Expired not long ago: only to tell why they are not there.
    private var gone: Set<SessionID> = []
    private var goneTurns: Deque<Turn> = []

    init(socketsMax: Int, bytesMax: Int, duration: UInt64) {
        self.socketsMax = socketsMax
        self.bytesMax = bytesMax
        self.duration = duration
    }

    mutating func insert(_ socket: RecoverableSocket, pid: SessionID) {
        sockets[pid] = socket
        pids[socket.key] = pid
    }

    mutating func find(_ pid: SessionID, in namespace: String, at now: UInt64) -> Finding {
        expire(at: now)
        if let socket = sockets[pid], socket.namespace == namespace { return .found(socket) }
        return gone.contains(pid) ? .expired : .unknown
    }

    /// Where the socket of this id is connected; nil: nowhere.
    func live(_ id: SessionID) -> LivePlace? { pids[id].flatMap { sockets[$0]?.live } }

    /// True while the socket is connected or kept: what is sent to it alone is worth keeping.
    func isKnown(_ id: SessionID) -> Bool { pids[id] != nil }

    /// The socket has come back.
    mutating func resume(_ pid: SessionID, at place: LivePlace) {
        guard var socket = sockets[pid], socket.live == nil else { return }
        release(socket)
        socket.live = place
        socket.rooms = []
        sockets[pid] = socket
    }

    /// The connection has ended, for a reason after which the socket may come back (R4).
    ///
    /// - Returns: how many others were forgotten before their time to make room.
    mutating func keep(_ pid: SessionID, rooms: [(name: String, since: RecoveryOffset)], at now: UInt64) -> Int {
        guard var socket = sockets[pid], socket.live != nil else { return 0 }
        expire(at: now)
        socket.live = nil
        socket.rooms = rooms
        socket.expiry = now + duration
        socket.weight = rooms.reduce(512 + socket.data.weight) { $0 + $1.name.utf8.count + 32 }
        sockets[pid] = socket
        keptCount += 1
        keptBytes += socket.weight
        turns.append(Turn(pid: pid, expiry: socket.expiry))
        var early = 0
        while keptCount > socketsMax || keptBytes > bytesMax, let first = turns.popFirst() {
            guard isKept(first) else { continue }
            remove(first.pid)
            early += 1
        }
        // Those that come and go all the time leave old turns behind.
        if turns.count > 2 * keptCount + 1_000 { turns = Deque(turns.filter { isKept($0) }) }
        return early
    }

    private func isKept(_ turn: Turn) -> Bool {
        guard let socket = sockets[turn.pid] else { return false }
        return socket.live == nil && socket.expiry == turn.expiry
    }

    /// It will not come back.
    mutating func remove(_ pid: SessionID) {
        guard let socket = sockets.removeValue(forKey: pid) else { return }
        pids[socket.key] = nil
        if socket.live == nil { release(socket) }
    }

    private mutating func release(_ socket: RecoverableSocket) {
        keptCount -= 1
        keptBytes -= socket.weight
    }

    mutating func expire(at now: UInt64) {
        while let first = turns.first, first.expiry <= now {
            turns.removeFirst()
            guard isKept(first) else { continue }
            remove(first.pid)
            gone.insert(first.pid)
            goneTurns.append(Turn(pid: first.pid, expiry: now + duration))
        }
        while let first = goneTurns.first, first.expiry <= now || goneTurns.count > socketsMax {
            goneTurns.removeFirst()
            gone.remove(first.pid)
        }
    }

    // MARK: What is done to those who are away

    /// Who is thrown out of a room, or out of the namespace, while away does not come back into it. Rooms are joined from
    /// `since` on.
    mutating func apply(_ command: ClusterCommand, in namespace: String, since: RecoveryOffset) {
        switch command {
        case .emit, .serverSideEmit: return
        case .join, .leave, .disconnect: break
        }
        for turn in turns where isKept(turn) {
            guard var socket = sockets[turn.pid], socket.namespace == namespace else { continue }
            if socket.perform(command, since: since) { sockets[turn.pid] = socket } else { remove(turn.pid) }
        }
    }

    // MARK: Other servers

    /// The pid of the socket of this id, connected or kept.
    func pid(of id: SessionID) -> SessionID? { pids[id] }

    func socket(_ pid: SessionID) -> RecoverableSocket? { sockets[pid] }

    /// Places in the order of expiry, old ones among them; for tests.
    var turnCount: Int { turns.count }

    /// What must hold after every step; for tests.
    func checkInvariants() {
        let kept = sockets.values.filter { $0.live == nil }
        precondition(kept.count == keptCount && kept.reduce(0) { $0 + $1.weight } == keptBytes, "kept sockets are counted wrongly")
        precondition(pids.count == sockets.count, "a socket without a pid, or the other way round")
        precondition(keptCount <= socketsMax && keptBytes <= bytesMax, "a limit is passed")
    }
}
