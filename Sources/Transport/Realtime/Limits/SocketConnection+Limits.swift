internal import JSON
internal import NIOCore
internal import TransportWire

/// What limits and drains ask of a session.
extension SocketConnection {
    var isBusy: Bool {
        let now = session.eventLoop.now
        return members.contains { $0.isBusy(at: now) }
    }

    func member(of namespace: String) -> SocketCore? { members.first { $0.namespace.name == namespace } }

    // MARK: Packets that come too fast (attack 26)

    /// - Returns: false when the packet is dropped, or was the end of the session.
    func mayPass(_ packet: SocketIOPacket) -> Bool {
        let limits = hub.services.rateLimits
        guard limits.limitsPackets else { return true }
        let verdict = limiter.judge(cost: cost(of: packet, limits), limits, at: session.eventLoop.now)
        hub.services.limited.count(verdict)
        switch verdict {
        case .admit: return true
        case .drop(_, let wait): return !drop(packet, wait)
        case .disconnect:
            session.close(.rateLimited, discard: true)
            return false
        }
    }

    private func cost(of packet: SocketIOPacket, _ limits: RateLimits) -> Int {
        switch packet.kind {
        case .connect: return 1
        // Either they make the session smaller, or they end it.
        case .disconnect, .connectError: return 0
        case .ack, .binaryAck: return isAwaited(packet) ? 0 : 1
        case .event, .binaryEvent:
            guard let cost = limits.eventCost, case .array(let arguments)? = packet.data, let first = arguments.first else { return 1 }
            return cost(packet.namespace, first.stringValue ?? first.numberText ?? "")
        }
    }

    private func isAwaited(_ packet: SocketIOPacket) -> Bool {
        guard let id = packet.ackID, let member = member(of: packet.namespace) else { return false }
        return member.awaits(id)
    }

    /// - Returns: false when the packet is to be handled all the same: it breaks the rules, and that ends the session.
    private func drop(_ packet: SocketIOPacket, _ wait: TimeAmount) -> Bool {
        switch packet.kind {
        case .disconnect, .connectError: return false
        case .ack, .binaryAck: return !isAwaited(packet)
        case .connect:
            let refusal = ConnectRefusal(message: RateLimitNotice.message, data: RateLimitNotice.data(wait))
            session.send(hub.services.packets.connectError(refusal, namespace: packet.namespace, revision: session.form.revision))
            return true
        case .event, .binaryEvent:
            guard let member = member(of: packet.namespace), let socket = member.socket, case .array(let arguments)? = packet.data else {
                return false
            }
            let answer = packet.ackID.map { Acknowledgement(id: $0, socket: socket) }
            let name = arguments.first?.stringValue ?? arguments.first?.numberText ?? ""
            let event = IncomingEvent(name: name, arguments: Array(arguments.dropFirst()), acknowledgement: answer)
            let refusal = EventRefusal(message: RateLimitNotice.message, data: RateLimitNotice.data(wait))
            for handler in member.table.handlers.refused { handler(socket, event, refusal) }
            // The first answer counts: an application may have given its own.
            answer?.send([RateLimitNotice.answer(wait)])
            return true
        }
    }
}
