import NIOSSL
import Testing

@testable import Transport

/// Requests find their node over TLS, which two servers speak with each other as they do with their clients.
@Suite("Requests find their node over TLS", .timeLimit(.minutes(2))) struct SecureRelayTests {
    private static let owner: UInt32 = 7
    private static let other: UInt32 = 9

    private static func configuration(_ node: UInt32) throws -> TransportConfiguration {
        try TransportConfiguration(pingInterval: .seconds(30), pingTimeout: .seconds(20), origins: .any, nodeID: node)
    }

    private static func two(
        _ first: TestCertificate, _ second: TestCertificate, _ body: @escaping @Sendable (TestServer, TestServer) async throws -> Void
    ) async throws {
        let tls = try TestCertificate.client(["http/1.1"])
        let identities = try [first, second].map { try TLSIdentity(certificate: $0.certificate, key: $0.key, connectsToPeers: true) }
        let peers = FakePeers()
        try await TestServer.echo(configuration(owner), front: { $0.tls = identities[0] }) { owner in
            peers.put(Self.owner, port: owner.port)
            try await TestServer.echo(configuration(other), peers: peers, front: { $0.tls = identities[1] }) { other in
                var (owner, other) = (owner, other)
                (owner.tls, other.tls) = (tls, tls)
                try await body(owner, other)
            }
        }
    }

    @Test("a session is polled over both protocols, and its WebSocket goes through another node") func relayed() async throws {
        let files = try TestCertificate.first.get()
        try await Self.two(files, files) { owner, other in
            let sid = try await owner.openPolling()
            #expect(try await other.post(sid, "4hello").body == "ok")
            #expect(try await other.poll(sid).body == "4hello")
            let client = try await FrameClient.connect(port: other.port)
            #expect(try await client.post(other.polling(sid), "4again").body == "ok")
            let answer = try await client.get(other.polling(sid))
            #expect(answer.body == "4again" && answer.isWhole && answer.headers["transfer-encoding"] == nil)
            await client.close()
            let socket = try await other.openWebSocket(sid: sid)
            socket.say("2probe")
            #expect(try await socket.text() == "3probe")
            socket.say("5")
            for size in [0, 1, 70_000] {
                let message = "4" + String(repeating: "m", count: size)
                socket.say(message)
                #expect(try await socket.text() == message)
            }
            socket.close()
            #expect(try await owner.shows("kdcube_connections 0"))
        }
    }

    @Test("a node that shows a certificate which nobody has signed is not believed") func strangers() async throws {
        try await Self.two(TestCertificate.first.get(), TestCertificate.second.get()) { owner, other in
            let sid = try await owner.openPolling()
            #expect(try await other.post(sid, "4hello").status != 200)
            #expect(try await other.shows("kdcube_relayed_requests_total{outcome=\"lost\"} 1"))
        }
    }
}
