internal import NIOCore
internal import Synchronization
internal import Telemetry

/// Connection state recovery for all namespaces of a server (R1–R8): the log of events, the sockets that may come back, and
/// the way of every event to the loops. In a cluster events take their place in a ``RecoveryStream`` first, and the sockets are
/// kept there (Recovery+stream).
///
/// A `Mutex` guards the log, the sockets and an outbox for each loop; it is held for one step of each. Events take
/// their place in the log and in the outboxes in one step, and a loop empties its outbox before it does anything that
/// depends on the order: so every client sees the offsets grow, and what it has seen last says what it has seen at all.
final class Recovery: Sendable {
    /// The event that tells a client where it is (R8). It has nothing but the offset, and nobody listens to it.
    static let announcement = "kdcube_offset"

    struct Delivery: Sendable {
        enum Work: Sendable {
            case event(OutgoingEvent, BroadcastTarget, isVolatile: Bool)
            case command(ClusterCommand)
        }

        let namespace: Namespace
        let work: Work
    }

    fileprivate struct Outbox {
        var waiting: [Delivery] = []
        var isScheduled = false
    }

    struct State {
        var log: RecoveryLog
        var sockets: RecoverableSockets
        /// Of a cluster: what was done to the sockets that were away.
        var away: AwayCommands
        fileprivate var outboxes: [Outbox]

        /// Everything that the loop has not delivered yet, and the offset that it is at once it has.
        fileprivate mutating func take(_ loop: Int) -> (batch: [Delivery], last: RecoveryOffset) {
            defer { outboxes[loop] = Outbox() }
            return (outboxes[loop].waiting, log.last)
        }
    }

    /// Confined to its loop.
    private struct Turn {
        /// Everything up to here has been delivered on the loop.
        var delivered: RecoveryOffset
        var isDraining = false
        /// Sockets of which something has changed that is not kept elsewhere yet, and whether that is about to be done.
        var changed: [SocketCore] = []
        var isKeeping = false
    }

    let policy: RecoveryPolicy
    let metrics: RecoveryMetrics
    /// Nil on one server, whose log has all there is.
    let stream: (any RecoveryStream)?
    let form: RecoveryOffset.Form
    /// How often an idle socket is told where it is.
    let announceInterval: TimeAmount
    /// How old an event may be that somebody has missed.
    let retention: Duration
    /// Bytes that one socket may have missed: they go into its session's queue at once.
    let replayBytesMax: Int
    let clock: @Sendable () -> UInt64
    private let eventLoops: [any EventLoop]
    private let turns: [NIOLoopBoundBox<Turn>]
    private let state: Mutex<State>

    init(
        _ policy: RecoveryPolicy, configuration: TransportConfiguration, eventLoops: [any EventLoop], stream: (any RecoveryStream)? = nil,
        metrics: MetricRegistry
    ) {
        self.policy = policy
        self.stream = stream
        form = stream == nil ? .clock : .entry
        self.metrics = RecoveryMetrics(metrics)
        self.eventLoops = eventLoops
        announceInterval = (policy.maxDisconnectionDuration / 2).timeAmount
        replayBytesMax = configuration.queueBytesMax / 2
        let clock = policy.clock ?? RecoveryClock.system()
        self.clock = clock
        // The offset of an idle client is as old as two announcements, and that of a dead connection as old as its
        // heartbeat besides, when the time that a socket may be away begins.
        retention = policy.maxDisconnectionDuration * 2 + configuration.pingInterval + configuration.pingTimeout
        // What is read from a stream is as old as it says, whatever the clock of this server is.
        let kept = stream == nil ? retention.wholeMicroseconds : UInt64(clamping: retention.wholeMilliseconds)
        let log = RecoveryLog(
            eventsMax: policy.eventsMax, bytesMax: policy.bytesMax, retention: kept,
            last: stream == nil ? RecoveryOffset(rawValue: clock()) : RecoveryOffset(millisecond: 0, number: 0))
        turns = eventLoops.map { NIOLoopBoundBox.makeBoxSendingValue(Turn(delivered: log.last), eventLoop: $0) }
        state = Mutex(
            State(
                log: log,
                sockets: RecoverableSockets(
                    socketsMax: policy.socketsMax, bytesMax: policy.bytesMax, duration: policy.maxDisconnectionDuration.wholeMicroseconds),
                away: AwayCommands(countMax: policy.eventsMax, retention: kept),
                outboxes: Array(repeating: Outbox(), count: eventLoops.count)))
    }

    func withState<Value: Sendable>(_ body: (inout State) -> Value) -> Value { state.withLock { body(&$0) } }

    func loop(of eventLoop: any EventLoop) -> Int {
        guard let index = eventLoops.firstIndex(where: { $0 === eventLoop }) else { preconditionFailure("a loop of no server") }
        return index
    }

    // MARK: Events

    /// Gives an event its offset, keeps it, and sends it to the sockets that are meant. A volatile one is not kept and
    /// has the offset of the last one that is (R7); in a cluster this is so for all that does not come from the stream.
    func publish(_ outgoing: inout OutgoingEvent, in namespace: Namespace, to target: BroadcastTarget, isVolatile: Bool) {
        let now = clock()
        let here = eventLoops.firstIndex { $0.inEventLoop }
        let woken = state.withLock { state -> [Int] in
            enter(&outgoing, in: namespace, target, isVolatile, &state, now)
            let delivery = Delivery(namespace: namespace, work: .event(outgoing, target, isVolatile: isVolatile))
            return state.outboxes.indices.filter { enqueue(delivery, $0, here, &state) }
        }
        wake(woken)
        if let here { drain(here) }
    }

    /// The same for one socket, wherever it is connected now (R2). One that is away gets it when it comes back.
    func publish(_ outgoing: inout OutgoingEvent, in namespace: Namespace, to socket: SessionID, isVolatile: Bool) {
        let now = clock()
        let here = eventLoops.firstIndex { $0.inEventLoop }
        let target = BroadcastTarget(rooms: [String(describing: socket)])
        let woken = state.withLock { state -> [Int] in
            guard state.sockets.isKnown(socket) else { return [] }
            enter(&outgoing, in: namespace, target, isVolatile, &state, now)
            guard let live = state.sockets.live(socket) else { return [] }
            let delivery = Delivery(namespace: namespace, work: .event(outgoing, target, isVolatile: isVolatile))
            return enqueue(delivery, live.loop, here, &state) ? [live.loop] : []
        }
        wake(woken)
        if let here { drain(here) }
    }

    private func enter(
        _ outgoing: inout OutgoingEvent, in namespace: Namespace, _ target: BroadcastTarget, _ isVolatile: Bool, _ state: inout State,
        _ now: UInt64
    ) {
        guard !isVolatile, stream == nil else { return outgoing.stamp(state.log.last) }
        outgoing.stamp(state.log.next(at: now))
        let entry = RecoveryLog.Entry(
            offset: state.log.next(at: now), namespace: namespace.name, target: target, frames: outgoing.frames)
        keep(entry, at: now, &state)
    }

    func keep(_ entry: RecoveryLog.Entry, at now: UInt64, _ state: inout State) {
        let early = state.log.append(entry, at: now)
        if early > 0 { metrics.eventsEvicted.add(Int64(early)) }
        metrics.bytes.set(Int64(state.log.bytes))
    }

    /// For those who are meant on every loop, from no loop of this server.
    ///
    /// - Returns: the loops that have to be woken.
    func enqueue(_ delivery: Delivery, for loops: Range<Int>? = nil, _ state: inout State) -> [Int] {
        (loops ?? state.outboxes.indices).filter { enqueue(delivery, $0, nil, &state) }
    }

    /// - Returns: true when the loop has to be woken.
    private func enqueue(_ delivery: Delivery, _ loop: Int, _ here: Int?, _ state: inout State) -> Bool {
        state.outboxes[loop].waiting.append(delivery)
        guard loop != here, !state.outboxes[loop].isScheduled else { return false }
        state.outboxes[loop].isScheduled = true
        return true
    }

    func wake(_ loops: [Int]) {
        for loop in loops { eventLoops[loop].execute { self.drain(loop) } }
    }

    /// Delivers what waits for this loop, which is the current one. Within a delivery it does nothing: the outer call goes
    /// on until nothing waits.
    func drain(_ loop: Int) {
        let turn = turns[loop]
        guard !turn.value.isDraining else { return }
        turn.value.isDraining = true
        var isEmpty = false
        while !isEmpty {
            let (batch, last) = state.withLock { $0.take(loop) }
            deliver(batch, upTo: last, on: loop)
            isEmpty = batch.isEmpty
        }
        turn.value.isDraining = false
    }

    private func deliver(_ batch: [Delivery], upTo last: RecoveryOffset, on loop: Int) {
        for delivery in batch {
            let shard = delivery.namespace.shard(at: loop)
            switch delivery.work {
            case .event(let outgoing, let target, let isVolatile):
                shard.deliver(outgoing, to: target, isVolatile: isVolatile)
                if let offset = outgoing.offset { turns[loop].value.delivered = max(turns[loop].value.delivered, offset) }
            case .command(let command): shard.perform(command)
            }
        }
        turns[loop].value.delivered = max(turns[loop].value.delivered, last)
    }

    /// Everything up to here has been delivered on this loop, which is the current one.
    func delivered(on loop: Int) -> RecoveryOffset { turns[loop].value.delivered }

    /// Takes what waits for the loop and changes the state in one step, then delivers what was taken: nothing lies
    /// between what `body` saw and what has been delivered.
    func settle<Value: Sendable>(_ loop: Int, _ body: (inout State) -> Value) -> Value {
        assert(!turns[loop].value.isDraining, "a packet is read while events are delivered")
        turns[loop].value.isDraining = true
        let (taken, value) = state.withLock { state in
            let value = body(&state)
            return (state.take(loop), value)
        }
        deliver(taken.batch, upTo: taken.last, on: loop)
        turns[loop].value.isDraining = false
        return value
    }

    // MARK: What is kept elsewhere

    /// Keeps what has changed of a socket, together with what changes in the next 50 ms, or at the end of this turn of its loop,
    /// which is the current one.
    func changed(_ core: SocketCore, on loop: Int, isUrgent: Bool) {
        turns[loop].value.changed.append(core)
        if isUrgent {
            eventLoops[loop].execute { self.keepChanged(loop) }
        } else if !turns[loop].value.isKeeping {
            turns[loop].value.isKeeping = true
            eventLoops[loop].scheduleTask(in: .milliseconds(50)) { self.keepChanged(loop) }
        }
    }

    private func keepChanged(_ loop: Int) {
        let changed = turns[loop].value.changed
        turns[loop].value.changed = []
        turns[loop].value.isKeeping = false
        for core in changed { core.keepChanges() }
    }
}
