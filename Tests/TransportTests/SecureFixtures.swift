import Foundation
import NIOCore
import NIOSSL
import Telemetry

@testable import Transport

/// A certificate that signs itself, made by the `openssl` program in a temporary folder.
struct TestCertificate: Sendable {
    struct Failed: Error {}

    let certificate: [UInt8]
    let key: [UInt8]

    /// Two that the tests share: making one takes a process.
    static let first = Result { try make("first") }
    static let second = Result { try make("second") }

    /// - Parameter name: its common name.
    static func make(_ name: String) throws -> TestCertificate {
        try inFolder { folder in
            let (certificate, key) = (folder.appendingPathComponent("certificate"), folder.appendingPathComponent("key"))
            try openssl([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=\(name)",
                "-keyout", key.path, "-out", certificate.path,
            ])
            return TestCertificate(certificate: [UInt8](try Data(contentsOf: certificate)), key: [UInt8](try Data(contentsOf: key)))
        }
    }

    /// One that this one, as an authority, has signed.
    ///
    /// - Parameter names: such as `DNS:node.example` or `IP:127.0.0.1`.
    func signed(_ names: String) throws -> TestCertificate {
        try Self.inFolder { folder in
            let files = ["authority", "authority.key", "certificate", "key"].map(folder.appendingPathComponent)
            try Data(certificate).write(to: files[0])
            try Data(key).write(to: files[1])
            try Self.openssl([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=node",
                "-CA", files[0].path, "-CAkey", files[1].path, "-addext", "subjectAltName=\(names)",
                "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", files[3].path, "-out", files[2].path,
            ])
            return TestCertificate(certificate: [UInt8](try Data(contentsOf: files[2])), key: [UInt8](try Data(contentsOf: files[3])))
        }
    }

    /// What a server shows it with.
    func server(_ protocols: [String]) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMBytes(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem)))
        configuration.applicationProtocols = protocols
        return try NIOSSLContext(configuration: configuration)
    }

    private static func inFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    /// What a client that trusts everybody speaks TLS with.
    static func client(_ protocols: [String], newest: TLSVersion? = nil) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = protocols
        configuration.maximumTLSVersion = newest
        configuration.shutdownTimeout = .milliseconds(200)
        return try NIOSSLContext(configuration: configuration)
    }

    /// The same key behind a passphrase.
    func lockedKey() throws -> [UInt8] {
        try Self.inFolder { folder in
            let (plain, locked) = (folder.appendingPathComponent("plain"), folder.appendingPathComponent("locked"))
            try Data(key).write(to: plain)
            try Self.openssl(["pkcs8", "-topk8", "-in", plain.path, "-out", locked.path, "-passout", "pass:secret"])
            return [UInt8](try Data(contentsOf: locked))
        }
    }

    private static func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed() }
    }
}

extension FrontTestServer {
    /// A server that speaks TLS with the first test certificate.
    static func runSecure(
        loops: Int = 1, configure: (inout FrontConfiguration) -> Void = { _ in },
        _ body: (FrontTestServer, TLSIdentity) async throws -> Void
    ) async throws {
        let files = try TestCertificate.first.get()
        let identity = try TLSIdentity(certificate: files.certificate, key: files.key)
        try await run(
            loops: loops,
            configure: {
                $0.tls = identity
                configure(&$0)
            }
        ) { try await body($0, identity) }
    }

    /// A client that speaks TLS and trusts everybody.
    func secureClient(_ protocols: [String] = ["http/1.1"], receiveBuffer: Int? = nil, newest: TLSVersion? = nil) async throws -> RawClient
    {
        try await RawClient.connect(port, receiveBuffer: receiveBuffer, tls: TestCertificate.client(protocols, newest: newest))
    }

    func handshakesFailed(_ reason: String) -> Bool {
        !metrics.prometheusText().contains("kdcube_tls_handshake_failures_total{reason=\"\(reason)\"} 0")
    }
}
