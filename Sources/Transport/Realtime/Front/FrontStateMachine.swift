/// Which request of a connection is being served, and what its next event means. Pure: no channel, no clock, no bytes.
///
/// ```
///            head (Engine.IO)           answer ended, keep-alive
///   idle ───────────────────► open ────────────────────────────► idle      input closed, quiescing, close ─► closed
///     └──── head (REST) ─────►  │ └─ upgrade ─► upgraded (final)
///                               └─ answer ended with the body unread, refusal ─► draining ─► closed
/// ```
/// One request at a time: what a client pipelines behind it waits in a queue, of which this struct keeps the length.
struct FrontStateMachine: Equatable {
    struct Exchange: Equatable {
        var route: RequestPlan.Route
        var streamsBody: Bool
        var bodyBytesMax: Int
        var stopsDecoder: Bool
        var keepAlive: Bool
        var endsWithClient = false
        var bodyBytes = 0
        /// The end of the request has not been read.
        var isReceiving = true
        var headIsWritten = false
        /// The response has no declared length: its client is there to the end, or not at all.
        var streamsResponse = false
    }

    enum State: Equatable {
        case idle
        case open(Exchange)
        case draining(discardedBytes: Int)
        case upgraded
        case closed
    }

    private(set) var state = State.idle
    private(set) var queuedParts = 0
    private(set) var inputIsClosed = false
    private(set) var isQuiescing = false
    /// The consumer of a streamed request body wants no more for the moment.
    var consumerIsFull = false

    /// Whether reading from the socket must wait.
    var withholdsRead: Bool {
        if queuedParts > FrontLimits.queuedPartsSoftMax || consumerIsFull { return true }
        // What follows an upgrade request stays in the kernel until the new handler is there to take it.
        if case .open(let exchange) = state, exchange.stopsDecoder, !exchange.isReceiving { return true }
        return false
    }

    /// Whether the next queued part may be taken.
    var takesFromQueue: Bool {
        guard queuedParts > 0 else { return false }
        switch state {
        case .idle: return true
        case .open(let exchange): return exchange.isReceiving
        case .draining, .upgraded, .closed: return false
        }
    }

    enum Intake: Equatable { case process, enqueue, discard, drop }

    /// A part, or a decoder failure, arrived from the socket.
    mutating func arrived(bytes: Int) -> Intake {
        switch state {
        case .draining(let discarded):
            state = .draining(discardedBytes: discarded + bytes)
            return discarded + bytes > FrontLimits.drainedBytesMax ? drop() : .discard
        case .upgraded, .closed:
            return .discard
        case .idle where queuedParts == 0:
            return .process
        case .open(let exchange) where exchange.isReceiving && queuedParts == 0:
            return .process
        case .idle, .open:
            queuedParts += 1
            return queuedParts > FrontLimits.queuedPartsHardMax ? drop() : .enqueue
        }
    }

    private mutating func drop() -> Intake {
        closed()
        return .drop
    }

    mutating func tookFromQueue() {
        precondition(takesFromQueue, "nothing may be taken from the queue")
        queuedParts -= 1
    }

    mutating func head(_ plan: RequestPlan) {
        precondition(state == .idle, "a request begins when the one before is answered")
        state = .open(
            Exchange(
                route: plan.route, streamsBody: plan.body == .streamed, bodyBytesMax: plan.bodyBytesMax, stopsDecoder: plan.stopsDecoder,
                keepAlive: plan.keepAlive && !plan.stopsDecoder, endsWithClient: plan.endsWithClient))
    }

    enum BodyAction: Equatable { case gather, stream, refuse, abandonAndClose, ignore }

    mutating func body(bytes: Int) -> BodyAction {
        guard case .open(var exchange) = state, exchange.isReceiving else { return .ignore }
        exchange.bodyBytes += bytes
        state = .open(exchange)
        guard exchange.bodyBytes > exchange.bodyBytesMax else { return exchange.streamsBody ? .stream : .gather }
        return exchange.headIsWritten ? .abandonAndClose : .refuse
    }

    enum EndAction: Equatable { case dispatch(RequestPlan.Route), finishStream, ignore }

    mutating func end() -> EndAction {
        guard case .open(var exchange) = state, exchange.isReceiving else { return .ignore }
        exchange.isReceiving = false
        state = .open(exchange)
        consumerIsFull = false
        return exchange.streamsBody ? .finishStream : .dispatch(exchange.route)
    }

    enum FailureAction: Equatable { case refuse, abandonAndRefuse, abandonAndClose, ignore }

    /// The decoder gave up: what follows on this connection has no meaning.
    mutating func failed() -> FailureAction {
        switch state {
        case .idle: return .refuse
        case .open(let exchange): return exchange.headIsWritten ? .abandonAndClose : .abandonAndRefuse
        case .draining, .upgraded, .closed: return .ignore
        }
    }

    /// The front itself answers, with an error: nothing that follows is served.
    mutating func refused() {
        queuedParts = 0
        consumerIsFull = false
        state = .draining(discardedBytes: 0)
    }

    enum ResponseHeadAction: Equatable { case write(keepAlive: Bool), abandonAndClose, ignore }

    /// - Parameters:
    ///   - streams: the response has no declared length.
    ///   - isDelimited: the client can tell where the response ends without the connection closing.
    mutating func responseHead(streams: Bool, isDelimited: Bool) -> ResponseHeadAction {
        guard case .open(var exchange) = state, !exchange.headIsWritten else { return .ignore }
        if streams, inputIsClosed || isQuiescing { return .abandonAndClose }
        exchange.headIsWritten = true
        exchange.streamsResponse = streams
        if !isDelimited || isQuiescing || exchange.isReceiving || (inputIsClosed && queuedParts == 0) { exchange.keepAlive = false }
        state = .open(exchange)
        return .write(keepAlive: exchange.keepAlive)
    }

    enum ResponseEndAction: Equatable { case next, close, drain, ignore }

    mutating func responseEnd() -> ResponseEndAction {
        guard case .open(let exchange) = state, exchange.headIsWritten else { return .ignore }
        if exchange.keepAlive, !exchange.isReceiving, !isQuiescing, !(inputIsClosed && queuedParts == 0) {
            state = .idle
            return .next
        }
        let leavesInput = exchange.isReceiving || queuedParts > 0
        refused()
        return leavesInput && !inputIsClosed ? .drain : .close
    }

    /// - Returns: whether the exchange may be handed over to another protocol; it then has been.
    mutating func upgrade() -> Bool {
        guard case .open(let exchange) = state, exchange.route == .upgrade, !exchange.isReceiving, !exchange.headIsWritten else {
            return false
        }
        state = .upgraded
        return true
    }

    enum Departure: Equatable { case none, close, abandonAndClose }

    /// The client sent its FIN. It is gone, unless all it may be waiting for is an ordinary response.
    mutating func inputClosed() -> Departure {
        inputIsClosed = true
        switch state {
        case .idle: return queuedParts == 0 ? .close : .none
        case .open(let exchange):
            let isOver = exchange.route != .rest || exchange.isReceiving || exchange.streamsResponse || exchange.endsWithClient
            return isOver ? .abandonAndClose : .none
        case .draining: return .close
        case .upgraded, .closed: return .none
        }
    }

    /// After the queue was worked off: a request whose rest will never come.
    var isOrphaned: Bool {
        guard inputIsClosed, queuedParts == 0, case .open(let exchange) = state else { return false }
        return exchange.isReceiving || exchange.route != .rest || exchange.endsWithClient
    }

    /// The server shuts down: idle connections close, ordinary responses finish, streaming ones are cut.
    mutating func quiesce() -> Departure {
        isQuiescing = true
        switch state {
        case .idle: return .close
        case .open(let exchange): return exchange.streamsResponse ? .abandonAndClose : .none
        case .draining, .upgraded, .closed: return .none
        }
    }

    mutating func closed() {
        queuedParts = 0
        consumerIsFull = false
        state = .closed
    }
}
