import NIOCore
import NIOSSL
import Testing

@testable import Transport

/// Requests find their node over TLS, which two servers speak with each other as they do with their clients.
@Suite("Requests find their node over TLS", .timeLimit(.minutes(2))) struct SecureRelayTests {
    private static let unknown = #"{"code":1,"message":"Session ID unknown"}"#
    private static var foreign: String { SessionID.random(node: SecureNodes.nodes.first).description }

    @Test("a session is polled over both protocols, and its WebSocket goes through another node") func relayed() async throws {
        try await SecureNodes.run { nodes in
            let (owner, other) = (nodes.first, nodes.second)
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

    @Test("a body as large as allowed goes through") func large() async throws {
        try await SecureNodes.run { nodes in
            let sid = try await nodes.first.openPolling()
            let text = String(repeating: "x", count: 999_990)
            #expect(try await nodes.second.post(sid, "4" + text).status == 200)
            #expect(try await nodes.second.poll(sid).body == "4" + text)
        }
    }

    // MARK: Ends

    @Test("a poll that its client gives up ends the session (E19)") func abandoned() async throws {
        try await SecureNodes.run { nodes in
            let (owner, other) = (nodes.first, nodes.second)
            let sid = try await owner.openPolling()
            let connection = try await other.connect()
            connection.request("POST", other.polling(sid), body: "4x")
            #expect(try await connection.answer().body == "ok")
            #expect(try await other.poll(sid).body == "4x")
            connection.request("GET", other.polling(sid))
            connection.close()
            #expect(try await other.relayed("abandoned"))
            #expect(try await owner.shows("kdcube_connections 0"))
            #expect(try await other.poll(sid).body == Self.unknown)
        }
    }

    @Test("a WebSocket that breaks off takes its session with it") func reset() async throws {
        try await SecureNodes.run { nodes in
            let sid = try await nodes.first.openPolling()
            let socket = try await nodes.second.openWebSocket(sid: sid)
            socket.say("2probe")
            _ = try await socket.text()
            socket.say("5")
            socket.say("4x")
            #expect(try await socket.text() == "4x")
            try await socket.reset()
            #expect(try await nodes.first.shows("kdcube_connections 0"))
            #expect(try await nodes.second.shows("kdcube_tcp_connections 0"))
        }
    }

    @Test("an answer that breaks off, with or without the end of TLS, does not look whole", arguments: [true, false])
    func brokenOff(_ isPolite: Bool) async throws {
        let tls = try TestCertificate.first.get().server(["http/1.1"])
        let script: RawPeer.Script = { channel in
            let half = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n4half")
            channel.writeAndFlush(half).whenComplete { _ in
                // Past TLS, which would say its end.
                if isPolite { channel.close(promise: nil) } else { channel.pipeline.syncOperations.closeSocket() }
            }
        }
        try await SecureNodes.beside(tls, script) { _, server in
            let connection = try await server.connect()
            connection.request("GET", server.polling(Self.foreign))
            await #expect(throws: TestConnection.Ended.self) { try await connection.answer() }
            #expect(try await server.relayed("lost"))
        }
    }

    // MARK: Who is believed

    @Test("a node with another key is told nothing, and its sessions are unknown") func strangers() async throws {
        let tls = try TestCertificate.second.get().server(["http/1.1"])
        try await SecureNodes.beside(tls) { peer, server in
            #expect(try await server.poll(Self.foreign).body == Self.unknown)
            #expect(try await server.post(Self.foreign, "4secret").body == Self.unknown)
            let connection = try await server.connect()
            #expect(try await connection.upgrade(server.base + "&transport=websocket&sid=\(Self.foreign)") == 400)
            #expect(try await server.relayed("untrusted", 3))
            #expect(await eventually { peer.ended == 3 })
            #expect(peer.received.isEmpty)
        }
    }

    @Test("a node that agrees on no HTTP/1.1 is none", arguments: [["h2"], []]) func protocols(_ names: [String]) async throws {
        try await SecureNodes.beside(try TestCertificate.first.get().server(names)) { peer, server async throws in
            #expect(try await server.poll(Self.foreign).body == Self.unknown)
            #expect(try await server.relayed("untrusted"))
            #expect(peer.received.isEmpty)
        }
    }

    @Test("nothing is said in the clear by a node with TLS, nor to one, whatever the table says") func mixed() async throws {
        try await SecureNodes.beside(nil, isSecure: false) { peer, server async throws in
            #expect(try await server.poll(Self.foreign).body == Self.unknown)
            #expect(try await server.relayed("untrusted"))
            #expect(peer.connections == 0)
        }
        let tls = try TestCertificate.first.get().server(["http/1.1"])
        try await RawPeer.run(tls: tls, { _ in }) { peer, port in
            let peers = FakePeers()
            peers.put(SecureNodes.nodes.first, port: port, isSecure: true)
            try await TestServer.echo(SecureNodes.configuration(SecureNodes.nodes.second), peers: peers) { server async throws in
                #expect(try await server.poll(Self.foreign).body == Self.unknown)
                #expect(try await server.relayed("untrusted"))
                #expect(peer.connections == 0)
            }
        }
    }

    @Test("a server that was given no trust sends nothing on") func noTrust() async throws {
        let files = try TestCertificate.first.get()
        let identity = try TLSIdentity(certificate: files.certificate, key: files.key)
        let tls = try TestCertificate.client(["http/1.1"])
        try await RawPeer.run(tls: files.server(["http/1.1"]), { _ in }) { peer, port in
            let peers = FakePeers()
            peers.put(SecureNodes.nodes.first, port: port, isSecure: true)
            try await TestServer.echo(
                SecureNodes.configuration(SecureNodes.nodes.second), peers: peers, front: { $0.tls = identity }
            ) { server async throws in
                var server = server
                server.tls = tls
                #expect(try await server.poll(Self.foreign).body == Self.unknown)
                #expect(peer.connections == 0)
            }
        }
    }

    @Test("a node that takes the connection and says nothing is given up long before its answer would be") func silent() async throws {
        try await SecureNodes.beside(nil) { peer, server async throws in
            #expect(try await server.poll(Self.foreign).body == Self.unknown)
            #expect(try await server.relayed("unreachable"))
            #expect(await eventually { peer.ended == 1 })
            #expect(!peer.received.contains("HTTP"))
        }
    }

    @Test("the mark of a relayed request gives a client nothing: it only stops at this node") func mark() async throws {
        try await SecureNodes.run { nodes in
            let sid = try await nodes.first.openPolling()
            let marked = try await nodes.second.ask("GET", nodes.second.polling(sid), ["x-kdcube-relay: 1"])
            #expect(marked.body == Self.unknown)
            #expect(try await nodes.second.relayed("answered", 0))
        }
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Closes the socket without a word of TLS.
    fileprivate func closeSocket() {
        (try? context(handlerType: NIOSSLServerHandler.self))?.close(promise: nil)
    }
}
