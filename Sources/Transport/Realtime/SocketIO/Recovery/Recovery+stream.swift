internal import Digest
internal import JSON
internal import NIOCore
internal import Telemetry

/// A cluster's stream: how events get their place in it, and what is done with what is read.
extension Recovery {
    /// Whether a socket that joins now can come back.
    var takesSockets: Bool { stream?.isReady ?? true }

    /// Gives a command to the stream, from which this server gets it back as all do.
    ///
    /// - Returns: false when it is to be performed here and now: on one server, for what is not kept, and while there is no stream.
    func send(_ command: ClusterCommand, in namespace: String) -> Bool {
        guard let stream else { return false }
        switch command {
        case .serverSideEmit: return false
        case .emit(_, _, let target, let flags):
            // In the stream an empty list would mean everybody.
            if target.rooms?.isEmpty == true { return true }
            if flags.isVolatile { return false }
        case .join(_, let target), .leave(_, let target), .disconnect(_, let target):
            if target.rooms?.isEmpty == true { return true }
        }
        let isTaken = stream.send(command, namespace: namespace)
        if !isTaken { metrics.unstored.add() }
        return isTaken
    }

    /// An event for one socket, wherever it is by now.
    func send(_ event: String, _ arguments: [JSONValue], _ flags: EmitFlags, to socket: SessionID, in namespace: String) -> Bool {
        guard stream != nil else { return false }
        guard withState({ $0.sockets.isKnown(socket) }) else { return true }
        return send(.emit(event, arguments, BroadcastTarget(rooms: [String(describing: socket)]), flags), in: namespace)
    }

    /// Takes what was read, in its order.
    func receive(_ readings: [RecoveryReading], _ directory: NamespaceDirectory, _ services: SocketServices) {
        for reading in readings {
            switch reading {
            case .command(let command, let name, let offset, let isLive):
                enter(command, in: name, at: offset, isLive ? directory.existing(name) : nil, services)
            case .unstored(let command, let name):
                metrics.unstored.add()
                directory.existing(name)?.perform(command)
            case .taken(let id, let offset): takenElsewhere(id, at: offset)
            case .begins(let offset): cut(at: offset)
            case .gap(let offset):
                metrics.gaps.add()
                cut(at: offset)
            case .lost(let target, let name, let offset): withState { $0.log.lose(target, in: name, at: offset) }
            case .passed(let offset): withState { $0.log.pass(offset) }
            }
        }
    }

    private func cut(at offset: RecoveryOffset) {
        withState { state in
            state.log.cut(at: offset)
            state.away.cut(at: offset)
        }
    }

    private func enter(
        _ command: ClusterCommand, in name: String, at offset: RecoveryOffset, _ namespace: Namespace?, _ services: SocketServices
    ) {
        guard case .emit(let event, let arguments, let target, let flags) = command else {
            let woken = withState { state -> [Int] in
                state.log.pass(offset)
                state.away.append(command, in: name, at: offset)
                return namespace.map { enqueue(Delivery(namespace: $0, work: .command(command)), &state) } ?? []
            }
            return wake(woken)
        }
        var outgoing = OutgoingEvent(event, arguments, in: name, services: services)
        outgoing.stamp(offset)
        let only = target.rooms?.count == 1 ? target.rooms?.first.flatMap { SessionID($0) } : nil
        let woken = withState { [outgoing] state -> [Int] in
            if flags.isVolatile {
                state.log.pass(offset)
            } else {
                let entry = RecoveryLog.Entry(offset: offset, namespace: name, target: target, frames: outgoing.frames)
                keep(entry, at: offset.rawValue, &state)
            }
            guard let namespace else { return [] }
            let loop = only.flatMap { state.sockets.live($0)?.loop }
            return enqueue(
                Delivery(namespace: namespace, work: .event(outgoing, target, isVolatile: flags.isVolatile)),
                for: loop.map { $0..<$0 + 1 }, &state)
        }
        wake(woken)
    }

    /// The client has gone on elsewhere: what is here is over, and not to be kept but for the socket's face here, which reaches it still.
    private func takenElsewhere(_ id: SessionID, at offset: RecoveryOffset) {
        let now = clock()
        let live = withState { state -> LivePlace? in
            state.log.pass(offset)
            guard let pid = state.sockets.pid(of: id), let socket = state.sockets.socket(pid), socket.claimed < offset else { return nil }
            if state.sockets.keep(pid, rooms: [], at: now) > 0 { metrics.socketsEvicted.add() }
            return socket.live
        }
        live?.eventLoop.execute { live?.core.value?.giveUp(closesEmpty: true) }
    }

    // MARK: Sockets that come back

    enum Recall: Sendable {
        case taken(RecoverySession, RecoveryOffset)
        /// To be a new socket.
        case fresh
    }

    /// Takes a socket from wherever it is, for a client whose middlewares have said who it is. The first half of what
    /// ``claim(_:in:context:at:mayTakeOver:)`` does on one server.
    func recall(_ request: RecoveryRequest, in namespace: String, context: any Sendable) async -> Recall {
        guard let stream, stream.isReady else { return refused(.unavailable) }
        if let live = liveHere(request.pid, in: namespace) {
            guard isSame(live.context, context) else { return refused(.identity) }
            // The application hears of the end of the old connection first.
            if let place = live.live { try? await place.eventLoop.submit { place.core.value?.giveUp() }.get() }
        }
        do throws(RecoveryStreamFault) {
            guard let found = try await stream.find(request.pid) else { return refused(reasonOfAbsence(request, in: namespace)) }
            if let details = found.details, details.namespace != namespace { return refused(.unknownSocket) }
            guard isIdentity(found.details, of: context, pid: request.pid) else { return refused(.identity) }
            guard let (session, place) = try await stream.take(request.pid) else { return refused(.unknownSocket) }
            return .taken(session, place)
        } catch {
            return refused(.unavailable)
        }
    }

    private func refused(_ outcome: RecoveryOutcome) -> Recall {
        metrics.count(outcome)
        return .fresh
    }

    private func liveHere(_ pid: SessionID, in namespace: String) -> RecoverableSocket? {
        withState { $0.sockets.socket(pid) }.flatMap { $0.live != nil && $0.namespace == namespace ? $0 : nil }
    }

    /// Redis forgets without a word: what this server remembers, and the age of what the client saw last, tell why.
    private func reasonOfAbsence(_ request: RecoveryRequest, in namespace: String) -> RecoveryOutcome {
        let now = clock()
        let duration = UInt64(clamping: policy.maxDisconnectionDuration.wholeMilliseconds)
        return withState { state in
            if case .expired = state.sockets.find(request.pid, in: namespace, at: now) { return .expired }
            guard let offset = request.offset, offset.rawValue < UInt64.max - duration else { return .unknownSocket }
            return offset.rawValue + duration < state.log.last.rawValue ? .expired : .unknownSocket
        }
    }

    /// Gives a socket that was taken to the loop on which it goes on (R3). The second half.
    func restore(
        _ session: RecoverySession, takenAt place: RecoveryOffset, _ request: RecoveryRequest, in namespace: String,
        context: any Sendable, at live: LivePlace
    ) -> Claim {
        let details = session.details
        var kept = RecoverableSocket(
            key: session.id, namespace: namespace, start: details?.start ?? .start, data: SocketData(session.data), context: context,
            live: live)
        kept.rooms = session.rooms.map { ($0.name, $0.since) }
        kept.claimed = place
        let result = settle(live.loop) { [kept] state -> Result<Restored, Missing> in
            var socket = kept
            if let details {
                switch state.away.perform(on: kept, since: details.at) {
                case nil: return .failure(Missing(outcome: .offsetUnknown))
                case .disconnected?: return .failure(Missing(outcome: .unknownSocket))
                case .stays(let changed)?: socket = changed
                }
            }
            // What the client has seen was there before it was taken.
            guard let after = request.offset ?? details?.start, after <= place else {
                return .failure(Missing(outcome: .offsetUnknown))
            }
            guard let missed = state.log.missed(after: after, in: namespace, rooms: socket.rooms, start: socket.start) else {
                return .failure(Missing(outcome: .offsetUnknown))
            }
            guard missed.reduce(0, { $0 + $1.frames.readableBytes }) <= replayBytesMax else {
                return .failure(Missing(outcome: .tooMuch))
            }
            state.sockets.remove(request.pid)
            state.sockets.insert(socket, pid: request.pid)
            return .success(Restored(socket: socket, missed: missed))
        }
        switch result {
        case .failure(let missing):
            metrics.count(missing.outcome)
            return .fresh
        case .success(let restored):
            metrics.count(.recovered)
            return .restored(restored)
        }
    }

    // MARK: Identity

    /// Nobody is asked who the client is when the middlewares are to be skipped. A socket that a server of Node.js has kept stands for
    /// nobody, so that nobody can show to be the same.
    private func isIdentity(_ kept: RecoverySession.Details?, of context: any Sendable, pid: SessionID) -> Bool {
        if policy.skipMiddlewares { return true }
        guard let kept else { return false }
        return kept.identity == Self.digest(of: context, pid: pid)
    }

    private func isSame(_ old: any Sendable, _ new: any Sendable) -> Bool {
        policy.skipMiddlewares
            || (old as? any RecoveryIdentity)?.recoveryIdentity == (new as? any RecoveryIdentity)?.recoveryIdentity
    }

    /// What is written of whom a socket stands for: nobody reads it there, and two sockets of one identity have two.
    static func digest(of context: any Sendable, pid: SessionID) -> String? {
        guard let identity = (context as? any RecoveryIdentity)?.recoveryIdentity else { return nil }
        return Digest.hex(Digest.hmacSHA256(identity.utf8, key: String(describing: pid).utf8))
    }
}
