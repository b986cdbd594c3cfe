internal import NIOCore

/// What the sessions of one event loop share. Confined to that loop.
package final class LoopShard {
    /// A look-up by ticket that a stale ticket cannot fool.
    private struct Seat {
        var generation: UInt32 = 0
        var session: EngineSession?
    }

    let eventLoop: any EventLoop
    private var seats: [Seat] = []
    private var freeSeats: [UInt32] = []
    private var wheel: HeartbeatWheel
    private var task: RepeatedTask?
    private var dirty: [EngineSession] = []
    private var isFlushScheduled = false
    /// WebSockets that were sent a close frame, with the time at which they are cut.
    private var lingering: [(handler: WebSocketSessionHandler, until: NIODeadline)] = []
    /// Small frames for the connection that is being read, gathered into one write. One buffer serves the whole loop.
    var cork = ByteBuffer()
    /// A connection's frames are in the cork. What was left over at an upgrade is read outside a read cycle, so that
    /// two connections may want it: the second one does without.
    var isCorkTaken = false
    /// What connections that compress without a context share.
    let deflate = SharedDeflate()

    init(eventLoop: any EventLoop, granularity: TimeAmount) {
        self.eventLoop = eventLoop
        wheel = HeartbeatWheel(granularity: granularity, at: eventLoop.now)
    }

    var sessionCount: Int { seats.count - freeSeats.count }

    var sessions: [EngineSession] { seats.compactMap(\.session) }

    // MARK: Time

    func add(_ session: EngineSession) {
        let index: UInt32
        if let free = freeSeats.popLast() {
            index = free
        } else {
            index = UInt32(seats.count)
            seats.append(Seat())
        }
        seats[Int(index)].session = session
        session.ticket = HeartbeatWheel.Ticket(index: index, generation: seats[Int(index)].generation)
        startTicking()
        arm(session)
    }

    func remove(_ session: EngineSession) {
        let index = Int(session.ticket.index)
        guard seats[index].session === session else { return }
        seats[index].session = nil
        seats[index].generation &+= 1
        freeSeats.append(session.ticket.index)
    }

    /// Makes sure that the wheel looks at the session no later than its deadline.
    func arm(_ session: EngineSession) {
        let deadline = session.deadline
        // The wheel looks at its next turn after the deadline: where it will do so anyway, nothing is put into it.
        guard deadline < session.nextLook, wheel.turn(of: deadline) < session.nextLook else { return }
        session.nextLook = wheel.insert(session.ticket, deadline: deadline)
    }

    func linger(_ handler: WebSocketSessionHandler) {
        lingering.append((handler, eventLoop.now + .seconds(TransportLimits.webSocketCloseSeconds)))
        startTicking()
    }

    private func startTicking() {
        guard task == nil else { return }
        // The wheel stood still while there was nothing to watch.
        _ = wheel.advance(to: eventLoop.now)
        let shard = NIOLoopBound(self, eventLoop: eventLoop)
        task = eventLoop.scheduleRepeatedTask(initialDelay: wheel.granularity, delay: wheel.granularity) { _ in shard.value.tick() }
    }

    private func tick() {
        let now = eventLoop.now
        for ticket in wheel.advance(to: now) {
            let seat = seats[Int(ticket.index)]
            guard seat.generation == ticket.generation, let session = seat.session else { continue }
            // Left over from before an earlier deadline was set: another entry looks after the session.
            guard session.nextLook <= now else { continue }
            session.nextLook = .distantFuture
            session.look(at: now)
            if session.ticket == ticket, seats[Int(ticket.index)].session != nil { arm(session) }
        }
        if !lingering.isEmpty {
            for entry in lingering where entry.until <= now { entry.handler.cut() }
            lingering.removeAll { $0.until <= now || $0.handler.isGone }
        }
        if sessionCount == 0, lingering.isEmpty {
            task?.cancel()
            task = nil
        }
    }

    // MARK: One flush a tick

    /// Flushes the session at the end of this turn of the loop, once, however often it is asked for.
    func flushSoon(_ session: EngineSession) {
        guard !session.isDirty else { return }
        session.isDirty = true
        dirty.append(session)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        let shard = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { shard.value.flushDirty() }
    }

    private func flushDirty() {
        isFlushScheduled = false
        var flushing: [EngineSession] = []
        swap(&flushing, &dirty)
        for session in flushing {
            session.isDirty = false
            session.flush()
        }
        // Keeps the storage for the next turn.
        if dirty.isEmpty {
            flushing.removeAll(keepingCapacity: true)
            swap(&flushing, &dirty)
        }
    }
}
