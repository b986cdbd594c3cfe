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

        /// What is wrong, for the operator; nothing of the key.
        public var description: String {
            switch self {
            case .certificate: "must be certificates in PEM, the server's own first and those that signed it after it"
            case .key: "must be a private key in PEM, without a passphrase"
            case .pair: "is not the key of the first certificate"
            }
        }
    }

    private struct Current {
        var context: NIOSSLContext
        /// For connections to other nodes.
        var peers: NIOSSLContext?
        var expiry: Int64
    }

    private let current: Mutex<Current>
    private let connectsToPeers: Bool

    /// Reads nothing but its arguments; takes some milliseconds of arithmetic.
    ///
    /// - Parameters:
    ///   - certificate: a chain of certificates in PEM, the server's own first.
    ///   - key: its private key in PEM.
    ///   - connectsToPeers: requests are sent on to other nodes, which speak TLS as this one does. Their certificates have to be signed by
    ///     one of `certificate` or by an authority that the machine trusts, and need not name the address: nodes are found by numbers. Reads
    ///     the machine's authorities: not on an event loop.
    public init(certificate: [UInt8], key: [UInt8], connectsToPeers: Bool = false) throws(Fault) {
        self.connectsToPeers = connectsToPeers
        current = Mutex(try Self.make(certificate, key, connectsToPeers))
    }

    /// Takes another certificate and key; those before stay in force when these cannot be used.
    public func replace(certificate: [UInt8], key: [UInt8]) throws(Fault) {
        let made = try Self.make(certificate, key, connectsToPeers)
        current.withLock { $0 = made }
    }

    /// When the certificate ends. Seconds since 1970.
    public var expiry: Int64 { current.withLock { $0.expiry } }

    var context: NIOSSLContext { current.withLock { $0.context } }
    var peerContext: NIOSSLContext? { current.withLock { $0.peers } }

    private static func make(_ certificate: [UInt8], _ key: [UInt8], _ connectsToPeers: Bool) throws(Fault) -> Current {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(certificate) } catch { throw .certificate }
        guard let own = chain.first else { throw .certificate }
        let secret: NIOSSLPrivateKey
        do { secret = try NIOSSLPrivateKey(bytes: key, format: .pem) } catch { throw .key }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(secret))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        configuration.shutdownTimeout = SecureLimits.closeNotify
        do {
            return Current(
                context: try NIOSSLContext(configuration: configuration), peers: connectsToPeers ? try client(chain) : nil,
                expiry: Int64(own.notValidAfter))
        } catch { throw .pair }
    }

    private static func client(_ chain: [NIOSSLCertificate]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .noHostnameVerification
        configuration.additionalTrustRoots = [.certificates(chain)]
        configuration.shutdownTimeout = SecureLimits.closeNotify
        return try NIOSSLContext(configuration: configuration)
    }
}
