import NIOCore
import NIOPosix
import Testing
import TransportWire

@testable import Transport

/// Two servers, or a server and a node that says what a test wants. Sessions belong to the first or to that node; requests
/// come to the second.
@Suite("Requests find their node")
struct RelayTests {
    /// The node of the sessions.
    private static let owner: UInt32 = 7
    private static let other: UInt32 = 9

    private static func configuration(
        _ node: UInt32, origins: OriginPolicy = .any, queueBytesMax: Int = 1 << 20
    ) throws -> TransportConfiguration {
        try TransportConfiguration(
            pingInterval: .seconds(30), pingTimeout: .seconds(20), queueBytesMax: queueBytesMax, origins: origins, nodeID: node)
    }

    /// The node of sessions, and another server that knows where it is.
    private static func two(
        loops: Int = 1, front: @escaping @Sendable (inout FrontConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (_ owner: TestServer, _ other: TestServer) async throws -> Void
    ) async throws {
        let peers = FakePeers()
        try await TestServer.echo(configuration(owner), loops: loops) { first in
            peers.put(owner, port: first.port)
            try await TestServer.echo(configuration(other), loops: loops, peers: peers, front: front) { second in
                try await body(first, second)
            }
        }
    }

    /// A server that knows one node: `script`.
    private static func beside(
        origins: OriginPolicy = .any, front: @escaping @Sendable (inout FrontConfiguration) -> Void = { _ in },
        _ script: @escaping RawPeer.Script, _ body: @escaping @Sendable (RawPeer, TestServer) async throws -> Void
    ) async throws {
        try await RawPeer.run(script) { peer, port in
            let peers = FakePeers()
            peers.put(owner, port: port)
            try await TestServer.echo(configuration(other, origins: origins), peers: peers, front: front) { try await body(peer, $0) }
        }
    }

    private static var foreign: String { SessionID.random(node: owner).description }
    private static let unknown = #"{"code":1,"message":"Session ID unknown"}"#

    private func relayed(_ outcome: String, _ count: Int = 1) -> String { "kdcube_relayed_requests_total{outcome=\"\(outcome)\"} \(count)" }

    // MARK: Polling

    @Test(arguments: [1, 2]) func aSessionIsPolledThroughAnotherNode(_ loops: Int) async throws {
        try await Self.two(loops: loops) { owner, other in
            let sid = try await owner.openPolling()
            for number in 0..<20 {
                let posted = try await other.post(sid, "4hello \(number)")
                #expect(posted.status == 200 && posted.body == "ok")
                #expect(try await other.poll(sid).body == "4hello \(number)")
            }
            #expect(try await other.shows(relayed("answered", 40)))
        }
    }

    @Test func theAnswerIsTheOwnersToTheLastField() async throws {
        try await Self.two { owner, other in
            let sid = try await owner.openPolling()
            let fields = ["Origin: https://page.example", "x-request-id: mine", "Accept-Encoding: gzip"]
            let body = String(repeating: "long enough to be compressed ", count: 200)
            _ = try await owner.post(sid, "4" + body)
            let direct = try await owner.ask("GET", owner.polling(sid), fields)
            _ = try await owner.post(sid, "4" + body)
            let through = try await other.ask("GET", other.polling(sid), fields)
            #expect(direct.header("content-encoding") == "gzip" && direct.bytes == through.bytes)
            let names = { (answer: TestConnection.Answer) in answer.headers.filter { $0.name != "Date" }.map { "\($0.name): \($0.value)" } }
            #expect(names(direct) == names(through))
        }
    }

    @Test func connectionsToTheOwnerAreUsedAgain() async throws {
        try await Self.two { owner, other in
            let sid = try await owner.openPolling()
            for _ in 0..<50 { _ = try await other.post(sid, "4x") }
            #expect(
                owner.metric("kdcube_tcp_connections 1")
                    || owner.metric("kdcube_tcp_connections 2"))
        }
    }

    @Test func aBodyAsLargeAsAllowedGoesThroughAndALargerOneNot() async throws {
        try await Self.two { owner, other in
            let sid = try await owner.openPolling()
            let text = String(repeating: "x", count: 999_990)
            #expect(try await other.post(sid, "4" + text).status == 200)
            #expect(try await other.poll(sid).body == "4" + text)
            let tooMuch = try await other.connect()
            tooMuch.send("POST \(other.polling(sid)) HTTP/1.1\r\nHost: h\r\nContent-Length: 1000001\r\n\r\n")
            #expect(try await tooMuch.answer().status == 413)
            #expect(try await owner.post(sid, "4still here").status == 200)
        }
    }

    @Test func pipelinedRequestsKeepTheirOrder() async throws {
        try await Self.two { owner, other in
            let (foreign, own) = (try await owner.openPolling(), try await other.openPolling())
            let connection = try await other.connect()
            for number in 0..<10 {
                connection.request("POST", other.polling(foreign), body: "4\(number)")
                connection.request("GET", other.polling(foreign))
                connection.request("POST", other.polling(own), body: "4own \(number)")
                connection.request("GET", other.polling("AAAAAAAAAAAAAAAAAAAA"))
                connection.request("GET", other.polling(own))
            }
            for number in 0..<10 {
                #expect(try await connection.answer().body == "ok")
                #expect(try await connection.answer().body == "4\(number)")
                #expect(try await connection.answer().body == "ok")
                #expect(try await connection.answer().body == Self.unknown)
                #expect(try await connection.answer().body == "4own \(number)")
            }
            connection.close()
        }
    }

    /// E19.
    @Test func aPollThatItsClientGivesUpEndsTheSession() async throws {
        try await Self.two { owner, other in
            let sid = try await owner.openPolling()
            let connection = try await other.connect()
            // The nodes have a connection from here on, so that the poll goes on as soon as it is read, before its end is.
            connection.request("POST", other.polling(sid), body: "4x")
            #expect(try await connection.answer().body == "ok")
            #expect(try await other.poll(sid).body == "4x")
            connection.request("GET", other.polling(sid))
            connection.close()
            #expect(try await other.shows(relayed("abandoned")))
            #expect(await eventually { owner.metric("kdcube_connections 0") })
            let answer1 = try await other.poll(sid).body
            #expect(answer1 == Self.unknown)
        }
    }

    /// E25: what no session takes is refused by the owner.
    @Test func methodsAreTheOwnersAffair() async throws {
        try await Self.two { owner, other in
            let sid = try await owner.openPolling()
            #expect(try await other.ask("PUT", other.polling(sid), body: "x").status == 405)
        }
    }

    // MARK: Upgrade

    @Test(arguments: [1, 2]) func aSessionIsUpgradedThroughAnotherNode(_ loops: Int) async throws {
        try await Self.two(loops: loops) { owner, other in
            let sid = try await owner.openPolling()
            let socket = try await other.openWebSocket(sid: sid)
            socket.say("2probe")
            #expect(try await socket.text() == "3probe")
            socket.say("5")
            for size in [0, 1, 70_000, 900_000] {
                let message = "4" + String(repeating: "m", count: size)
                socket.say(message)
                #expect(try await socket.text() == message)
            }
            #expect(try await other.shows(relayed("upgraded")))
            // E32: polling is over, wherever it is tried.
            #expect(try await other.poll(sid).status == 400)
            socket.say("1")
            #expect(try await socket.closes())
            #expect(await eventually { owner.metric("kdcube_connections 0") })
        }
    }

    @Test func aClientThatBreaksOffTakesItsSessionWithIt() async throws {
        try await Self.two { owner, other in
            let sid = try await owner.openPolling()
            let socket = try await other.openWebSocket(sid: sid)
            socket.say("2probe")
            _ = try await socket.text()
            socket.say("5")
            socket.say("4x")
            _ = try await socket.text()
            try await socket.reset()
            #expect(await eventually { owner.metric("kdcube_connections 0") })
            #expect(await eventually { other.metric("kdcube_tcp_connections 0") })
        }
    }

    @Test func aRefusedUpgradeIsTheOwnersRefusal() async throws {
        try await Self.two { owner, other in
            let sid = try await owner.openPolling()
            let connection = try await other.connect()
            connection.request("GET", other.base + "&transport=websocket&sid=\(sid)", ["Connection: Upgrade", "Upgrade: websocket"])
            let refusal = try await connection.answer()
            #expect(refusal.status == 400 && refusal.header("content-type") == "text/html" && refusal.header("connection") == "close")
            #expect(await connection.ends())
        }
    }

    @Test func aPipeCarriesBothHalvesToTheirEnds() async throws {
        let script: RawPeer.Script = { channel in
            RawPeer.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly", to: channel)
            channel.close(mode: .output, promise: nil)
        }
        try await Self.beside(script) { peer, server in
            let client = try await RawClient.connect(server.port)
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
            try await client.send(
                "GET \(server.base)&transport=websocket&sid=\(Self.foreign) HTTP/1.1\r\nHost: h\r\n\(upgrade)\r\n\r\nfrom the client")
            #expect(
                try await client.readToEnd() == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly"
            )
            // Its own half is open still.
            try await client.send(", and more")
            #expect(await eventually { peer.received.hasSuffix("\r\n\r\nfrom the client, and more") })
            try await client.channel.close(mode: .output).get()
            #expect(await eventually { peer.ended == 1 })
            #expect(await eventually { server.metric("kdcube_tcp_connections 0") })
        }
    }

    @Test func aPipeReadsNoMoreThanTheOtherEndTakes() async throws {
        let total = 64 << 20
        let sender = Shared<any Channel>()
        let script: RawPeer.Script = { channel in
            sender.set(channel)
            RawPeer.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", to: channel)
            for _ in 0..<total / (1 << 20) { channel.write(ByteBuffer(repeating: UInt8(ascii: "p"), count: 1 << 20), promise: nil) }
            channel.flush()
        }
        try await Self.beside(script) { _, server in
            let client = try await RawClient.connect(server.port, receiveBuffer: 64 << 10)
            try await client.channel.setOption(.autoRead, value: false).get()
            try await client.send(
                "GET \(server.base)&transport=websocket&sid=\(Self.foreign) HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            )
            #expect(await eventually { sender.value != nil })
            let channel = try #require(sender.value)
            // Until it does not get smaller: what the kernels hold is gone from the sender, and nothing more.
            var (before, left) = (Int.max, try await channel.getOption(.bufferedWritableBytes).get())
            while left < before {
                try await Task.sleep(for: .milliseconds(100))
                (before, left) = (left, try await channel.getOption(.bufferedWritableBytes).get())
            }
            #expect(left > total / 2)
            try await client.channel.setOption(.autoRead, value: true).get()
            try await client.wait(timeout: .seconds(60)) { bytes, _ in bytes.count >= total }
        }
    }

    // MARK: Failures

    @Test func aNodeThatIsDownMakesItsSessionsUnknown() async throws {
        let peers = FakePeers()
        // Bound and closed: nobody listens there.
        try await RawPeer.run({ _ in }) { _, port in peers.put(Self.owner, port: port) }
        try await TestServer.echo(Self.configuration(Self.other), peers: peers) { server in
            let answer2 = try await server.poll(Self.foreign).body
            #expect(answer2 == Self.unknown)
            let answer3 = try await server.post(Self.foreign, "4x").body
            #expect(answer3 == Self.unknown)
            let connection = try await server.connect()
            let status = try await connection.upgrade(server.base + "&transport=websocket&sid=\(Self.foreign)")
            #expect(status == 400)
            #expect(await connection.ends())
            #expect(try await server.shows(relayed("unreachable", 3)))
            #expect(try await server.shows(#"kdcube_handshakes_refused_total{code="1"} 3"#))
        }
    }

    @Test func aNodeThatDiesUnderAPollMakesItsSessionsUnknown() async throws {
        try await Self.beside({ $0.close(promise: nil) }) { _, server in
            let answer4 = try await server.poll(Self.foreign).body
            #expect(answer4 == Self.unknown)
            #expect(try await server.shows(relayed("lost")))
        }
    }

    @Test func rubbishIsNoAnswer() async throws {
        try await Self.beside({ RawPeer.say("SSH-2.0-OpenSSH_9.2\r\n\r\n", to: $0) }) { _, server in
            let answer5 = try await server.poll(Self.foreign).body
            #expect(answer5 == Self.unknown)
            #expect(try await server.shows(relayed("lost")))
        }
    }

    @Test func anAnswerThatBreaksOffDoesNotLookWhole() async throws {
        let script: RawPeer.Script = { channel in
            channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n4half")).whenComplete { _ in
                channel.close(promise: nil)
            }
        }
        try await Self.beside(script) { _, server in
            let client = try await RawClient.connect(server.port)
            try await client.send("GET \(server.polling(Self.foreign)) HTTP/1.1\r\nHost: h\r\n\r\n")
            let text = try await client.readToEnd()
            #expect(!text.contains("4half") || !text.contains("4half4"))
            #expect(try await server.shows(relayed("lost")))
        }
    }

    @Test func aSlowAnswerComesAsItComes() async throws {
        let script: RawPeer.Script = { channel in
            RawPeer.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Mine: yes\r\n\r\n3\r\n4sl\r\n", to: channel)
            channel.eventLoop.scheduleTask(in: .milliseconds(50)) { RawPeer.say("2\r\now\r\n0\r\n\r\n", to: channel) }
        }
        try await Self.beside(script) { peer, server in
            let client = try await RawClient.connect(server.port)
            try await client.send("GET \(server.polling(Self.foreign)) HTTP/1.1\r\nHost: h\r\n\r\n")
            try await client.wait(for: "4sl")
            let answer = try await client.response()
            #expect(answer.status == 200 && answer.body == "4slow" && answer["x-mine"] == "yes")
            #expect(peer.received.contains("x-kdcube-relay: 1\r\n"))
        }
    }

    @Test func aRelayedRequestIsNotRelayedAgain() async throws {
        let (left, right) = (FakePeers(), FakePeers())
        try await TestServer.echo(Self.configuration(1), peers: left) { first in
            try await TestServer.echo(Self.configuration(2), peers: right) { second in
                left.put(Self.owner, port: second.port)
                right.put(Self.owner, port: first.port)
                let answer6 = try await first.poll(Self.foreign).body
                #expect(answer6 == Self.unknown)
                let answer7 = try await first.post(Self.foreign, "4x").body
                #expect(answer7 == Self.unknown)
                #expect(try await first.shows(relayed("answered", 2)))
                #expect(second.metric(relayed("answered", 0)))
                #expect(second.metric(#"kdcube_handshakes_refused_total{code="1"} 2"#))
            }
        }
    }

    @Test func sessionsOfNobodyAndOnesOwnAreNotLookedForElsewhere() async throws {
        try await Self.beside({ _ in }) { peer, server in
            for sid in [SessionID.random(node: 12).description, SessionID.random(node: Self.other).description, "short", "__proto__"] {
                let answer8 = try await server.poll(sid).body
                #expect(answer8 == Self.unknown)
            }
            #expect(peer.connections == 0)
        }
    }

    @Test func aForeignPageIsRefusedBeforeAnythingIsRelayed() async throws {
        try await Self.beside(origins: .sameHost(), { _ in }) { peer, server in
            let refused = try await server.ask("GET", server.polling(Self.foreign), ["Origin: https://evil.example"])
            #expect(refused.status == 403 && peer.connections == 0)
            let mismatch = try await server.ask("GET", server.base + "&transport=websocket&sid=\(Self.foreign)")
            #expect(mismatch.status == 400 && mismatch.body.contains(#""code":3"#) && peer.connections == 0)
        }
    }

    @Test func moreThanMayBeRelayedAtOnceIsRefused() async throws {
        try await Self.beside(front: { $0.relaysPerLoopMax = 1 }, { _ in }) { peer, server in
            let first = try await server.connect()
            first.request("GET", server.polling(Self.foreign))
            #expect(await eventually { peer.receivedBytes > 0 })
            #expect(try await server.poll(Self.foreign).status == 503)
            #expect(try await server.shows(relayed("limit")))
            first.close()
            #expect(await eventually { peer.ended == 1 })
        }
    }
}
