internal import JSON
internal import NIOCore
internal import Telemetry

/// The sockets: how they come, leave and come back.
extension Recovery {
    /// What a socket that comes back gets.
    struct Restored: Sendable {
        let socket: RecoverableSocket
        /// The frames of what it missed, oldest first.
        let missed: [SharedFrames]
    }

    enum Claim: Sendable {
        case restored(Restored)
        /// Connected still: its server has not heard yet that its connection is dead.
        case live(LivePlace)
        /// To be a new socket.
        case fresh
    }

    /// Reads and counts what the client says.
    func request(in auth: JSONValue) -> RecoveryRequest? {
        switch RecoveryRequest.read(auth, form) {
        case .none: return nil
        case .request(let request): return request
        case .refused(let outcome):
            metrics.count(outcome)
            return nil
        }
    }

    /// Gives a socket back (R3), on the loop on which it goes on.
    ///
    /// - Parameters:
    ///   - context: what the middlewares have said; nil when they were not asked.
    ///   - mayTakeOver: false for the second try, after the old connection was ended.
    func claim(
        _ request: RecoveryRequest, in namespace: String, context: (any Sendable)?, at place: LivePlace, mayTakeOver: Bool
    ) -> Claim {
        let now = clock()
        switch withState({ $0.sockets.find(request.pid, in: namespace, at: now) }) {
        case .expired: return refuse(.expired)
        case .unknown: return refuse(.unknownSocket)
        case .found(let socket):
            // The application's code: outside the lock. A stranger does not even end the socket of another.
            if let context, !Self.isSame(socket.context, context) { return refuse(.identity) }
            if let live = socket.live { return mayTakeOver ? .live(live) : refuse(.unknownSocket) }
        }
        let taken = settle(place.loop) { state -> Result<Restored, Missing> in
            guard case .found(let socket) = state.sockets.find(request.pid, in: namespace, at: now), socket.live == nil else {
                return .failure(Missing(outcome: .unknownSocket))
            }
            let missed = state.log.missed(
                after: request.offset ?? socket.start, in: namespace, rooms: socket.rooms, start: socket.start)
            guard let missed else {
                state.sockets.remove(request.pid)
                return .failure(Missing(outcome: .offsetUnknown))
            }
            guard missed.reduce(0, { $0 + $1.frames.readableBytes }) <= replayBytesMax else {
                state.sockets.remove(request.pid)
                return .failure(Missing(outcome: .tooMuch))
            }
            state.sockets.resume(request.pid, at: place)
            return .success(Restored(socket: socket, missed: missed))
        }
        switch taken {
        case .failure(let missing): return refuse(missing.outcome)
        case .success(let restored):
            metrics.count(.recovered)
            return .restored(restored)
        }
    }

    struct Missing: Error { let outcome: RecoveryOutcome }

    private func refuse(_ outcome: RecoveryOutcome) -> Claim {
        metrics.count(outcome)
        return .fresh
    }

    private static func isSame(_ old: any Sendable, _ new: any Sendable) -> Bool {
        (old as? any RecoveryIdentity)?.recoveryIdentity == (new as? any RecoveryIdentity)?.recoveryIdentity
    }

    /// A new socket has joined.
    func register(_ socket: RecoverableSocket, pid: SessionID) { withState { $0.sockets.insert(socket, pid: pid) } }

    /// The connection of a socket has ended (R4), on its loop, which is the current one. One that has been taken by another server is
    /// not known here any more.
    func ended(_ pid: SessionID, _ reason: DisconnectReason, rooms: [(name: String, since: RecoveryOffset)]) {
        let now = clock()
        // What has expired comes back by another credential, or not at all.
        let isKept = reason.isRecoverable && (reason != .expired || !policy.skipMiddlewares)
        let (socket, early) = withState { state -> (RecoverableSocket?, Int) in
            let socket = state.sockets.socket(pid)
            guard isKept else {
                state.sockets.remove(pid)
                return (socket, 0)
            }
            return (socket, state.sockets.keep(pid, rooms: rooms, at: now))
        }
        if early > 0 { metrics.socketsEvicted.add(Int64(early)) }
        guard let stream, let socket, let place = socket.live else { return }
        if isKept {
            stream.keep(session(of: socket, pid: pid, rooms: rooms, at: delivered(on: place.loop)), .end)
        } else {
            stream.forget(pid)
        }
    }

    /// A connected socket as it is kept elsewhere.
    func session(
        of socket: RecoverableSocket, pid: SessionID, rooms: [(name: String, since: RecoveryOffset)], at offset: RecoveryOffset
    ) -> RecoverySession {
        RecoverySession(
            id: socket.key, pid: pid, rooms: rooms.map { RecoverySession.Room(name: $0.name, since: $0.since) }, data: socket.data.value,
            details: RecoverySession.Details(
                namespace: socket.namespace, identity: Self.digest(of: socket.context, pid: pid), start: socket.start, at: offset))
    }

    /// Keeps a connected socket elsewhere, as it is now; on its loop.
    func keep(_ pid: SessionID, rooms: [(name: String, since: RecoveryOffset)], on loop: Int, isNew: Bool) {
        guard let stream, let socket = withState({ $0.sockets.socket(pid) }), socket.live != nil else { return }
        stream.keep(session(of: socket, pid: pid, rooms: rooms, at: delivered(on: loop)), isNew ? .create : .update)
    }

    /// Disconnects the socket wherever it is by now; one that is away does not come back.
    func disconnect(_ pid: SessionID, _ id: String, in namespace: String, closingSession: Bool) {
        let now = clock()
        let live = withState { state -> LivePlace? in
            guard case .found(let socket) = state.sockets.find(pid, in: namespace, at: now) else { return nil }
            if socket.live == nil { state.sockets.remove(pid) }
            return socket.live
        }
        if live == nil { _ = send(.disconnect(closingSessions: closingSession, BroadcastTarget(rooms: [id])), in: namespace) }
        live?.eventLoop.execute { live?.core.value?.disconnect(closingSession: closingSession) }
    }

    /// What is done to the sockets of a namespace is done to those that are away, too.
    func apply(_ command: ClusterCommand, in namespace: String) {
        withState { state in
            let since = state.log.last
            state.sockets.apply(command, in: namespace, since: since)
        }
    }

    /// Lets go of what nobody can come back for: appends do so too, and this is for an idle server.
    func forgetOld() {
        let now = clock()
        withState { state in
            // What is read from a stream is let go as more is read.
            if stream == nil { state.log.forgetOld(at: now) }
            state.sockets.expire(at: now)
        }
    }
}

extension DisconnectReason {
    /// True when the client may not know that it is gone (R4), or was too slow for what it then gets again. One that sent too much
    /// knows, and begins anew.
    var isRecoverable: Bool {
        switch self {
        case .transportError, .transportClose, .forcedClose, .pingTimeout, .serverShuttingDown, .slowConsumer, .lifetimeReached, .expired:
            true
        case .parseError, .rateLimited, .clientNamespaceDisconnect, .serverNamespaceDisconnect: false
        }
    }
}
