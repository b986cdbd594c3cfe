import NIOSSL
import Testing

@testable import Transport

/// Two servers that speak TLS and find each other. Both are asked by a client that trusts everybody.
struct SecureNodes: Sendable {
    static let nodes: (first: UInt32, second: UInt32) = (7, 9)

    /// How a node is set up.
    struct Side: Sendable {
        var certificate: TestCertificate
        var trust: PeerTrust?
        /// What it announces besides its port.
        var host = "127.0.0.1"
    }

    let first: TestServer
    let second: TestServer
    let identities: [TLSIdentity]

    static func configuration(_ node: UInt32) throws -> TransportConfiguration {
        try TransportConfiguration(pingInterval: .seconds(30), pingTimeout: .seconds(20), origins: .any, nodeID: node)
    }

    /// Both with one certificate, known by its key.
    static func run(_ body: @escaping @Sendable (SecureNodes) async throws -> Void) async throws {
        let side = Side(certificate: try TestCertificate.first.get(), trust: .ownKey())
        try await run(side, side, body)
    }

    static func run(_ first: Side, _ second: Side, _ body: @escaping @Sendable (SecureNodes) async throws -> Void) async throws {
        let tls = try TestCertificate.client(["http/1.1"])
        let identities = try [first, second].map { side in
            try TLSIdentity(certificate: side.certificate.certificate, key: side.certificate.key, peers: side.trust)
        }
        let peers = FakePeers()
        try await TestServer.echo(configuration(nodes.first), peers: peers, front: { $0.tls = identities[0] }) { one in
            peers.put(nodes.first, host: first.host, port: one.port, isSecure: true)
            try await TestServer.echo(configuration(nodes.second), peers: peers, front: { $0.tls = identities[1] }) { two in
                peers.put(nodes.second, host: second.host, port: two.port, isSecure: true)
                var (one, two) = (one, two)
                (one.tls, two.tls) = (tls, tls)
                try await body(SecureNodes(first: one, second: two, identities: identities))
            }
        }
    }

    /// A server with the first certificate that finds one node: `script`, behind `tls`.
    static func beside(
        _ tls: NIOSSLContext?, isSecure: Bool = true, _ script: @escaping RawPeer.Script = { _ in },
        _ body: @escaping @Sendable (RawPeer, TestServer) async throws -> Void
    ) async throws {
        let files = try TestCertificate.first.get()
        let identity = try TLSIdentity(certificate: files.certificate, key: files.key, peers: .ownKey())
        try await RawPeer.run(tls: tls, script) { peer, port in
            let peers = FakePeers()
            peers.put(nodes.first, port: port, isSecure: isSecure)
            try await TestServer.echo(configuration(nodes.second), peers: peers, front: { $0.tls = identity }) { server in
                var server = server
                server.tls = try TestCertificate.client(["http/1.1"])
                try await body(peer, server)
            }
        }
    }

    /// Whether the WebSocket of a session of `owner` goes through `other`. Each takes a new connection between the two.
    static func upgrades(_ owner: TestServer, through other: TestServer) async throws -> Bool {
        let sid = try await owner.openPolling()
        let socket = try await other.connect()
        defer { socket.close() }
        guard try await socket.upgrade(other.base + "&transport=websocket&sid=\(sid)") == 101 else { return false }
        socket.say("2probe")
        return try await socket.text() == "3probe"
    }
}

extension TestServer {
    func relayed(_ outcome: String, _ count: Int = 1) async throws -> Bool {
        try await shows("kdcube_relayed_requests_total{outcome=\"\(outcome)\"} \(count)")
    }
}
