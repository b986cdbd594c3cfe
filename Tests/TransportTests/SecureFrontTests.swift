import NIOCore
import NIOSSL
import Testing

@testable import Transport

@Suite("Front: certificates") struct TLSIdentityTests {
    @Test("a chain in PEM and its key are taken, and tell when they end") func good() throws {
        let files = try TestCertificate.first.get()
        let identity = try TLSIdentity(certificate: files.certificate, key: files.key)
        #expect(identity.expiry > 1_700_000_000)
        // Those that signed the certificate come after it.
        _ = try TLSIdentity(certificate: files.certificate + TestCertificate.second.get().certificate, key: files.key)
    }

    @Test("what cannot be used is told apart, and leaves what was in force") func bad() throws {
        let (files, other) = (try TestCertificate.first.get(), try TestCertificate.second.get())
        let identity = try TLSIdentity(certificate: files.certificate, key: files.key)
        let context = identity.context
        let bad: [([UInt8], [UInt8], TLSIdentity.Fault)] = [
            ([], files.key, .certificate), (Array("nonsense".utf8), files.key, .certificate), (files.key, files.key, .certificate),
            (files.certificate, [], .key), (files.certificate, files.certificate, .key), (files.certificate, try files.lockedKey(), .key),
            (files.certificate, other.key, .pair), (other.certificate + files.certificate, files.key, .pair),
        ]
        for (certificate, key, fault) in bad {
            #expect(throws: fault) { try TLSIdentity(certificate: certificate, key: key) }
            #expect(throws: fault) { try identity.replace(certificate: certificate, key: key) }
        }
        #expect(identity.context === context)
        for roots in [[], Array("nonsense".utf8)] {
            #expect(throws: TLSIdentity.Fault.roots) {
                try TLSIdentity(certificate: files.certificate, key: files.key, peers: .roots(roots))
            }
        }
        try identity.replace(certificate: other.certificate, key: other.key)
        #expect(identity.context !== context)
    }
}

/// HTTP/1.1 over TLS: the front behaves as it does without.
@Suite("Front: TLS", .timeLimit(.minutes(2))) struct SecureFrontTests {
    @Test("a connection serves REST, a poll, a large body and then upgrades, with bytes sent early") func mixed() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await server.secureClient()
            #expect(try await client.request("GET", "/hello").body == "hello")
            #expect(try await client.request("POST", "/socket.io/?EIO=4", body: "4abc").body == "poll:4abc")
            try await client.send(FrontServerTests.upgrade + "early")
            #expect(try await client.response().status == 101)
            try await client.wait(for: "greeting\nearly")
            try await client.send(" late")
            try await client.wait(for: "greeting\nearly late")
            await client.close()
        }
    }

    @Test("a large body goes there and back") func large() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await server.secureClient()
            let text = String(repeating: "0123456789", count: 100_000)
            #expect(try await client.request("POST", "/mirror", body: text).body == text)
            await client.close()
        }
    }

    @Test("a client that agrees on nothing gets HTTP/1.1; one that offers both gets HTTP/2") func agreement() async throws {
        try await FrontTestServer.runSecure { server, _ in
            for protocols in [[], ["http/1.1"], ["spdy/3"]] {
                let client = try await server.secureClient(protocols)
                #expect(try await client.request("GET", "/hello").body == "hello")
                await client.close()
            }
            let client = try await FrameClient.connect(server, protocols: ["http/1.1", "h2"])
            #expect(try await client.get("/hello").body == "hello")
            await client.close()
        }
    }

    @Test("nothing older than TLS 1.2 is agreed on") func versions() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let old = try await server.secureClient(newest: .tlsv11)
            try? await old.send(RawClient.request("GET", "/hello"))
            #expect(try await old.readToEnd() == "")
            try await server.eventually { server.handshakesFailed("refused") }
            let client = try await server.secureClient(newest: .tlsv12)
            #expect(try await client.request("GET", "/hello").body == "hello")
            await client.close()
        }
    }

    @Test("plain HTTP on the TLS port is ended at once and counted; a client that leaves is another matter") func plain() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let plain = try await server.client()
            try await plain.send(RawClient.request("GET", "/hello"))
            #expect(!(try await plain.readToEnd()).contains("HTTP"))
            try await server.eventually { server.handshakesFailed("refused") }
            #expect(!server.handshakesFailed("left"))
            let short = try await server.client()
            try await short.send("\u{16}\u{3}\u{1}")
            await short.close()
            try await server.eventually { server.handshakesFailed("left") && server.shows("kdcube_tcp_connections 0") }
            #expect(!server.handshakesFailed("deadline"))
        }
    }

    @Test("a handshake that does not come to its end is cut (attack 21)") func silent() async throws {
        try await FrontTestServer.runSecure(configure: { $0.handshakeDeadline = .milliseconds(100) }) { server, _ in
            let client = try await server.client()
            #expect(try await client.readToEnd() == "")
            try await server.eventually { server.handshakesFailed("deadline") && server.shows("kdcube_tcp_connections 0") }
        }
    }

    @Test("a renewed certificate is shown to new connections, and the old ones go on") func renewal() async throws {
        try await FrontTestServer.runSecure { server, identity in
            let old = try await server.secureClient()
            #expect(try await old.request("GET", "/hello").body == "hello")
            let (first, second) = (try TestCertificate.first.get(), try TestCertificate.second.get())
            #expect(try await shown(old) == first.certificate.parsed)
            try identity.replace(certificate: second.certificate, key: second.key)
            let new = try await server.secureClient()
            #expect(try await new.request("GET", "/hello").body == "hello")
            #expect(try await shown(new) == second.certificate.parsed)
            #expect(try await old.request("GET", "/hello").body == "hello")
            await new.close()
            await old.close()
        }
    }

    private func shown(_ client: RawClient) async throws -> [UInt8] {
        try await client.channel.pipeline.handler(type: NIOSSLClientHandler.self).map { $0.peerCertificate }.get().map {
            try $0.toDERBytes()
        } ?? []
    }

    @Test("a client that closes its side of TLS gets its ordinary answer; one that vanishes ends its stream") func ends() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let polite = try await server.secureClient()
            try await polite.send(RawClient.request("GET", "/slow?ms=50"))
            try await polite.halfClose()
            #expect(try await polite.response().body == "slow")
            await polite.close()
            let rude = try await server.secureClient()
            try await rude.send(RawClient.request("GET", "/sse"))
            try await rude.wait(for: "data: first")
            try await rude.reset()
            try await server.eventually { server.journal.record.cancelled.count == 1 }
        }
    }

    @Test("a client that does not read stops what it does not read, and is cut (attack 22)") func slowReader() async throws {
        try await FrontTestServer.runSecure(configure: { $0.writeProgressDeadline = .milliseconds(200) }) { server, _ in
            let client = try await server.secureClient(receiveBuffer: 16 * 1024)
            try await client.send(RawClient.request("GET", "/hello"))
            try await client.wait(for: "hello")
            try await client.stopReading()
            try await client.send(RawClient.request("GET", "/big"))
            try await server.eventually { server.refused("write_progress") }
            #expect(server.journal.record.producedBytes < 40 * 1024 * 1024)
            await client.close()
        }
    }

    @Test("above the limit of connections a new one is closed without a handshake") func limit() async throws {
        try await FrontTestServer.runSecure(configure: { $0.connectionsMax = 1 }) { server, _ in
            let client = try await server.secureClient()
            #expect(try await client.request("GET", "/hello").body == "hello")
            let second = try await server.client()
            #expect(try await second.readToEnd() == "")
            #expect(server.refused("connections"))
            #expect(try await client.request("GET", "/hello").body == "hello")
            await client.close()
        }
    }

    @Test("a shutdown answers what is open, says goodbye to a WebSocket and ends a handshake") func shutdown() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let open = try await server.secureClient()
            try await open.send(RawClient.request("GET", "/slow?ms=300"))
            let socket = try await server.secureClient()
            try await socket.send(FrontServerTests.upgrade)
            try await socket.wait(for: "greeting")
            let silent = try await server.client()
            try await server.eventually { server.shows("kdcube_tcp_connections 3") }
            try await server.shutDown()
            #expect(try await open.response().body == "slow")
            try await socket.wait(for: "bye")
            #expect(try await silent.readToEnd() == "")
        }
    }
}

extension [UInt8] {
    /// The first certificate of a PEM text, in DER.
    fileprivate var parsed: [UInt8] { (try? NIOSSLCertificate.fromPEMBytes(self).first?.toDERBytes()) ?? [] }
}
