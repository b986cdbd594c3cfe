import JSON
import NIOCore
import Testing
import Transport
import TransportWire

/// The 23 cases of the public Engine.IO v3 suite (socketio.md §5.3), against a real server that allows it.
@Suite("Engine.IO v3 suite", .timeLimit(.minutes(1)))
struct EngineIOv3SuiteTests {
    private func serve(
        beats: Bool = false, patience: Duration = .milliseconds(200), loops: Int = 1, maxPayload: Int = 1_000_000,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let configuration = try TransportConfiguration.suite(beats: beats, patience: patience, maxPayload: maxPayload, allowEIO3: true)
        try await TestServer.echo(configuration, loops: loops) { try await body($0.old) }
    }

    @Test(
        "1: polling opens a session, with its length before it (L3); any other revision, and none, is 3 (L1)",
        arguments: ["EIO=3", "EIO=abc", "x=1"])
    func opensOverPolling(_ query: String) async throws {
        try await serve(beats: true) { server in
            let answer = try await server.ask("GET", "/engine.io/?\(query)&transport=polling")
            #expect(answer.status == 200)
            #expect(answer.header("content-type") == "text/plain; charset=UTF-8")
            let colon = try #require(answer.body.firstIndex(of: ":"))
            let packet = String(answer.body[answer.body.index(after: colon)...])
            #expect(answer.body[..<colon] == String(packet.utf16.count))
            try expectOpen(packet, upgrades: ["websocket"])
            #expect(try await server.shows("kdcube_engineio3_sessions_total 1"))
        }
    }

    @Test("2, 3: polling refuses an unknown transport, another method, JSONP and a revision that comes twice (E3, E39)")
    func refusesOverPolling() async throws {
        try await serve { server in
            #expect(try await server.ask("GET", server.base).status == 400)
            #expect(try await server.ask("GET", server.base + "&transport=abc").status == 400)
            #expect(try await server.ask("POST", server.base + "&transport=polling").status == 400)
            let jsonp = try await server.ask("GET", server.base + "&transport=polling&j=0")
            #expect(jsonp.status == 400 && jsonp.body == #"{"code":3,"message":"Bad request"}"#)
            #expect(try await server.ask("GET", server.base + "&EIO=3&transport=polling").status == 400)
        }
    }

    @Test("4: a WebSocket opens a session without upgrades (E29)") func opensOverWebSocket() async throws {
        try await serve(beats: true) { try expectOpen(try await $0.openWebSocket().text(), upgrades: []) }
    }

    @Test("5: a WebSocket without a revision is of revision 3 (L1)") func opensWithoutRevision() async throws {
        try await serve(beats: true) { server in
            let socket = try await server.connect()
            #expect(try await socket.upgrade("/engine.io/?transport=websocket") == 101)
            try expectOpen(try await socket.text(), upgrades: [])
        }
    }

    @Test("6: a WebSocket with a wrong transport is refused (E5)", arguments: ["", "&transport=abc"])
    func refusesWebSocket(_ query: String) async throws {
        try await serve { server in
            let socket = try await server.connect()
            #expect(try await socket.upgrade(server.base + query) == 400)
            #expect(await socket.ends())
        }
    }

    @Test("7–9: polling echoes text and base64 (L3)", arguments: ["6:4hello", "6:4test16:4test26:4test3", "6:4hello10:b4AQIDBA==", "3:4😀"])
    func echoesOverPolling(_ payload: String) async throws {
        try await serve { server in
            let sid = try await server.openOldPolling("&b64=1")
            let sent = try await server.post(sid, payload)
            #expect(sent.status == 200 && sent.body == "ok")
            let answer = try await server.poll(sid)
            #expect(answer.status == 200 && answer.body == payload)
            #expect(answer.header("content-type") == "text/plain; charset=UTF-8")
        }
    }

    @Test("10: a client that did not ask for base64 is answered in bytes when there are some (L3), and may send them")
    func echoesBytes() async throws {
        let bytes: [UInt8] = [0, 6, 255, 52, 104, 101, 108, 108, 111, 1, 5, 255, 4, 1, 2, 3, 4]
        try await serve { server in
            let sid = try await server.openOldPolling()
            #expect(try await server.post(sid, "6:4hello10:b4AQIDBA==").body == "ok")
            let answer = try await server.poll(sid)
            #expect(answer.bytes == bytes)
            #expect(answer.header("content-type") == "application/octet-stream")
            let connection = try await server.connect()
            connection.send(
                "POST \(server.polling(sid)) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: \(bytes.count)\r\n\r\n"
            )
            connection.send(ByteBuffer(bytes: bytes))
            #expect(try await connection.answer().body == "ok")
            #expect(try await server.poll(sid).bytes == bytes)
            #expect(try await server.post(sid, "6:4hello").body == "ok")
            #expect(try await server.poll(sid).body == "6:4hello")
        }
    }

    @Test(
        "11, attack 11: an invalid packet and a length that lies close the session",
        arguments: ["abc", "99999999999:4a", "-1:4", "1:😀", "4hello"])
    func closesOnInvalidPacket(_ payload: String) async throws {
        try await serve { server in
            let sid = try await server.openOldPolling()
            #expect(try await server.post(sid, payload).status == 400)
            #expect(try await server.poll(sid).status == 400)
            #expect(try await server.shows(#"kdcube_sessions_closed_total{reason="parse_error"} 1"#))
        }
    }

    @Test("the skipped case: a second poll closes the session, and the first is told so (E18)") func closesOnSecondPoll() async throws {
        try await serve { server in
            let sid = try await server.openOldPolling()
            let first = try await server.park(sid, noop: "1:6")
            #expect(try await server.poll(sid).status == 400)
            #expect(try await first.answer().body == "1:1")
        }
    }

    @Test("12–14: a WebSocket echoes text and binary with its type byte, and closes on an invalid packet (L4)")
    func echoesOverWebSocket() async throws {
        try await serve { server in
            let socket = try await server.openedWebSocket()
            socket.say("4hello")
            #expect(try await socket.text() == "4hello")
            for bytes in [[4, 1, 2, 3, 4], [4], [4] + [UInt8](repeating: 9, count: 125), [4] + [UInt8](repeating: 9, count: 65_535)]
                as [[UInt8]]
            {
                socket.send(frame: .binary, ByteBuffer(bytes: bytes))
                #expect(try await socket.event() == .binary(ByteBuffer(bytes: bytes)))
            }
            socket.say("b4AQID")
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [4, 1, 2, 3])))
            socket.say("abc")
            #expect(try await socket.closes())
            for wrong: [UInt8] in [[], [3, 1], [0x34, 1]] {
                let other = try await server.openWebSocket()
                other.send(frame: .binary, ByteBuffer(bytes: wrong))
                #expect(try await other.closes())
            }
        }
    }

    @Test("15: the client's pings are answered over polling (L2)") func pongsOverPolling() async throws {
        try await serve(beats: true, patience: .seconds(10)) { server in
            let sid = try await server.openOldPolling()
            for _ in 0..<3 {
                #expect(try await server.post(sid, "1:2").status == 200)
                #expect(try await server.poll(sid).body == "1:3")
            }
        }
    }

    @Test("16: silence of an interval and a timeout ends a polling session, to the millisecond (L2, E14)") func timesOutOverPolling()
        async throws
    {
        try await serve(beats: true) { server in
            let sid = try await server.openOldPolling()
            try await Task.sleep(for: .milliseconds(500))
            #expect(try await server.post(sid, "1:2").status == 400)
        }
    }

    @Test("17: the client's pings are answered over a WebSocket, and no ping is sent (L2)") func pongsOverWebSocket() async throws {
        try await serve(beats: true, patience: .seconds(10)) { server in
            let socket = try await server.openedWebSocket()
            for _ in 0..<3 {
                socket.say("2")
                #expect(try await socket.text() == "3")
            }
            // A pong that a client sends is the server's part.
            socket.say("3")
            #expect(try await socket.closes())
        }
    }

    @Test("18: a silent WebSocket is closed (L2)") func timesOutOverWebSocket() async throws {
        try await serve(beats: true) { server in
            let socket = try await server.openedWebSocket()
            guard case .close? = try await socket.event() else { throw TestConnection.Ended() }
            #expect(try await server.shows(#"kdcube_sessions_closed_total{reason="ping_timeout"} 1"#))
        }
    }

    @Test("19: a close packet over polling answers the parked poll with noop (E15)") func closesOverPolling() async throws {
        try await serve { server in
            let sid = try await server.openOldPolling()
            let parked = try await server.park(sid, noop: "1:6")
            #expect(try await server.post(sid, "1:1").body == "ok")
            #expect(try await parked.answer().body == "1:6")
            #expect(try await server.poll(sid).status == 400)
        }
    }

    @Test("20: a close packet closes the WebSocket (E15)") func closesOverWebSocket() async throws {
        try await serve { try await $0.expectCloses() }
    }

    @Test("21–23: a session moves to a WebSocket in order; then polling and another WebSocket are refused (E30–E32)", arguments: [1, 2])
    func upgrades(_ loops: Int) async throws {
        try await serve(loops: loops) { server in
            let sid = try await server.openOldPolling()
            let socket = try await server.probe(sid)
            #expect(try await server.poll(sid).body == "1:6")
            #expect(try await server.post(sid, "4:4one6:b4AQ==").status == 200)
            socket.say("5")
            socket.say("4two")
            #expect(try await socket.text() == "4one")
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [4, 1])))
            #expect(try await socket.text() == "4two")
            try await server.expectMoved(sid, to: socket)
        }
    }

    @Test("E27: an answer keeps to maxPayload in either form; what does not fit comes with the next poll", arguments: ["", "&b64=1"])
    func bounds(_ wish: String) async throws {
        try await serve(maxPayload: 1_024) { server in
            let sid = try await server.openOldPolling(wish)
            let packet = "402:4" + String(repeating: "a", count: 401)
            for _ in 0..<3 { #expect(try await server.post(sid, packet + "6:b4AQ==").status == 200) }
            var texts = 0
            while texts < 3 {
                let answer = try await server.poll(sid)
                #expect(answer.bytes.count <= 1_024 && answer.status == 200)
                texts += answer.body.split(separator: "4" + String(repeating: "a", count: 401), omittingEmptySubsequences: false).count - 1
            }
        }
    }

    @Test("E10: an initial packet comes in the form of each revision", arguments: [false, true]) func initialPacket(
        _ isOld: Bool
    ) async throws {
        let configuration = try TransportConfiguration(
            path: "/engine.io/", origins: .any, initialPacket: .binary([7]), allowEIO3: true)
        try await TestServer.echo(configuration) { server in
            let socket = try await (isOld ? server.old : server).openWebSocket()
            _ = try await socket.text()
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: isOld ? [4, 7] : [7])))
        }
    }
}

extension TestServer {
    /// The same server for a client of revision 3.
    var old: TestServer { TestServer(port: port, metrics: metrics, base: base.replacing("EIO=4", with: "EIO=3")) }

    /// Opens a polling session of revision 3 and gives its id.
    func openOldPolling(_ wish: String = "") async throws -> String {
        let answer = try await ask("GET", base + "&transport=polling" + wish)
        guard let brace = answer.body.firstIndex(of: "{"), let end = answer.body.firstIndex(of: "}"),
            let sid = try JSONValue(parsing: String(answer.body[brace...end]))["sid"]?.stringValue
        else { throw TestConnection.Ended() }
        return sid
    }
}
