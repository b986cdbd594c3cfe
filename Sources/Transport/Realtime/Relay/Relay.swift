internal import NIOCore
internal import NIOHTTP1

/// One request of a client that another node answers: carries out what ``RelayStateMachine`` decides. Confined to the loop of
/// the client's connection, which is the peer connection's too.
final class Relay {
    private var machine: RelayStateMachine
    private let exchange: EngineExchange
    private let front: FrontHandler
    private let address: PeerAddress
    private let patience: TimeAmount
    private var failed: ((RelayFailure) -> Void)?
    private var peer: PeerConnection?
    private var head: HTTPResponseHead?
    private var deadline: Scheduled<Void>?
    /// Something of the answer has come since the deadline was set.
    private var hasMoved = false

    /// - Parameters:
    ///   - patience: for the answer's head.
    ///   - failed: called at most once, while nothing has been sent to the client.
    init(
        _ exchange: EngineExchange, front: FrontHandler, to address: PeerAddress, patience: TimeAmount,
        failed: @escaping (RelayFailure) -> Void
    ) {
        machine = RelayStateMachine(isUpgrade: exchange.plan.route == .upgrade)
        self.exchange = exchange
        self.front = front
        self.address = address
        self.patience = patience
        self.failed = failed
    }

    private var pool: PeerPool { front.loop.peers }

    func start() {
        watch(patience)
        if let waiting = pool.take(address) { return connected(waiting) }
        pool.open(address) { [self] result in
            switch result {
            case .success(let connection): connected(connection)
            case .failure(let why): perform(machine.notConnected(why))
            }
        }
    }

    /// The client's connection has not taken what was written to it.
    var clientIsFull: Bool { !machine.hasEnded && !front.isWritable }

    // MARK: Events

    private func connected(_ connection: PeerConnection) {
        peer = connection
        perform(machine.connected())
    }

    func received(_ part: HTTPClientResponsePart) {
        hasMoved = true
        switch part {
        case .head(let head):
            self.head = head
            watch(.seconds(RelayLimits.silenceSeconds))
            perform(machine.head(status: Int(head.status.code), keepsPeer: head.isKeepAlive))
        case .body(let buffer): perform(machine.body(), body: buffer)
        case .end(let trailers): perform(machine.end(), trailers: trailers)
        }
    }

    func readComplete() { front.flushIfNeeded() }
    func peerEnded() { perform(machine.lost()) }
    func clientGone() { perform(machine.clientGone()) }
    func clientHasRoom() { peer?.resumeReading() }

    /// One timer a relayed request: re-armed when it rings, not whenever something comes.
    private func watch(_ time: TimeAmount) {
        deadline?.cancel()
        hasMoved = false
        let bound = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        deadline = exchange.eventLoop.scheduleTask(in: time) { bound.value.ring(time) }
    }

    private func ring(_ time: TimeAmount) {
        // A client that takes nothing is the front's affair, which has a deadline for it.
        if hasMoved || peer?.withholdsRead == true { watch(time) } else { perform(machine.late()) }
    }

    // MARK: Actions

    private func perform(_ actions: [RelayStateMachine.Action], body: ByteBuffer? = nil, trailers: HTTPHeaders? = nil) {
        if machine.hasEnded {
            deadline?.cancel()
            deadline = nil
        }
        for action in actions {
            switch action {
            case .sendRequest: sendRequest()
            case .sendHead: sendHead()
            case .sendBody: if let body { front.relay(body, of: exchange) }
            case .sendEnd: front.endRelayed(exchange, trailers)
            case .pipe: pipe()
            case .keepPeer: letGo().map(pool.keep)
            case .closePeer: letGo()?.close()
            case .fail(let failure): fail(failure)
            case .cutClient: exchange.abort()
            case .count(let outcome): front.shared.metrics.count(outcome)
            }
        }
    }

    private func letGo() -> PeerConnection? {
        peer?.relay = nil
        return peer.take()
    }

    private func sendRequest() {
        guard let peer else { return }
        peer.relay = self
        let plan = exchange.plan
        let requestID = plan.requestID ?? RequestIdentifier.make()
        let request = RelayedHead.request(
            exchange.head, target: plan.target, bodyBytes: exchange.body.readableBytes, isUpgrade: machine.isUpgrade,
            requestID: requestID, peer: address)
        peer.send(request, exchange.body)
    }

    private func sendHead() {
        guard let head else { return }
        front.relay(RelayedAnswer(head, exchange.plan), of: exchange)
    }

    private func fail(_ failure: RelayFailure) {
        exchange.relay = nil
        failed.take()?(failure)
    }

    private func pipe() {
        guard let head, let peer = letGo() else { return }
        let (toClient, toPeer) = RelayPipe.pair()
        exchange.upgrade(headers: head.headers, handler: toClient)
        // The client's connection may have ended in this very turn.
        guard toClient.isAttached else { return peer.close() }
        peer.handOver(to: toPeer)
    }
}
