internal import NIOCore
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
