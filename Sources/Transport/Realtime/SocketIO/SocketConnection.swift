internal import JSON
internal import NIOCore
internal import Telemetry
internal import TransportWire

/// The Socket.IO side of one session: decodes its packets and leads them to the sockets of its namespaces (S10–S16).
/// Confined to the session's loop.
final class SocketConnection: SessionDelegate {
    private struct Member {
        let socket: Socket
        let core: SocketCore
    }

    /// A namespace whose middlewares are at work.
    private struct Attempt {
        let namespace: Namespace
        let task: Task<Void, Never>
    }

    /// The session owns this object and is the last to go.
    unowned let session: EngineSession
    let hub: SocketHub
    private var decoder: SocketIODecoder
    private var members: [Member] = []
    private var attempts: [Attempt] = []
    /// Namespaces that the server has disconnected: what the client had sent before it knew is not its fault.
    private var left: [String] = []
    private var connectDeadline: NIODeadline
    private var isClosed = false

    init(session: EngineSession, hub: SocketHub) {
        self.session = session
        self.hub = hub
        decoder = SocketIODecoder(limits: hub.wireLimits)
        connectDeadline = session.eventLoop.now + hub.connectTimeout
        session.applicationDeadline = connectDeadline
    }

    // MARK: SessionDelegate

    func received(_ message: ByteBuffer, isBinary: Bool) {
        do throws(WireError) {
            let packet = try isBinary ? decoder.binary(message) : decoder.text(message)
            if let packet { receive(packet) }
        } catch {
            // A client that does not speak the protocol is not negotiated with (S4).
            hub.parseErrors.add()
            session.close(.parseError, discard: true)
        }
    }

    func hasRoom() {
        for member in members { member.core.hasRoom() }
    }

    func deadlinePassed(at now: NIODeadline) {
        if connectDeadline <= now { return session.close(.forcedClose, discard: true) }
        for member in members { member.core.expire(at: now) }
        wake(at: members.reduce(connectDeadline) { min($0, $1.core.deadline) })
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
        if packet.kind == .connect { return connect(packet) }
        guard let member = members.first(where: { $0.core.namespace.name == packet.namespace }) else {
            if left.contains(packet.namespace) { return }
            return violate()
        }
        switch packet.kind {
        case .event, .binaryEvent: dispatch(packet, to: member)
        case .ack, .binaryAck: if let id = packet.ackID { member.core.answered(id, packet.data?.arrayValue ?? []) }
        case .disconnect: leave(member.core, .clientNamespaceDisconnect)
        case .connect, .connectError: violate()
        }
    }

    /// A packet that this client must not send now (S14).
    private func violate() { session.close(.forcedClose, discard: true) }

    private func dispatch(_ packet: SocketIOPacket, to member: Member) {
        guard case .array(var arguments)? = packet.data, let first = arguments.first else { return violate() }
        arguments.removeFirst()
        let name = first.stringValue ?? first.numberText ?? ""
        let table = member.core.table
        for handler in table.any { handler(member.socket, name, arguments) }
        // An event that nobody listens to is no error, `error` included (attack 10).
        guard let handler = table.events[name] else { return }
        handler(member.socket, arguments, packet.ackID.map { Acknowledgement(id: $0, socket: member.socket) })
    }

    // MARK: Joining

    private func connect(_ packet: SocketIOPacket) {
        let name = packet.namespace
        let isKnown = members.contains { $0.core.namespace.name == name } || attempts.contains { $0.namespace.name == name }
        guard !isKnown, members.count + attempts.count < TransportLimits.namespacesPerSessionMax else { return violate() }
        guard let namespace = hub.find(name) else {
            return session.send(PacketFrames.connectError(ConnectRefusal(message: "Invalid namespace"), namespace: name))
        }
        let handshake = Handshake(request: session.request, auth: packet.data ?? .object(JSONObject()))
        let table = namespace.table
        guard !table.middlewares.isEmpty else { return join(namespace, table, handshake, context: ()) }
        let connection = NIOLoopBound(self, eventLoop: session.eventLoop)
        let eventLoop = session.eventLoop
        let task = Task {
            var context: any Sendable = ()
            var refusal: ConnectRefusal?
            do throws(ConnectRefusal) {
                for middleware in table.middlewares { context = try await middleware(handshake) }
            } catch {
                refusal = error
            }
            let (result, failure) = (context, refusal)
            eventLoop.execute { connection.value.settle(namespace, table, handshake, context: result, refusal: failure) }
        }
        attempts.append(Attempt(namespace: namespace, task: task))
    }

    private func settle(
        _ namespace: Namespace, _ table: Namespace.Table, _ handshake: Handshake, context: any Sendable, refusal: ConnectRefusal?
    ) {
        // The session may have ended meanwhile: then there is nobody to tell (S13).
        guard !isClosed, session.isOpen else { return }
        attempts.removeAll { $0.namespace === namespace }
        if let refusal {
            session.send(PacketFrames.connectError(refusal, namespace: namespace.name))
        } else {
            join(namespace, table, handshake, context: context)
        }
    }

    private func join(_ namespace: Namespace, _ table: Namespace.Table, _ handshake: Handshake, context: any Sendable) {
        guard let shard = namespace.shard(of: session.eventLoop) else { return violate() }
        let core = SocketCore(key: session.engine.newID(), namespace: namespace, table: table, shard: shard, connection: self)
        let socket = Socket(
            core, handshake: handshake, context: context, eventLoop: session.eventLoop, ackTimeout: hub.ackTimeout)
        members.append(Member(socket: socket, core: core))
        left.removeAll { $0 == namespace.name }
        connectDeadline = .distantFuture
        hub.sockets.add()
        session.send(PacketFrames.connect(socket: socket.id, namespace: namespace.name))
        for handler in table.connect { handler(socket) }
    }

    // MARK: Leaving

    func disconnect(_ core: SocketCore, closingSession: Bool) {
        guard closingSession else {
            session.send(PacketFrames.disconnect(namespace: core.namespace.name))
            return leave(core, .serverNamespaceDisconnect)
        }
        for member in members {
            session.send(PacketFrames.disconnect(namespace: member.core.namespace.name))
            leave(member.core, .serverNamespaceDisconnect)
        }
        session.close(.forcedClose)
    }

    private func leave(_ core: SocketCore, _ reason: DisconnectReason) {
        guard let index = members.firstIndex(where: { $0.core === core }) else { return }
        if reason == .serverNamespaceDisconnect, left.count < TransportLimits.namespacesPerSessionMax {
            left.append(core.namespace.name)
        }
        end(members.remove(at: index), reason)
    }

    private func end(_ member: Member, _ reason: DisconnectReason) {
        hub.sockets.subtract()
        member.core.end(reason)
    }
}
