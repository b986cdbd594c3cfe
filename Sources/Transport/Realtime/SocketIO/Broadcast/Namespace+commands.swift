internal import JSON
internal import NIOCore

/// What a broadcast, or a command of another server, does with the sockets that live here.
extension Namespace {
    func perform(_ command: ClusterCommand) {
        if case .emit = command {} else { services.recovery?.apply(command, in: name) }
        switch command {
        case .emit(let event, let arguments, let target, let flags):
            var outgoing = OutgoingEvent(event, arguments, in: self)
            if let recovery = services.recovery {
                return recovery.publish(&outgoing, in: self, to: target, isVolatile: flags.isVolatile)
            }
            forEachShard { [outgoing] in $0.deliver(outgoing, to: target, isVolatile: flags.isVolatile) }
        case .join, .leave, .disconnect: forEachShard { $0.perform(command) }
        case .serverSideEmit:
            // Not about sockets: ``SocketIOServer/perform(_:namespace:)``.
            break
        }
    }

    func snapshots(of target: BroadcastTarget) async -> [SocketSnapshot] {
        await gather { shard in shard.matching(target).compactMap(\.snapshot) }.flatMap { $0 }
    }

    /// The rooms that have members here; a socket's id is one (S11).
    func roomNames() async -> [String] {
        var names: Set<String> = []
        for part in await gather({ $0.roomNames }) { names.formUnion(part) }
        return Array(names)
    }

    /// Sends an event to the sockets here and gathers their answers (S23).
    func ask(
        _ event: String, _ arguments: [JSONValue], _ target: BroadcastTarget, timeout: Duration, observer: AnswerObserver? = nil
    ) async -> GatheredAnswers {
        let id = newAckID()
        let outgoing = OutgoingEvent(event, arguments, in: self, ackID: id)
        let timeout = timeout.timeAmount
        let parts = await withTaskCancellationHandler {
            await gatherLater { shard, promise in shard.ask(outgoing, id: id, target, timeout: timeout, observer: observer, promise) }
        } onCancel: {
            forEachShard { $0.cancelAsking(id) }
        }
        return parts.reduce(into: GatheredAnswers()) { $0.add($1) }
    }
}

extension NamespaceShard {
    /// What a command does to the sockets of this loop; an event comes another way.
    func perform(_ command: ClusterCommand) {
        switch command {
        case .join(let rooms, let target): for socket in matching(target) { socket.join(rooms) }
        case .leave(let rooms, let target): for socket in matching(target) { socket.leave(rooms) }
        case .disconnect(let closingSessions, let target):
            for socket in matching(target) { socket.disconnect(closingSession: closingSessions) }
        case .emit, .serverSideEmit: break
        }
    }
}
