internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// An address that the server cannot listen on, said so that an operator knows which.
public struct ListenFailure: Error, CustomStringConvertible {
    /// The address that was asked for.
    public let host: String
    /// The port that was asked for.
    public let port: Int
    /// The kernel's error number.
    public let errno: CInt

    /// The address and what the kernel says, for the operator.
    public var description: String {
        let reason = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
        return "cannot listen on \(host) port \(port): \(reason); choose another with --host or --port"
    }
}

/// Binds the server's addresses and sets up the connections that arrive there.
enum Listener {
    static func bind(
        _ configuration: FrontConfiguration, shared: FrontShared, loops: FrontLoops, group: any EventLoopGroup
    ) async throws -> [any Channel] {
        var listeners: [any Channel] = []
        var port = configuration.port
        do {
            for host in configuration.hosts {
                let bootstrap = bootstrap(configuration, shared: shared, loops: loops, group: group, isIPv6: host.contains(":"))
                let listener: any Channel
                do {
                    listener = try await bootstrap.bind(host: host, port: port).get()
                } catch let error as IOError {
                    throw ListenFailure(host: host, port: port, errno: error.errnoCode)
                }
                listeners.append(listener)
                port = listener.localAddress?.port ?? port
            }
        } catch {
            for listener in listeners { try? await listener.close() }
            throw error
        }
        return listeners
    }

    private static func bootstrap(
        _ configuration: FrontConfiguration, shared: FrontShared, loops: FrontLoops, group: any EventLoopGroup, isIPv6: Bool
    ) -> ServerBootstrap {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: configuration.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                // Out of descriptors: accept again later instead of spinning.
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler()) }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: FrontLimits.readsPerCycle)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(unsentLimit, value: FrontLimits.unsentBytesMax)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try setUp(channel, shared: shared, loops: loops) }
            }
        // Each address family has its own listener, so that `0.0.0.0` and `::` can both be asked for.
        let onlyIPv6 = ChannelOptions.Types.SocketOption(level: .ipv6, name: .init(rawValue: CInt(IPV6_V6ONLY)))
        return isIPv6 ? bootstrap.serverChannelOption(onlyIPv6, value: 1) : bootstrap
    }

    /// Of what a client does not read the kernel would keep several megabytes by itself, and a run's text would wait there in
    /// pieces instead of being merged in its log.
    private static let unsentLimit = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: CInt(TCP_NOTSENT_LOWAT)))

    /// The pipeline of a connection, from the socket: TLS when there is a certificate, then the codec of the protocol, then the front.
    private static func setUp(_ channel: any Channel, shared: FrontShared, loops: FrontLoops) throws {
        let pipeline = channel.pipeline.syncOperations
        switch shared.admit() {
        case .serve:
            channel.closeFuture.whenComplete { _ in shared.served() }
            guard let loop = loops.loop(of: channel.eventLoop), let slot = loop.add(channel) else { return channel.close(promise: nil) }
            guard let tls = shared.tls else { return try addHTTP1(to: channel, shared: shared, loop: loop, slot: slot) }
            let handshake = SecureConnectionHandler(shared: shared, loop: loop, slot: slot)
            slot.front = handshake
            try pipeline.addHandler(NIOSSLServerHandler(context: tls.context))
            try pipeline.addHandler(handshake)
        // To say 503 over TLS would cost a handshake, at a time when there is no room.
        case .refuse where shared.tls != nil:
            shared.refusalEnded()
            channel.close(promise: nil)
        case .refuse:
            channel.closeFuture.whenComplete { _ in shared.refusalEnded() }
            try pipeline.addHandler(RefusedConnectionHandler())
        case .drop:
            channel.close(promise: nil)
        }
    }

    /// HTTP/1.1 at the end of a pipeline: encoder, decoder, front. On the channel's event loop.
    static func addHTTP1(to channel: any Channel, shared: FrontShared, loop: FrontLoop, slot: FrontLoop.Slot) throws {
        let codec = HTTPCodec()
        let front = FrontHandler(shared: shared, loop: loop, slot: slot, codec: codec)
        slot.front = front
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(codec.encoder)
        try pipeline.addHandler(codec.decoder)
        try pipeline.addHandler(front)
    }
}
