import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import Transport

/// A directory that a test writes.
final class FakePeers: PeerDirectory {
    private let table = Mutex<[UInt32: PeerAddress]>([:])

    func address(of node: UInt32) -> PeerAddress? { table.withLock { $0[node] } }
    func put(_ node: UInt32, host: String = "127.0.0.1", port: Int, isSecure: Bool = false) {
        table.withLock { $0[node] = PeerAddress(host: host, port: port, isSecure: isSecure) }
    }
}

/// A node that says what a test wants, byte for byte. It accepts any number of connections.
final class RawPeer: Sendable {
    /// Called for the head of each connection's request; what follows is in ``received``.
    typealias Script = @Sendable (any Channel) -> Void

    private struct State {
        var bytes: [UInt8] = []
        var connections = 0
        var ended = 0
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let peer: RawPeer
        let script: Script
        var head: [UInt8] = []
        var isAnswered = false

        init(_ peer: RawPeer, _ script: @escaping Script) {
            (self.peer, self.script) = (peer, script)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            peer.state.withLock { $0.bytes += bytes }
            guard !isAnswered else { return }
            head += bytes
            guard head.contains(subsequence: Array("\r\n\r\n".utf8)) else { return }
            isAnswered = true
            script(context.channel)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        }

        func channelInactive(context: ChannelHandlerContext) { peer.state.withLock { $0.ended += 1 } }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    private let state = Mutex(State())
    var received: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
    var receivedBytes: Int { state.withLock { $0.bytes.count } }
    var connections: Int { state.withLock { $0.connections } }
    /// Connections that have ended.
    var ended: Int { state.withLock { $0.ended } }

    /// Runs `body` with a peer that listens on a free port.
    static func run(
        tls: NIOSSLContext? = nil, _ script: @escaping Script, _ body: (RawPeer, Int) async throws -> Void
    ) async throws {
        let peer = RawPeer()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                peer.state.withLock { $0.connections += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(Handler(peer, script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do { try await body(peer, listener.localAddress?.port ?? 0) } catch {
            try? await listener.close()
            throw error
        }
        try await listener.close()
    }

    static func say(_ text: String, to channel: any Channel) { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }
}
