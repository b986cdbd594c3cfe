internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// Makes TLS towards other nodes, and judges who answers there. Any thread; the state is in short `Mutex`es.
final class PeerGate: Sendable {
    private enum Means: Sendable {
        case ownKey(PeerKeys)
        case roots
    }

    private let means: Means
    private let context: Mutex<NIOSSLContext>

    init(_ trust: PeerTrust, ownKey: [UInt8]) throws(TLSIdentity.Fault) {
        switch trust {
        case .ownKey(let renewed):
            means = .ownKey(PeerKeys(own: ownKey, renewed: renewed))
            // No authority counts: the key is compared in the place of a verification.
            context = Mutex(try Self.context(roots: [], .noHostnameVerification))
        case .roots(let pem):
            means = .roots
            context = Mutex(try Self.context(roots: Self.certificates(pem), .fullVerification))
        }
    }

    func replace(ownKey: [UInt8], roots: [UInt8]?) throws(TLSIdentity.Fault) {
        switch means {
        case .ownKey(let keys): keys.replace(by: ownKey)
        case .roots:
            guard let roots else { return }
            let made = try Self.context(roots: Self.certificates(roots), .fullVerification)
            context.withLock { $0 = made }
        }
    }

    /// For a connection to `address`. What is written before the node has proved itself waits.
    func handler(for address: PeerAddress) throws -> NIOSSLClientHandler {
        let context = context.withLock { $0 }
        switch means {
        case .ownKey(let keys):
            return try NIOSSLClientHandler(context: context, serverHostname: nil, customVerificationCallback: keys.judge)
        case .roots:
            // Without a name the number that was connected to is looked for in the certificate.
            let isNumber = (try? SocketAddress(ipAddress: address.host, port: address.port)) != nil
            return try NIOSSLClientHandler(context: context, serverHostname: isNumber ? nil : address.host)
        }
    }

    private static func certificates(_ pem: [UInt8]) throws(TLSIdentity.Fault) -> [NIOSSLCertificate] {
        guard let roots = try? NIOSSLCertificate.fromPEMBytes(pem), !roots.isEmpty else { throw .roots }
        return roots
    }

    private static func context(
        roots: [NIOSSLCertificate], _ verification: CertificateVerification
    ) throws(TLSIdentity.Fault) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // Every node knows it, and it shows nobody else the certificates.
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = verification
        configuration.trustRoots = .certificates(roots)
        // A relayed WebSocket needs a connection to itself.
        configuration.applicationProtocols = [PeerHandshake.protocolName]
        configuration.shutdownTimeout = SecureLimits.closeNotify
        do { return try NIOSSLContext(configuration: configuration) } catch { throw .roots }
    }
}

/// Judges nodes by their key. Any thread; the state is in a short `Mutex`.
final class PeerKeys: Sendable {
    private struct State {
        var known: KnownKeys
        /// The last look at the file, or the one that is going on.
        var look: (result: EventLoopFuture<Void>, at: NIODeadline)?
    }

    private let state: Mutex<State>
    private let renewed: (@Sendable () -> [UInt8]?)?

    init(own: [UInt8], renewed: (@Sendable () -> [UInt8]?)?) {
        state = Mutex(State(known: KnownKeys(own: own)))
        self.renewed = renewed
    }

    func replace(by key: [UInt8]) { state.withLock { $0.known.replace(by: key, at: .now()) } }

    /// TLS itself has the node prove that it holds the private key of the first certificate of `chain`.
    func judge(_ chain: [NIOSSLCertificate], _ verdict: EventLoopPromise<NIOSSLVerificationResult>) {
        guard let key = chain.first?.publicKeyBytes else { return verdict.succeed(.failed) }
        if knows(key) { return verdict.succeed(.certificateVerified) }
        guard let renewed else { return verdict.succeed(.failed) }
        lookAgain(renewed, on: verdict.futureResult.eventLoop).whenComplete { [self] _ in
            verdict.succeed(knows(key) ? .certificateVerified : .failed)
        }
    }

    private func knows(_ key: [UInt8]) -> Bool { state.withLock { $0.known.contains(key, at: .now()) } }

    /// One look for all who ask at about the same time: a node with a wrong key must not keep the disk busy.
    private func lookAgain(_ read: @escaping @Sendable () -> [UInt8]?, on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        state.withLock { state in
            let now = NIODeadline.now()
            if let look = state.look, now - look.at < RelayLimits.keyLookInterval { return look.result.hop(to: eventLoop) }
            let result = NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { [self] in
                guard let pem = read(), let key = try? NIOSSLCertificate.fromPEMBytes(pem).first?.publicKeyBytes else { return }
                self.state.withLock { $0.known.saw(key) }
            }
            state.look = (result, now)
            return result
        }
    }
}
