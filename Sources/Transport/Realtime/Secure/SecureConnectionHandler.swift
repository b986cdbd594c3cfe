internal import Logging
internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// Stands behind TLS: waits for the handshake, then sets up the protocol that was agreed on, and says of the end of TLS what the handlers
/// behind it understand. Confined to the connection's event loop.
final class SecureConnectionHandler: ChannelInboundHandler, SweptConnection {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let shared: FrontShared
    private let loop: FrontLoop
    private let slot: FrontLoop.Slot
    private var context: ChannelHandlerContext?
    private var isShakingHands = true
    private var deadlines = FrontDeadlines()

    init(shared: FrontShared, loop: FrontLoop, slot: FrontLoop.Slot) {
        self.shared = shared
        self.loop = loop
        self.slot = slot
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let agreed): agreedOn(agreed, context)
        // Only tells that the other side has said its end, which arrives as the end of the input.
        case TLSUserEvent.shutdownCompleted: break
        case is ChannelShouldQuiesceEvent where isShakingHands: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func agreedOn(_ name: String?, _ context: ChannelHandlerContext) {
        guard isShakingHands else { return }
        isShakingHands = false
        slot.front = nil
        do {
            if name == "h2" {
                try HTTP2ConnectionHandler.add(to: context.channel, shared: shared, loop: loop, slot: slot)
            } else {
                try Listener.addHTTP1(to: context.channel, shared: shared, loop: loop, slot: slot)
            }
        } catch {
            // Only a channel that is closing refuses a handler.
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isShakingHands { return failed(error is IOError || NIOSSLError.isEnd(error) ? .left : .refused) }
        // A client that goes without a word. HTTP tells by itself where a message ends, so nothing can be cut short unseen (RFC 9112 §9.8).
        if case .uncleanShutdown? = error as? NIOSSLError { return }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isShakingHands { failed(.left) }
        context.fireChannelInactive()
    }

    /// Counted and not logged: anybody may cause it, as often as they like. TLS closes the connection.
    private func failed(_ reason: HandshakeFailure) {
        isShakingHands = false
        slot.front = nil
        shared.metrics.count(reason)
    }

    // MARK: Deadlines

    func sweep() -> FrontDeadlines.Verdict {
        isShakingHands ? deadlines.sweep(.handshake, epoch: 0, bufferedBytes: 0, writtenBytes: 0, shared.deadlines) : .stay
    }

    func overstayed(_ verdict: FrontDeadlines.Verdict) {
        failed(.deadline)
        context?.close(promise: nil)
    }
}

/// Why a TLS handshake came to nothing; the label of `kdcube_tls_handshake_failures_total`.
enum HandshakeFailure: String, CaseIterable {
    /// The client went away.
    case left
    /// What came was not TLS, or nothing that both sides can do.
    case refused
    case deadline
}
