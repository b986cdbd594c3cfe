internal import NIOCore

/// The connections of one event loop, and what is cheaper once a loop than once a connection: the sweep, the date.
/// Confined to its event loop.
final class FrontLoop {
    /// One open connection, HTTP or upgraded, or one stream of an HTTP/2 connection.
    final class Slot {
        let channel: any Channel
        /// Nil after an upgrade: the new handler has its own deadlines.
        var front: (any SweptConnection)?
        fileprivate var index: Int

        fileprivate init(_ channel: any Channel, index: Int) {
            self.channel = channel
            self.index = index
        }
    }

    let eventLoop: any EventLoop
    let peers: PeerPool
    private(set) var dateText: String
    private var dateSecond: Int
    private var slots: [Slot] = []
    private(set) var isQuiescing = false
    private var whenEmpty: EventLoopPromise<Void>?
    private var sweeper: RepeatedTask?

    init(eventLoop: any EventLoop, tls: TLSIdentity? = nil) {
        self.eventLoop = eventLoop
        peers = PeerPool(eventLoop: eventLoop, tls: tls)
        dateSecond = HTTPDate.now()
        dateText = HTTPDate.text(dateSecond)
    }

    func start(every interval: Duration) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let amount = max(TimeAmount(interval), .milliseconds(1))
        sweeper = eventLoop.scheduleRepeatedTask(initialDelay: amount, delay: amount) { _ in bound.value.sweep() }
    }

    func stop() {
        sweeper?.cancel()
        sweeper = nil
    }

    /// - Parameter ofConnection: a stream of a connection that was added before.
    /// - Returns: nil when the server is shutting down and takes no more connections.
    func add(_ channel: any Channel, ofConnection: Bool = false) -> Slot? {
        guard ofConnection || !isQuiescing else { return nil }
        let slot = Slot(channel, index: slots.count)
        slots.append(slot)
        let bound = NIOLoopBound((self, slot), eventLoop: eventLoop)
        channel.closeFuture.whenComplete { _ in
            let (loop, slot) = bound.value
            loop.remove(slot)
        }
        return slot
    }

    private func remove(_ slot: Slot) {
        let last = slots.removeLast()
        if last !== slot {
            slots[slot.index] = last
            last.index = slot.index
        }
        slot.front = nil
        if slots.isEmpty { whenEmpty?.succeed() }
    }

    /// Judges all connections first and closes after: closing changes the table.
    private func sweep() {
        let second = HTTPDate.now()
        if second != dateSecond {
            dateSecond = second
            dateText = HTTPDate.text(second)
        }
        var overdue: [(any SweptConnection, FrontDeadlines.Verdict)] = []
        for slot in slots {
            guard let front = slot.front else { continue }
            let verdict = front.sweep()
            if verdict != .stay { overdue.append((front, verdict)) }
        }
        for (front, verdict) in overdue { front.overstayed(verdict) }
        peers.sweep()
    }

    /// Asks every connection to end; the promise is kept when the last one has.
    func quiesce(_ promise: EventLoopPromise<Void>) {
        guard !isQuiescing else { return promise.succeed() }
        isQuiescing = true
        peers.quiesce()
        guard !slots.isEmpty else { return promise.succeed() }
        whenEmpty = promise
        for slot in slots { slot.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    func closeAll() {
        for slot in slots { slot.channel.close(promise: nil) }
    }
}
