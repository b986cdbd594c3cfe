internal import JSON
internal import NIOCore

/// What a socket that can be recovered has besides. Confined to its loop.
final class CoreRecovery {
    let pid: SessionID
    let place: LivePlace
    let recovery: Recovery
    /// The largest offset that this connection was sent.
    private var heard: RecoveryOffset
    /// Something with an offset was sent since the last look.
    private var hasHeard = false
    /// When the socket is looked at next.
    private(set) var announceAt: NIODeadline
    /// Of a cluster: something has changed since it was kept elsewhere, or it never was.
    private var hasChanged = false
    private var isKept = false

    init(pid: SessionID, place: LivePlace, recovery: Recovery) {
        self.pid = pid
        self.place = place
        self.recovery = recovery
        heard = recovery.delivered(on: place.loop)
        announceAt = place.eventLoop.now + recovery.announceInterval
    }

    func sent(_ offset: RecoveryOffset) {
        heard = max(heard, offset)
        hasHeard = true
    }

    /// Something of the socket is to be kept elsewhere.
    func changed(_ core: SocketCore, isUrgent: Bool = false) {
        guard recovery.stream != nil, !hasChanged else { return }
        hasChanged = true
        recovery.changed(core, on: place.loop, isUrgent: isUrgent)
    }

    func keepChanges(rooms: [(name: String, since: RecoveryOffset)]) {
        hasChanged = false
        recovery.keep(pid, rooms: rooms, on: place.loop, isNew: !isKept)
        isKept = true
    }

    /// Everything up to here was sent to this socket: what goes to it next may carry this offset.
    func current() -> RecoveryOffset {
        recovery.drain(place.loop)
        return max(heard, recovery.delivered(on: place.loop))
    }

    /// - Returns: true when nothing has told the client where it is for the whole interval (R8).
    func isDue(at now: NIODeadline) -> Bool {
        guard announceAt <= now else { return false }
        announceAt = now + recovery.announceInterval
        defer { hasHeard = false }
        return !hasHeard
    }
}

extension SocketCore {
    /// Makes a socket that has joined one that can be recovered.
    func begin(_ recovered: CoreRecovery) {
        recovery = recovered
        recovered.place.core.value = self
        connection?.wake(at: recovered.announceAt)
        guard recovered.recovery.stream != nil, let data = socket?.storedData else { return }
        let place = recovered.place
        data.onChange { place.eventLoop.execute { place.core.value?.changed() } }
        changed(isUrgent: true)
    }

    /// Something has changed that is kept for the client.
    func changed(isUrgent: Bool = false) { recovery?.changed(self, isUrgent: isUrgent) }

    func keepChanges() {
        guard isConnected else { return }
        recovery?.keepChanges(rooms: placesInRooms)
    }

    /// What is kept of a new socket.
    func recoverable(context: any Sendable, data: SocketData, at place: LivePlace) -> RecoverableSocket {
        RecoverableSocket(
            key: key, namespace: namespace.name, start: recovery?.recovery.delivered(on: place.loop) ?? .start, data: data,
            context: context, live: place)
    }

    /// Tells the client where it is, with an event that nobody listens to (R8).
    func announce() {
        guard let recovery else { return }
        var outgoing = OutgoingEvent(Recovery.announcement, [], in: namespace)
        outgoing.stamp(recovery.current())
        connection?.session.send(outgoing.frames)
        if let offset = outgoing.offset { recovery.sent(offset) }
    }

    func announceIfDue(at now: NIODeadline) {
        guard let recovery, recovery.announceAt <= now else { return }
        // It is kept for a while from now on.
        changed()
        guard recovery.isDue(at: now) else { return }
        recovery.recovery.forgetOld()
        announce()
    }

    /// The client has come back over another connection: this one is dead, and has not been found out yet.
    func giveUp(closesEmpty: Bool = false) { connection?.giveUp(self, closesEmpty: closesEmpty) }
}
