internal import NIOCore
internal import NIOSSL
internal import Synchronization

/// The certificate that a server shows and the key that proves it, for ``FrontConfiguration/tls``.
///
/// May be replaced while the server runs: connections made from then on get the new one, those that are open keep theirs. The context in
/// force is in a `Mutex` held for a copy; any thread may call.
///
/// At least TLS 1.2 (RFC 8996 forbids what is older); TLS 1.3 with those that know it. HTTP/2 is offered before HTTP/1.1 (RFC 7301).
public final class TLSIdentity: Sendable {
    /// Why a certificate or a key cannot be used. Holds nothing of either.
    public enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// It is no PEM text of certificates.
        case certificate
        /// It is no PEM text of a private key, or needs a passphrase.
        case key
        /// The key belongs to another certificate.
        case pair
        /// The authorities of ``PeerTrust/roots(_:)`` are no PEM text of certificates.
        case roots

        /// What is wrong, for the operator; nothing of the key.
        public var description: String {
            switch self {
            case .certificate: "must be certificates in PEM, the server's own first and those that signed it after it"
            case .key: "must be a private key in PEM, without a passphrase"
            case .pair: "is not the key of the first certificate"
            case .roots: "must be certificates of authorities in PEM"
            }
        }
    }

    private struct Current {
        var context: NIOSSLContext
        var expiry: Int64
        /// The own one, as it is compared with other nodes'.
        var publicKey: [UInt8]
    }

    private let current: Mutex<Current>
    /// Nil: this server connects to no other.
    let peers: PeerGate?

    /// Reads nothing but its arguments; takes some milliseconds of arithmetic.
    ///
    /// - Parameters:
    ///   - certificate: a chain of certificates in PEM, the server's own first.
    ///   - key: its private key in PEM.
    ///   - peers: how other nodes, which requests are sent on to, prove that they are of the cluster; nil sends nothing on.
    public init(certificate: [UInt8], key: [UInt8], peers: PeerTrust? = nil) throws(Fault) {
        let made = try Self.make(certificate, key)
        current = Mutex(made)
        self.peers = if let peers { try PeerGate(peers, ownKey: made.publicKey) } else { nil }
    }

    /// Takes another certificate and key; those before stay in force when these cannot be used.
    ///
    /// - Parameter roots: the authorities in the place of those of ``PeerTrust/roots(_:)``; of no use with the own key.
    public func replace(certificate: [UInt8], key: [UInt8], roots: [UInt8]? = nil) throws(Fault) {
        let made = try Self.make(certificate, key)
        try peers?.replace(ownKey: made.publicKey, roots: roots)
        current.withLock { $0 = made }
    }

    /// When the certificate ends. Seconds since 1970.
    public var expiry: Int64 { current.withLock { $0.expiry } }

    var context: NIOSSLContext { current.withLock { $0.context } }

    private static func make(_ certificate: [UInt8], _ key: [UInt8]) throws(Fault) -> Current {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(certificate) } catch { throw .certificate }
        guard let own = chain.first, let publicKey = own.publicKeyBytes else { throw .certificate }
        let secret: NIOSSLPrivateKey
        do { secret = try NIOSSLPrivateKey(bytes: key, format: .pem) } catch { throw .key }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(secret))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.shutdownTimeout = SecureLimits.closeNotify
        do {
            return Current(
                context: try NIOSSLContext(configuration: configuration), expiry: Int64(own.notValidAfter), publicKey: publicKey)
        } catch { throw .pair }
    }
}

extension NIOSSLCertificate {
    /// The SubjectPublicKeyInfo (RFC 5280 §4.1.2.7); nil for a key that cannot be read.
    var publicKeyBytes: [UInt8]? { try? extractPublicKey().toSPKIBytes() }
}
