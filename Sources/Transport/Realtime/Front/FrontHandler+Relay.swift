internal import NIOCore
internal import NIOHTTP1

/// Requests whose session lives on another node.
extension FrontHandler {
    /// Has another node answer. See ``EngineIORequest/relay(to:within:failed:)``.
    func relay(_ exchange: EngineExchange, to peer: PeerAddress, within patience: TimeAmount, failed: @escaping (RelayFailure) -> Void) {
        // Its body is in memory until the peer has answered.
        guard loop.peers.connections < shared.relaysPerLoopMax, reserve(exchange.body.readableBytes) else {
            shared.metrics.count(RelayStateMachine.Outcome.limit)
            return failed(.limit)
        }
        let relay = Relay(exchange, front: self, to: peer, patience: patience, failed: failed)
        exchange.relay = relay
        exchange.onAbandoned = { _ in relay.clientGone() }
        relay.start()
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func relay(_ answer: RelayedAnswer, of exchange: EngineExchange) {
        guard owns(exchange) else { return }
        releaseReserved()
        guard case .write(let keepAlive) = machine.responseHead(streams: false, isDelimited: answer.isDelimited) else { return }
        write(head: answer.head, keepAlive: keepAlive, exchange.plan, nil)
        needsFlush = true
    }

    func relay(_ body: ByteBuffer, of exchange: EngineExchange) {
        guard owns(exchange), !exchange.plan.isHead else { return }
        write(body: body)
        needsFlush = true
    }

    func endRelayed(_ exchange: EngineExchange, _ trailers: HTTPHeaders?) {
        guard owns(exchange) else { return }
        current = .none
        exchange.answered()
        endResponse(trailers)
    }

    private func owns(_ exchange: EngineExchange) -> Bool {
        if case .engine(let running) = current { running === exchange } else { false }
    }
}
