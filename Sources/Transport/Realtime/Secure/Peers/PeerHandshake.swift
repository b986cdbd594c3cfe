internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// Stands behind TLS towards another node until the node has proved to be of the cluster, and tells how that ended. Confined to the
/// connection's event loop.
final class PeerHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    static let protocolName = "http/1.1"

    private var outcome: EventLoopPromise<Void>?
    private var late: Scheduled<Void>?

    /// How the handshake of a channel that has just been connected ends; fails with a ``RelayFailure``. On the channel's loop.
    static func end(on channel: any Channel) -> EventLoopFuture<Void> {
        let handshake = try? channel.pipeline.syncOperations.handler(type: PeerHandshake.self)
        return handshake?.outcome?.futureResult ?? channel.eventLoop.makeFailedFuture(RelayFailure.unreachable)
    }

    func handlerAdded(context: ChannelHandlerContext) { outcome = context.eventLoop.makePromise() }
    func handlerRemoved(context: ChannelHandlerContext) { end(.unreachable) }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context.channel), eventLoop: context.eventLoop)
        late = context.eventLoop.scheduleTask(in: .seconds(RelayLimits.handshakeSeconds)) {
            let (handshake, channel) = bound.value
            handshake.end(.unreachable)
            channel.close(promise: nil)
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let agreed)? = event as? TLSUserEvent else { return context.fireUserInboundEventTriggered(event) }
        guard agreed == Self.protocolName else {
            end(.untrusted)
            return context.close(promise: nil)
        }
        end(nil)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Plain HTTP at the other end, a certificate that is not the cluster's, or nothing that both can do.
        let isRefusal = error is NIOSSLExtraError || (error is NIOSSLError && !NIOSSLError.isEnd(error))
        end(isRefusal ? .untrusted : .unreachable)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.unreachable)
        context.fireChannelInactive()
    }

    private func end(_ failure: RelayFailure?) {
        late?.cancel()
        late = nil
        guard let outcome = outcome.take() else { return }
        if let failure { outcome.fail(failure) } else { outcome.succeed() }
    }
}

extension NIOSSLError {
    /// The other side went away in the middle of the handshake, as a scanner or a health check does.
    static func isEnd(_ error: any Error) -> Bool {
        guard case .handshakeFailed(.sslError(let errors))? = error as? NIOSSLError else { return false }
        return errors == [.eofDuringHandshake]
    }
}
