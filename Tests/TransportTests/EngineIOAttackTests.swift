import NIOCore
import Synchronization
import Testing
import TransportWire

@testable import Transport

/// The attacks of socketio.md §7 that concern sessions. A real server on loopback where a connection matters.
@Suite("Engine.IO attacks", .timeLimit(.minutes(1)))
struct EngineIOAttackTests {
    private func echo(
        origins: OriginPolicy = .sameHost(), maxPayload: Int = 1_000_000, _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.echo(
            try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20), maxPayload: maxPayload, origins: origins),
            body)
    }

    @Test("Attack 1, E8: ids are 20 URL-safe characters, name their node, and their bits look like coin tosses") func ids() {
        var ones = [Int](repeating: 0, count: 96)
        var seen: Set<SessionID> = []
        for _ in 0..<10_000 {
            let id = SessionID.random(node: 0xABCDEF)
            let text = String(describing: id)
            #expect(text.utf8.count == 20)
            #expect(SessionID(text) == id)
            #expect(id.node == 0xABCDEF)
            seen.insert(id)
            for bit in 0..<40 { ones[bit] += Int(id.high >> UInt64(bit) & 1) }
            for bit in 0..<56 { ones[40 + bit] += Int(id.low >> UInt64(8 + bit) & 1) }
        }
        #expect(seen.count == 10_000)
        // Eight standard deviations of 10,000 fair tosses are 400.
        #expect(ones.allSatisfy { abs($0 - 5_000) < 400 })
        for text in ["", "short", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAA!", "__proto__"] { #expect(SessionID(text) == nil) }
    }

    @Test("Attack 2: by default there is no CORS header and other hosts' pages are refused") func noCORS() async throws {
        try await echo { server in
            let plain = try await server.ask("GET", server.base + "&transport=polling")
            #expect(plain.header("access-control-allow-origin") == nil)
            let foreign = try await server.ask("GET", server.base + "&transport=polling", ["Origin: https://evil.example"])
            #expect(foreign.status == 403)
            #expect(foreign.body == #"{"code":4,"message":"Forbidden"}"#)
            #expect(try await server.ask("OPTIONS", server.base + "&transport=polling").status == 400)
            let same = try await server.ask("GET", server.base + "&transport=polling", ["Origin: http://localhost"])
            #expect(same.status == 200)
        }
    }

    @Test("E38: a listed origin gets its CORS headers and its preflight") func listedOrigin() async throws {
        try await echo(origins: .sameHost(and: ["https://app.example"])) { server in
            let answer = try await server.ask("GET", server.base + "&transport=polling", ["Origin: https://app.example"])
            #expect(answer.header("access-control-allow-origin") == "https://app.example")
            #expect(answer.header("vary") == "Origin")
            let preflight = try await server.ask(
                "OPTIONS", server.base + "&transport=polling", ["Origin: https://app.example", "Access-Control-Request-Method: POST"])
            #expect(preflight.status == 204)
            #expect(preflight.header("access-control-allow-methods") == "GET, POST")
        }
    }

    @Test("Attack 20: the origin is judged at every phase: handshake, poll, POST, upgrade with and without sid")
    func originAtEveryPhase() async throws {
        try await echo { server in
            let sid = try await server.openPolling()
            let evil = ["Origin: https://evil.example"]
            #expect(try await server.ask("GET", server.polling(sid), evil).status == 403)
            #expect(try await server.ask("POST", server.polling(sid), evil, body: "4x").status == 403)
            for target in ["&transport=websocket", "&transport=websocket&sid=\(sid)"] {
                let connection = try await server.connect()
                #expect(try await connection.upgrade(server.base + target, evil) == 400)
            }
            // None of it has touched the session.
            #expect(try await server.post(sid, "4x").status == 200)
            #expect(try await server.poll(sid).body == "4x")
        }
    }

    @Test("E3: an origin that is no origin is code 3", arguments: ["Origin: http://a\u{7F}b", "Origin: http://a b"])
    func malformedOrigin(_ header: String) async throws {
        try await echo(origins: .any) { server in
            let answer = try await server.ask("GET", server.base + "&transport=polling", [header])
            #expect(answer.status == 400)
        }
    }

    @Test("Attack 3, E22: a body over the limit is 413, and the session lives") func oversizedPost() async throws {
        try await echo(maxPayload: 2_000) { server in
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, "4" + String(repeating: "x", count: 2_000)).status == 413)
            #expect(try await server.post(sid, "4" + String(repeating: "x", count: 1_999)).status == 200)
            #expect(try await server.poll(sid).body.utf8.count == 2_000)
        }
    }

    @Test("E27: a poll's answer is bounded by maxPayload, and the rest comes with the next") func boundedAnswer() async throws {
        try await echo(maxPayload: 2_000) { server in
            let sid = try await server.openPolling()
            let message = "4" + String(repeating: "x", count: 999)
            for _ in 0..<3 { #expect(try await server.post(sid, message).status == 200) }
            #expect(try await server.poll(sid).body == message)
            #expect(try await server.poll(sid).body == message)
            #expect(try await server.poll(sid).body == message)
        }
    }

    @Test(
        "Attack 5, E33: bytes that break the WebSocket protocol right behind the upgrade request close that connection alone",
        arguments: ["\u{7F}\u{7F}garbage", "GET / HTTP/1.1\r\n\r\n", "\u{71}\u{05}hello"])
    func garbageAfterUpgrade(_ garbage: String) async throws {
        try await echo { server in
            let sid = try await server.openPolling()
            for target in ["&transport=websocket", "&transport=websocket&sid=\(sid)"] {
                let connection = try await server.connect()
                connection.send(
                    "GET \(server.base)\(target) HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + garbage)
                #expect(try await connection.answer().status == 101)
                #expect(try await connection.closes())
            }
            #expect(try await server.post(sid, "4x").status == 200)
            #expect(try await server.poll(sid).body == "4x")
        }
    }

    @Test("Attack 7: a reset in any state ends its session and nothing else", arguments: 0..<6) func resets(_ state: Int) async throws {
        try await echo { server in
            let connection: TestConnection
            switch state {
            case 0:
                connection = try await server.connect()
                connection.send("GET \(server.base)&transport=polling HTTP/1.1\r\nHost: lo")
            case 1:
                connection = try await server.connect()
                connection.request("GET", server.polling(try await server.openPolling()))
            case 2:
                connection = try await server.openWebSocket()
                _ = try await connection.text()
            case 3:
                connection = try await server.openWebSocket()
                connection.say("4" + String(repeating: "x", count: 500_000))
            case 4:
                connection = try await server.openWebSocket(sid: try await server.openPolling())
                connection.say("2probe")
            default:
                connection = try await server.openWebSocket(sid: try await server.openPolling())
                connection.say("2probe")
                _ = try await connection.text()
                connection.say("5")
            }
            // The server has seen what was sent: it answers others in order on its one loop, once the bytes have left this process.
            try await connection.sent()
            _ = try await server.ask("GET", "/socket.io/")
            try await connection.reset()
            // Only the session of a candidate that never upgraded goes on, on polling.
            #expect(try await server.shows("kdcube_connections \(state == 4 ? 1 : 0)"))
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, "4x").status == 200)
        }
    }

    @Test(
        "Attack 8, E7: crafted queries are refused with their code",
        arguments: [
            ("EIO=4&transport=constructor", 0), ("EIO=4&transport=__proto__", 0), ("EIO=4&transport=webtransport", 0),
            ("EIO=4&transport=polling&transport=polling", 0), ("EIO=4&transport=%zz", 0), ("EIO=4&transport=polling&sid=__proto__", 1),
            ("EIO=4&transport=polling&sid=", 1), ("EIO=4&transport=polling&sid=a&sid=b", 1), ("EIO=4&EIO=4&transport=polling", 5),
            ("EIO=3&transport=polling", 5), ("EIO=4&transport=websocket", 3), ("EIO=4&transport=%70olling%00", 0), ("", 0),
            ("EIO=4&transport=polling&sid=%FF%FE", 1), ("EIO=4&transport=polling" + String(repeating: "&x=1", count: 100), 3),
        ])
    func craftedQueries(_ query: String, _ code: Int) async throws {
        try await echo { server in
            let answer = try await server.ask("GET", "/socket.io/?" + query)
            #expect(answer.status == 400)
            #expect(answer.body.hasPrefix("{\"code\":\(code),"))
            #expect(try await server.shows("kdcube_handshakes_refused_total{code=\"\(code)\"} 1"))
        }
    }

    @Test("Attack 17, E13: a flood of pongs changes nothing") func pongFlood() async throws {
        try await echo { server in
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            let pong = WebSocketFrameWriter.clientFrame(.text, payload: ByteBuffer(string: "3"), key: 7)
            var flood = ByteBuffer()
            for _ in 0..<10_000 { flood.writeImmutableBuffer(pong) }
            for _ in 0..<10 { socket.send(flood) }
            socket.say("4after")
            #expect(try await socket.text() == "4after")
        }
    }

    @Test("Attack 22: a client that never reads is disconnected when its queue is full, and counted") func slowReader() async throws {
        try await TestServer.echo(
            try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20), queueBytesMax: 200_000)
        ) { server in
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            try await socket.channel.setOption(.autoRead, value: false).get()
            let message = WebSocketFrameWriter.clientFrame(
                .text, payload: ByteBuffer(string: "4" + String(repeating: "x", count: 100_000)), key: 7)
            for _ in 0..<200 { socket.send(message) }
            #expect(try await server.shows("kdcube_slow_consumers_total 1"))
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("Attack 22: a polling session that is never collected is bounded too") func uncollectedPolling() async throws {
        try await TestServer.echo(
            try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20), queueBytesMax: 200_000)
        ) { server in
            let sid = try await server.openPolling()
            for _ in 0..<3 { _ = try await server.post(sid, "4" + String(repeating: "x", count: 90_000)) }
            #expect(try await server.shows("kdcube_slow_consumers_total 1"))
            #expect(try await server.poll(sid).status == 400)
        }
    }

    @Test("Attack 23: an engine id is of no use once the session has ended, and is not a socket's id") func deadID() async throws {
        try await TestServer.socketIO(try TestServer.configuration(pingInterval: .seconds(20)), setUp: { _ = $0.namespace("/") }) {
            server in
            let sid = try await server.openPolling()
            _ = try await server.post(sid, "40")
            #expect(try await server.poll(sid).body.contains(sid) == false)
            #expect(try await server.post(sid, "1").status == 200)
            #expect(try await server.poll(sid).body == #"{"code":1,"message":"Session ID unknown"}"#)
            let connection = try await server.connect()
            #expect(try await connection.upgrade(server.base + "&transport=websocket&sid=\(sid)") == 400)
        }
    }
}
