internal import Foundation
internal import Logging
internal import NIOPosix
internal import Telemetry
internal import Transport

/// The files of the server's certificate and its key, and of the authorities of other servers where there is one.
struct CertificateFiles: Sendable {
    /// A chain is some kilobytes; what is larger is something else.
    private static let fileBytesMax = 1 << 20

    let settings: Configuration.TLS

    init(_ settings: Configuration.TLS) { self.settings = settings }

    /// Which contents the files have. Asks the file system: not on an event loop.
    struct Identity: Sendable, Equatable {
        let certificate: FileIdentity?
        let key: FileIdentity?
        let peerRoots: FileIdentity?
    }

    var identity: Identity {
        Identity(
            certificate: FileIdentity(settings.certificate), key: FileIdentity(settings.key), peerRoots: FileIdentity(settings.peerRoots))
    }

    /// Reads all: not on an event loop.
    ///
    /// - Throws: ``ConfigurationError`` that names the setting and holds nothing of the key.
    func load(connectsToPeers: Bool) throws(ConfigurationError) -> TLSIdentity {
        let (certificate, key, roots) = try read()
        let path = settings.certificate
        let trust = roots.map { PeerTrust.roots($0) } ?? .ownKey(renewed: { Self.content(path) })
        do throws(TLSIdentity.Fault) {
            return try TLSIdentity(certificate: certificate, key: key, peers: connectsToPeers ? trust : nil)
        } catch { throw explained(error) }
    }

    /// Puts their content in the place of what `identity` has.
    func reload(into identity: TLSIdentity) throws(ConfigurationError) {
        let (certificate, key, roots) = try read()
        do throws(TLSIdentity.Fault) {
            try identity.replace(certificate: certificate, key: key, roots: roots)
        } catch { throw explained(error) }
    }

    private func read() throws(ConfigurationError) -> (certificate: [UInt8], key: [UInt8], roots: [UInt8]?) {
        let roots = settings.peerRoots.isEmpty ? nil : try read(settings.peerRoots, "peer_roots")
        return (try read(settings.certificate, "certificate"), try read(settings.key, "key"), roots)
    }

    private func read(_ path: String, _ name: String) throws(ConfigurationError) -> [UInt8] {
        guard let content = Self.content(path) else {
            throw ConfigurationError(setting: "server.tls.\(name)", origin: path, rule: "cannot be read")
        }
        return content
    }

    private static func content(_ path: String) -> [UInt8]? {
        guard let data = FileManager.default.contents(atPath: path), data.count <= fileBytesMax else { return nil }
        return [UInt8](data)
    }

    private func explained(_ fault: TLSIdentity.Fault) -> ConfigurationError {
        let (name, path) =
            switch fault {
            case .certificate: ("certificate", settings.certificate)
            case .key, .pair: ("key", settings.key)
            case .roots: ("peer_roots", settings.peerRoots)
            }
        return ConfigurationError(setting: "server.tls.\(name)", origin: path, rule: "\(fault)")
    }
}

/// Follows the certificate and its key, so that a renewed one is shown to new connections without a restart.
///
/// Files that cannot be used change nothing: one that is replaced before the other is a fault until the other one is there as well. One task
/// owns it.
struct CertificateWatch: Sendable {
    /// How often the files are looked at. A new content is in force at the second look, so within two seconds.
    private static let interval = Duration.seconds(1)

    let identity: TLSIdentity
    private let files: CertificateFiles
    private let registry: MetricRegistry
    private let logger: Logger
    /// The files as they were before they were read at the start.
    private let seen: CertificateFiles.Identity

    /// Reads files: not on an event loop.
    ///
    /// - Returns: nil where there is no certificate.
    /// - Throws: ``ConfigurationError``: a server does not start in plain HTTP when it was told to use TLS.
    init?(_ settings: Configuration.TLS?, connectsToPeers: Bool, registry: MetricRegistry, logger: Logger) throws(ConfigurationError) {
        guard let settings else { return nil }
        files = CertificateFiles(settings)
        seen = files.identity
        identity = try files.load(connectsToPeers: connectsToPeers)
        self.registry = registry
        self.logger = logger
        measure()
    }

    /// Follows the files until the task is cancelled.
    func run() async {
        var follower = ContentFollower(read: seen)
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            // A file system that hangs must not hold up a thread that others need.
            let files = files
            guard let now = try? await NIOThreadPool.singleton.runIfActive({ files.identity }) else { return }
            if follower.isDue(now) { await reload() }
        }
    }

    private func reload() async {
        let (files, identity) = (files, identity)
        let result = try? await NIOThreadPool.singleton.runIfActive { () -> Result<Void, ConfigurationError> in
            do throws(ConfigurationError) { return .success(try files.reload(into: identity)) } catch { return .failure(error) }
        }
        switch result {
        case nil: return
        case .failure(let fault):
            count("refused")
            logger.error("the certificate cannot be used; the one before stays in force", metadata: ["fault": "\(fault)"])
        case .success:
            count("changed")
            measure()
            logger.notice("the certificate changed", metadata: ["expires": "\(identity.expiry)"])
        }
    }

    private func measure() {
        registry.gauge("kdcube_tls_certificate_expiry_seconds", "When the certificate ends, in seconds since 1970").set(identity.expiry)
    }

    private func count(_ outcome: String) {
        registry.counter(
            "kdcube_tls_certificate_loads_total", "Readings of a changed certificate, by what came of them", [("outcome", outcome)]
        ).add()
    }
}
