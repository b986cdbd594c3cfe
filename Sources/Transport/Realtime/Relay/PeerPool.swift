internal import NIOCore
internal import NIOPosix

/// The connections of one event loop to the other nodes. Confined to that loop.
final class PeerPool {
    private let eventLoop: any EventLoop
    /// With it nodes speak TLS with each other.
    private let tls: TLSIdentity?
    private var idle: [PeerAddress: [PeerConnection]] = [:]
    /// Open, or being opened; those that wait in the pool, and those that an upgrade has made a pipe, too.
    private(set) var connections = 0
    private var isQuiescing = false

    init(eventLoop: any EventLoop, tls: TLSIdentity? = nil) {
        self.eventLoop = eventLoop
        self.tls = tls
    }

    /// A connection that waits; the one that was used last, so that the others can go.
    func take(_ address: PeerAddress) -> PeerConnection? {
        while let connection = idle[address]?.popLast() {
            if idle[address]?.isEmpty == true { idle[address] = nil }
            if connection.isUsable { return connection }
        }
        return nil
    }

    /// A connection has been read to the end of an answer.
    func keep(_ connection: PeerConnection) {
        guard !isQuiescing, connection.isUsable, idle[connection.address, default: []].count < RelayLimits.idleConnectionsMax else {
            return connection.close()
        }
        connection.idleSince = eventLoop.now
        idle[connection.address, default: []].append(connection)
        // What was withheld of the last answer's reader.
        connection.resumeReading()
    }

    /// The connection has ended: it is in the pool no more, if it was.
    func forget(_ connection: PeerConnection) {
        guard let index = idle[connection.address]?.firstIndex(where: { $0 === connection }) else { return }
        idle[connection.address]?.remove(at: index)
        if idle[connection.address]?.isEmpty == true { idle[connection.address] = nil }
    }

    /// Opens a connection, and has the node at its other end prove that it is of the cluster where nodes speak TLS. `done` is called once,
    /// on the loop.
    func open(_ address: PeerAddress, done: @escaping (Result<PeerConnection, RelayFailure>) -> Void) {
        // Nothing that a client has said over TLS leaves in the clear, whatever the directory says; and without a certificate of its own
        // this node has nothing to know the others by.
        guard address.isSecure == (tls != nil), tls == nil || tls?.peers != nil else { return done(.failure(.untrusted)) }
        connections += 1
        let bound = NIOLoopBound((pool: self, done: done), eventLoop: eventLoop)
        connect(address).whenComplete { result in
            let (pool, done) = bound.value
            switch result {
            case .success(let channel):
                guard let connection = try? channel.pipeline.syncOperations.handler(type: PeerConnection.self) else {
                    pool.connections -= 1
                    return done(.failure(.unreachable))
                }
                channel.closeFuture.whenComplete { _ in bound.value.pool.connections -= 1 }
                done(.success(connection))
            case .failure(let error):
                pool.connections -= 1
                done(.failure(error as? RelayFailure ?? .unreachable))
            }
        }
    }

    /// A channel on which the next byte may be a request.
    private func connect(_ address: PeerAddress) -> EventLoopFuture<any Channel> {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(RelayLimits.connectSeconds))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: FrontLimits.readsPerCycle)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pool = bound.value
                    if let peers = pool.tls?.peers {
                        try channel.pipeline.syncOperations.addHandlers(peers.handler(for: address), PeerHandshake())
                    }
                    try PeerConnection(address, pool: pool).install(in: channel)
                }
            }
        // A number needs no resolver, and its thread.
        let connecting =
            if let number = try? SocketAddress(ipAddress: address.host, port: address.port) {
                bootstrap.connect(to: number)
            } else {
                bootstrap.connect(host: address.host, port: address.port)
            }
        guard address.isSecure else { return connecting }
        return connecting.flatMap { channel in PeerHandshake.end(on: channel).map { channel } }
    }

    /// Closes what has waited too long.
    func sweep() {
        guard !idle.isEmpty else { return }
        let latest = eventLoop.now - .seconds(RelayLimits.idleSeconds)
        for connection in idle.values.joined() where connection.idleSince <= latest { connection.close() }
    }

    /// Keeps no connection any more: the server shuts down.
    func quiesce() {
        isQuiescing = true
        for connection in idle.values.joined() { connection.close() }
    }
}
