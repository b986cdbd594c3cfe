internal import JSON
internal import NIOCore
internal import Telemetry
internal import TransportWire

/// The Socket.IO side of one session: decodes its packets and leads them to the sockets of its namespaces (S10–S16).
/// Confined to the session's loop.
final class SocketConnection: SessionDelegate {
    /// A namespace that decides whether it takes the client; without a task when an old connection has to end first.
    private struct Attempt {
        let name: String
        let task: Task<Void, Never>?
    }

    /// A client that wants into a namespace.
    private struct Arrival: Sendable {
        let name: String
        let handshake: Handshake
        /// The socket that it wants back.
        var wish: RecoveryRequest?
        /// False once the socket's old connection was ended for it.
        var mayTakeOver = true
    }

    /// What it has decided.
    private enum Verdict: Sendable {
        case unknown
        case refused(Namespace, ConnectRefusal)
        /// The context is nil when the middlewares were not asked.
        case admitted(Namespace, SharedTable, context: (any Sendable)?)
    }

    /// The session owns this object and is the last to go.
    unowned let session: EngineSession
    let hub: SocketHub
    private var decoder: SocketIODecoder
    private var members: [SocketCore] = []
    private var attempts: [Attempt] = []
    /// Namespaces that the server has disconnected: what the client had sent before it knew is not its fault.
    private var left: [String] = []
    private var connectDeadline: NIODeadline
    /// When the session has lived long enough.
    private let lifeDeadline: NIODeadline
    private var isClosed = false
    var limiter = PacketLimiter()

    init(session: EngineSession, hub: SocketHub) {
        self.session = session
        self.hub = hub
        decoder = SocketIODecoder(limits: hub.wireLimits(session.form.revision))
        connectDeadline = session.eventLoop.now + hub.services.connectTimeout
        let life = hub.services.lifetime.map { $0.time(.random(in: 0...1)) }
        lifeDeadline = life.map { session.eventLoop.now + $0 } ?? .distantFuture
        session.applicationDeadline = min(connectDeadline, lifeDeadline)
    }

    // MARK: SessionDelegate

    func opened() {
        // Clients of Socket.IO 2 are in the main namespace without asking (L5).
        if isRevision3 { connect("/", auth: .object(NamespaceQuery.object(session.request.query))) }
    }

    private var isRevision3: Bool { session.form.revision == .three }

    func received(_ message: ByteBuffer, isBinary: Bool) {
        limiter.received(message.readableBytes)
        do throws(WireError) {
            if let packet = try packet(of: message, isBinary), mayPass(packet) { receive(packet) }
        } catch {
            // A client that does not speak the protocol is not negotiated with (S4).
            hub.services.parseErrors.add()
            session.close(.parseError, discard: true)
        }
    }

    private func packet(of message: ByteBuffer, _ isBinary: Bool) throws(WireError) -> SocketIOPacket? {
        var packet: SocketIOPacket?
        switch hub.services.packets.parser {
        case .json: packet = try isBinary ? decoder.binary(message) : decoder.text(message)
        case .msgpack:
            guard isBinary else { throw .invalidPayload }
            packet = try MessagePackPackets.decode(message, limits: hub.wireLimits(session.form.revision))
        }
        if isRevision3 { try NamespaceQuery.take(from: &packet, namespaceBytes: hub.wireLimits(.four).namespaceBytes) }
        return packet
    }

    func hasRoom() {
        // Asked once: the volatile events of all namespaces may leave together.
        let isWritable = session.isWritable
        for member in members { member.hasRoom(isWritable: isWritable) }
    }

    func deadlinePassed(at now: NIODeadline) {
        if connectDeadline <= now { return session.close(.forcedClose, discard: true) }
        if lifeDeadline <= now { return session.close(.lifetimeReached) }
        for member in members { member.expire(at: now) }
        wake(at: members.reduce(min(connectDeadline, lifeDeadline)) { min($0, $1.deadline) })
    }

    func closed(_ reason: CloseReason) {
        isClosed = true
        for attempt in attempts { attempt.task?.cancel() }
        attempts = []
        let leaving = members
        members = []
        for member in leaving { end(member, DisconnectReason(reason)) }
    }

    var isBusy: Bool { members.contains { $0.hasFeeds } }

    func wake(at deadline: NIODeadline) {
        session.applicationDeadline = min(session.applicationDeadline, deadline)
    }

    // MARK: Packets

    func member(of namespace: String) -> SocketCore? { members.first { $0.namespace.name == namespace } }

    private func receive(_ packet: SocketIOPacket) {
        if packet.kind == .connect { return connect(packet.namespace, auth: packet.data ?? .object(JSONObject())) }
        guard let member = member(of: packet.namespace) else {
            if left.contains(packet.namespace) { return }
            return violate()
        }
        switch packet.kind {
        case .event, .binaryEvent: dispatch(packet, to: member)
        case .ack, .binaryAck: if let id = packet.ackID { member.answered(id, packet.data?.arrayValue ?? []) }
        case .disconnect: leave(member, .clientNamespaceDisconnect)
        case .connect, .connectError: violate()
        }
    }

    /// A packet that this client must not send now (S14).
    private func violate() { session.close(.forcedClose, discard: true) }

    /// Those who hear of everything, then the middlewares, then the handlers (S18). Each of them may disconnect the
    /// socket, and then the event goes no further (S19).
    private func dispatch(_ packet: SocketIOPacket, to core: SocketCore) {
        guard case .array(var arguments)? = packet.data, let first = arguments.first, let socket = core.socket else { return violate() }
        if core.isLeaving { return }
        arguments.removeFirst()
        let name = first.stringValue ?? first.numberText ?? ""
        let acknowledgement = packet.ackID.map { Acknowledgement(id: $0, socket: socket) }
        let table = core.table
        let own = core.ownHandlers
        if table.handlers.interceptsEvents || own?.interceptsEvents == true {
            for handler in table.handlers.any { handler(socket, name, arguments) }
            for handler in own?.any ?? [] { handler(socket, name, arguments) }
            let event = IncomingEvent(name: name, arguments: arguments, acknowledgement: acknowledgement)
            guard let admitted = admit(event, of: socket, table.handlers.eventMiddlewares + (own?.eventMiddlewares ?? []), table) else {
                return
            }
            arguments = admitted.arguments
            guard core.isConnected, !core.isLeaving else { return }
        }
        // An event that nobody listens to is no error, `error` included (attack 10).
        table.handlers.events[name]?(socket, arguments, acknowledgement)
        guard let own, core.isConnected, !core.isLeaving else { return }
        own.events[name]?(socket, arguments, acknowledgement)
    }

    private func admit(
        _ event: IncomingEvent, of socket: Socket, _ middlewares: [HandlerTable.EventMiddleware], _ table: SharedTable
    ) -> IncomingEvent? {
        var event = event
        do throws(EventRefusal) {
            for middleware in middlewares { try middleware(socket, &event) }
            return event
        } catch {
            hub.services.refusedEvents.add()
            for handler in table.handlers.refused { handler(socket, event, error) }
            return nil
        }
    }

    // MARK: Joining

    private func connect(_ name: String, auth: JSONValue) {
        let isKnown = members.contains { $0.namespace.name == name } || attempts.contains { $0.name == name }
        guard !isKnown, members.count + attempts.count < TransportLimits.namespacesPerSessionMax else { return violate() }
        var arrival = Arrival(name: name, handshake: Handshake(request: session.request, auth: auth))
        if let recovery = hub.services.recovery {
            arrival = Arrival(name: name, handshake: Handshake(request: session.request, auth: RecoveryRequest.strip(auth)))
            // Clients of Socket.IO 2 do not come back.
            arrival.wish = isRevision3 ? nil : recovery.request(in: auth)
        }
        switch hub.directory.find(name) {
        case .none: refuseUnknown(name)
        case .fixed(let namespace):
            let table = namespace.table
            if table.handlers.middlewares.isEmpty || skipsMiddlewares(arrival) { return admit(arrival, namespace, table, context: nil) }
            attempt(arrival, namespace)
        case .dynamic: attempt(arrival, nil)
        }
    }

    /// In a cluster they are asked, because what they have said before may be known to another server alone.
    private func skipsMiddlewares(_ arrival: Arrival) -> Bool {
        guard let recovery = hub.services.recovery else { return false }
        return arrival.wish != nil && recovery.policy.skipMiddlewares && recovery.stream == nil
    }

    private func refuseUnknown(_ name: String) {
        hub.services.unknownNamespaces.add()
        // The reference says it in the same way to both revisions.
        session.send(hub.services.packets.connectError(ConnectRefusal(message: "Invalid namespace"), namespace: name, revision: .four))
    }

    /// Finds the namespace, if it is not known, and runs its middlewares: one task an attempt.
    private func attempt(_ arrival: Arrival, _ known: Namespace?) {
        let connection = NIOLoopBound(self, eventLoop: session.eventLoop)
        let eventLoop = session.eventLoop
        let directory = hub.directory
        let isJudged = !skipsMiddlewares(arrival)
        let task = Task {
            let verdict = await SocketConnection.judge(arrival, known, directory, isJudged)
            eventLoop.execute { connection.value.settle(arrival, verdict) }
        }
        attempts.append(Attempt(name: arrival.name, task: task))
    }

    private static func judge(
        _ arrival: Arrival, _ known: Namespace?, _ directory: NamespaceDirectory, _ isJudged: Bool
    ) async -> Verdict {
        var found = known
        if found == nil { found = await directory.enter(arrival.name, auth: arrival.handshake.auth) }
        guard let namespace = found else { return .unknown }
        let table = namespace.table
        guard isJudged else { return .admitted(namespace, table, context: nil) }
        var context: any Sendable = ()
        do throws(ConnectRefusal) {
            for middleware in table.handlers.middlewares { context = try await middleware(arrival.handshake) }
            return .admitted(namespace, table, context: context)
        } catch {
            return .refused(namespace, error)
        }
    }

    private func settle(_ arrival: Arrival, _ verdict: Verdict) {
        // The session may have ended meanwhile: then there is nobody to tell (S13).
        let isGone = isClosed || !session.isOpen
        attempts.removeAll { $0.name == arrival.name }
        switch verdict {
        case .unknown: if !isGone { refuseUnknown(arrival.name) }
        case .refused(let namespace, let refusal):
            if !isGone {
                session.send(hub.services.packets.connectError(refusal, namespace: arrival.name, revision: session.form.revision))
            }
            hub.directory.release(namespace)
        case .admitted(let namespace, let table, let context):
            if isGone { hub.directory.release(namespace) } else { admit(arrival, namespace, table, context: context) }
        }
    }

    /// Gives the client the socket that it had, or a new one.
    private func admit(_ arrival: Arrival, _ namespace: Namespace, _ table: SharedTable, context: (any Sendable)?) {
        guard let recovery = hub.services.recovery else {
            return join(namespace, table, arrival.handshake, context: context ?? (), nil, nil)
        }
        let place = LivePlace(loop: recovery.loop(of: session.eventLoop), eventLoop: session.eventLoop)
        guard let wish = arrival.wish else {
            return join(namespace, table, arrival.handshake, context: context ?? (), recovery.takesSockets ? place : nil, nil)
        }
        if recovery.stream != nil { return recall(wish, arrival, namespace, table, context ?? (), recovery) }
        // Middlewares that are not skipped say who comes back; where there are none, their word is an empty tuple.
        let word = recovery.policy.skipMiddlewares ? nil : context ?? ()
        switch recovery.claim(wish, in: namespace.name, context: word, at: place, mayTakeOver: arrival.mayTakeOver) {
        case .restored(let restored):
            let context = word ?? restored.socket.context
            join(namespace, table, arrival.handshake, context: context, place, (wish.pid, restored))
        case .live(let old): takeOver(old, arrival, namespace, table, context)
        case .fresh:
            var arrival = arrival
            arrival.wish = nil
            if context == nil, !table.handlers.middlewares.isEmpty { return attempt(arrival, namespace) }
            join(namespace, table, arrival.handshake, context: context ?? (), place, nil)
        }
    }

    /// Ends the old connection's socket first, on its loop, so that the application hears of that end before it hears
    /// of the same socket again.
    private func takeOver(
        _ old: LivePlace, _ arrival: Arrival, _ namespace: Namespace, _ table: SharedTable, _ context: (any Sendable)?
    ) {
        var arrival = arrival
        arrival.mayTakeOver = false
        attempts.append(Attempt(name: arrival.name, task: nil))
        let connection = NIOLoopBound(self, eventLoop: session.eventLoop)
        let eventLoop = session.eventLoop
        old.eventLoop.execute { [arrival] in
            old.core.value?.giveUp()
            eventLoop.execute { connection.value.settle(arrival, .admitted(namespace, table, context: context)) }
        }
    }

    /// Takes the socket from wherever it is in the cluster, if it is to be had.
    private func recall(
        _ wish: RecoveryRequest, _ arrival: Arrival, _ namespace: Namespace, _ table: SharedTable, _ context: any Sendable,
        _ recovery: Recovery
    ) {
        let connection = NIOLoopBound(self, eventLoop: session.eventLoop)
        let eventLoop = session.eventLoop
        let task = Task {
            let recall = await recovery.recall(wish, in: namespace.name, context: context)
            eventLoop.execute { connection.value.settle(arrival, namespace, table, context, wish, recall) }
        }
        attempts.append(Attempt(name: arrival.name, task: task))
    }

    private func settle(
        _ arrival: Arrival, _ namespace: Namespace, _ table: SharedTable, _ context: any Sendable, _ wish: RecoveryRequest,
        _ recall: Recovery.Recall
    ) {
        attempts.removeAll { $0.name == arrival.name }
        guard let recovery = hub.services.recovery else { return }
        guard !isClosed, session.isOpen else {
            // Put back for the next try.
            if case .taken(let socket, _) = recall { recovery.stream?.keep(socket, .create) }
            return hub.directory.release(namespace)
        }
        let place = LivePlace(loop: recovery.loop(of: session.eventLoop), eventLoop: session.eventLoop)
        var old: (pid: SessionID, restored: Recovery.Restored)?
        if case .taken(let socket, let offset) = recall,
            case .restored(let restored) = recovery.restore(
                socket, takenAt: offset, wish, in: namespace.name, context: context, at: place)
        {
            old = (wish.pid, restored)
        }
        join(namespace, table, arrival.handshake, context: context, old != nil || recovery.takesSockets ? place : nil, old)
    }

    private func join(
        _ namespace: Namespace, _ table: SharedTable, _ handshake: Handshake, context: any Sendable, _ place: LivePlace?,
        _ old: (pid: SessionID, restored: Recovery.Restored)?
    ) {
        guard let shard = namespace.shard(of: session.eventLoop) else { preconditionFailure("a session on a loop of no shard") }
        let key = isRevision3 ? session.id : old?.restored.socket.key ?? session.engine.newID()
        let core = SocketCore(key: key, namesSession: isRevision3, namespace: namespace, table: table, shard: shard, connection: self)
        let socket = Socket(
            core, handshake: handshake, context: context, eventLoop: session.eventLoop, data: old?.restored.socket.data ?? SocketData(),
            recovered: old != nil)
        core.begin(socket)
        members.append(core)
        left.removeAll { $0 == namespace.name }
        connectDeadline = .distantFuture
        hub.services.sockets.add()
        var pid: SessionID?
        if let recovery = hub.services.recovery, let place, !isRevision3 {
            let secret = old?.pid ?? session.engine.newID()
            core.begin(CoreRecovery(pid: secret, place: place, recovery: recovery))
            if let restored = old?.restored {
                core.join(restored.socket.rooms.dropFirst().map { (name: $0.name, since: Optional($0.since)) })
                // Before the CONNECT packet (R3).
                for frames in restored.missed { session.send(frames) }
            } else {
                recovery.register(core.recoverable(context: context, data: socket.storedData, at: place), pid: secret)
            }
            pid = secret
        }
        session.send(
            hub.services.packets.connect(
                socket: isRevision3 ? nil : socket.id, pid: pid.map { String(describing: $0) }, namespace: namespace.name))
        core.announce()
        for handler in table.handlers.connect { handler(socket) }
    }

    // MARK: Leaving

    func disconnect(_ core: SocketCore, closingSession: Bool) {
        guard closingSession else {
            session.send(hub.services.packets.disconnect(namespace: core.namespace.name))
            return leave(core, .serverNamespaceDisconnect)
        }
        for member in members {
            session.send(hub.services.packets.disconnect(namespace: member.namespace.name))
            leave(member, .serverNamespaceDisconnect)
        }
        session.close(.forcedClose)
    }

    private func leave(_ core: SocketCore, _ reason: DisconnectReason) {
        guard let index = members.firstIndex(where: { $0 === core }) else { return }
        if reason == .serverNamespaceDisconnect, left.count < TransportLimits.namespacesPerSessionMax {
            left.append(core.namespace.name)
        }
        end(members.remove(at: index), reason)
    }

    /// The client has gone on over another connection.
    ///
    /// - Parameter closesEmpty: ends this one, too, if it has no other sockets.
    func giveUp(_ core: SocketCore, closesEmpty: Bool) {
        leave(core, .transportClose)
        if closesEmpty, members.isEmpty, attempts.isEmpty { session.close(.forcedClose, discard: true) }
    }

    private func end(_ core: SocketCore, _ reason: DisconnectReason) {
        hub.services.sockets.subtract()
        core.end(reason)
        hub.directory.release(core.namespace)
    }
}
