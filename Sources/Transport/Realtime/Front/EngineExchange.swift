internal import NIOCore
internal import NIOHTTP1

/// One Engine.IO request of a connection. Confined to the connection's event loop.
///
/// It lets go of the connection as soon as it is answered or abandoned, so a session may keep it.
final class EngineExchange: EngineIORequest {
    let head: HTTPRequestHead
    fileprivate(set) var body = ByteBuffer()
    let eventLoop: any EventLoop
    let remoteAddress: SocketAddress?
    let isSecure: Bool
    var onAbandoned: ((Abandonment) -> Void)?
    let plan: RequestPlan
    private var front: FrontHandler?
    /// On its way to another node, which answers.
    var relay: Relay?

    init(_ head: HTTPRequestHead, _ plan: RequestPlan, front: FrontHandler, channel: any Channel) {
        self.head = head
        self.plan = plan
        self.front = front
        isSecure = front.shared.tls != nil
        eventLoop = channel.eventLoop
        remoteAddress = channel.remoteAddress
    }

    func append(_ buffer: inout ByteBuffer) {
        if body.readableBytes == 0 { body = buffer } else { body.writeBuffer(&buffer) }
    }

    func respond(_ response: EngineIOResponse) {
        guard let front = release() else { return }
        front.answer(self, response)
    }

    func upgrade(headers: HTTPHeaders, handler: any ChannelInboundHandler & RemovableChannelHandler) {
        guard let front = release() else { return }
        front.upgrade(headers: headers, handler: handler)
    }

    func abort() {
        release()?.abortConnection()
    }

    func relay(to peer: PeerAddress, within patience: TimeAmount, failed: @escaping (RelayFailure) -> Void) {
        guard let front else { return }
        front.relay(self, to: peer, within: patience, failed: failed)
    }

    /// The last of a relayed answer has been written.
    func answered() { _ = release() }

    /// The connection is gone, or the front has answered.
    func abandon(_ abandonment: Abandonment) {
        let notify = onAbandoned
        guard release() != nil else { return }
        notify?(abandonment)
    }

    private func release() -> FrontHandler? {
        eventLoop.preconditionInEventLoop()
        onAbandoned = nil
        relay = nil
        return front.take()
    }
}
