internal import JSON
internal import NIOCore
internal import Telemetry
internal import TransportWire

/// The Socket.IO side of one session: decodes its packets and leads them to the sockets of its namespaces (S10–S16).
/// Confined to the session's loop.
final class SocketConnection: SessionDelegate {
    /// A namespace that decides whether it takes the client.
    private struct Attempt {
        let name: String
        let task: Task<Void, Never>
    }

    /// What it has decided.
    private enum Verdict: Sendable {
        case unknown
        case refused(Namespace, ConnectRefusal)
        case admitted(Namespace, SharedTable, context: any Sendable)
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
    private var isClosed = false

    init(session: EngineSession, hub: SocketHub) {
        self.session = session
        self.hub = hub
        decoder = SocketIODecoder(limits: hub.wireLimits(session.form.revision))
        connectDeadline = session.eventLoop.now + hub.services.connectTimeout
        session.applicationDeadline = connectDeadline
    }

    // MARK: SessionDelegate

    func opened() {
        // Clients of Socket.IO 2 are in the main namespace without asking (L5).
        if isRevision3 { connect("/", auth: .object(NamespaceQuery.object(session.request.query))) }
    }

    private var isRevision3: Bool { session.form.revision == .three }

    func received(_ message: ByteBuffer, isBinary: Bool) {
        do throws(WireError) {
            if let packet = try packet(of: message, isBinary) { receive(packet) }
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
        for member in members { member.expire(at: now) }
        wake(at: members.reduce(connectDeadline) { min($0, $1.deadline) })
    }

    func closed(_ reason: CloseReason) {
        isClosed = true
        for attempt in attempts { attempt.task.cancel() }
        attempts = []
        let leaving = members
        members = []
        for member in leaving { end(member, DisconnectReason(reason)) }
    }

    func wake(at deadline: NIODeadline) {
        session.applicationDeadline = min(session.applicationDeadline, deadline)
    }

    // MARK: Packets

    private func receive(_ packet: SocketIOPacket) {
        if packet.kind == .connect { return connect(packet.namespace, auth: packet.data ?? .object(JSONObject())) }
        guard let member = members.first(where: { $0.namespace.name == packet.namespace }) else {
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
            guard core.isConnected else { return }
        }
        // An event that nobody listens to is no error, `error` included (attack 10).
        table.handlers.events[name]?(socket, arguments, acknowledgement)
        guard let own, core.isConnected else { return }
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
        let handshake = Handshake(request: session.request, auth: auth)
        switch hub.directory.find(name) {
        case .none: refuseUnknown(name)
        case .fixed(let namespace):
            let table = namespace.table
            if table.handlers.middlewares.isEmpty { return join(namespace, table, handshake, context: ()) }
            attempt(name, handshake, namespace)
        case .dynamic: attempt(name, handshake, nil)
        }
    }

    private func refuseUnknown(_ name: String) {
        hub.services.unknownNamespaces.add()
        // The reference says it in the same way to both revisions.
        session.send(hub.services.packets.connectError(ConnectRefusal(message: "Invalid namespace"), namespace: name, revision: .four))
    }

    /// Finds the namespace, if it is not known, and runs its middlewares: one task an attempt.
    private func attempt(_ name: String, _ handshake: Handshake, _ known: Namespace?) {
        let connection = NIOLoopBound(self, eventLoop: session.eventLoop)
        let eventLoop = session.eventLoop
        let directory = hub.directory
        let task = Task {
            let verdict = await SocketConnection.judge(name, handshake, known, directory)
            eventLoop.execute { connection.value.settle(name, handshake, verdict) }
        }
        attempts.append(Attempt(name: name, task: task))
    }

    private static func judge(
        _ name: String, _ handshake: Handshake, _ known: Namespace?, _ directory: NamespaceDirectory
    ) async -> Verdict {
        var found = known
        if found == nil { found = await directory.enter(name, auth: handshake.auth) }
        guard let namespace = found else { return .unknown }
        let table = namespace.table
        var context: any Sendable = ()
        do throws(ConnectRefusal) {
            for middleware in table.handlers.middlewares { context = try await middleware(handshake) }
            return .admitted(namespace, table, context: context)
        } catch {
            return .refused(namespace, error)
        }
    }

    private func settle(_ name: String, _ handshake: Handshake, _ verdict: Verdict) {
        // The session may have ended meanwhile: then there is nobody to tell (S13).
        let isGone = isClosed || !session.isOpen
        attempts.removeAll { $0.name == name }
        switch verdict {
        case .unknown: if !isGone { refuseUnknown(name) }
        case .refused(let namespace, let refusal):
            if !isGone {
                session.send(hub.services.packets.connectError(refusal, namespace: name, revision: session.form.revision))
            }
            hub.directory.release(namespace)
        case .admitted(let namespace, let table, let context):
            if isGone { hub.directory.release(namespace) } else { join(namespace, table, handshake, context: context) }
        }
    }

    private func join(_ namespace: Namespace, _ table: SharedTable, _ handshake: Handshake, context: any Sendable) {
        guard let shard = namespace.shard(of: session.eventLoop) else { preconditionFailure("a session on a loop of no shard") }
        let key = isRevision3 ? session.id : session.engine.newID()
        let core = SocketCore(key: key, namesSession: isRevision3, namespace: namespace, table: table, shard: shard, connection: self)
        let socket = Socket(core, handshake: handshake, context: context, eventLoop: session.eventLoop)
        core.begin(socket)
        members.append(core)
        left.removeAll { $0 == namespace.name }
        connectDeadline = .distantFuture
        hub.services.sockets.add()
        session.send(hub.services.packets.connect(socket: isRevision3 ? nil : socket.id, namespace: namespace.name))
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

    private func end(_ core: SocketCore, _ reason: DisconnectReason) {
        hub.services.sockets.subtract()
        core.end(reason)
        hub.directory.release(core.namespace)
    }
}
