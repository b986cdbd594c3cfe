import JSON
import NIOCore
import Testing
import Transport
import TransportWire

/// The public Engine.IO v4 suite (socketio.md §5.1), case by case, against a real server. Needs nothing but loopback.
///
/// The v5 suite repeats the cases on handshake, heartbeat and close under `/socket.io/`: those run against both servers.
@Suite("Engine.IO v4 suite", .timeLimit(.minutes(1)))
struct EngineIOSuiteTests {
    enum Kind: CaseIterable { case engineIO, socketIO }

    private func serve(
        _ kind: Kind = .engineIO, beats: Bool = false, patience: Duration = .milliseconds(200), loops: Int = 1,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        switch kind {
        case .engineIO: try await TestServer.echo(.suite(beats: beats, patience: patience), loops: loops, body)
        case .socketIO:
            try await TestServer.socketIO(
                .suite(path: "/socket.io/", beats: beats, patience: patience), loops: loops, setUp: { _ = $0.namespace("/") }, body)
        }
    }

    @Test("1: polling opens a session with exactly five keys (E9)", arguments: Kind.allCases) func opensOverPolling(
        _ kind: Kind
    ) async throws {
        try await serve(kind, beats: true) { server in
            let answer = try await server.ask("GET", server.base + "&transport=polling")
            #expect(answer.status == 200)
            #expect(answer.header("content-type") == "text/plain; charset=UTF-8")
            #expect(answer.header("cache-control") == "no-store")
            try expectOpen(answer.body, upgrades: ["websocket"])
        }
    }

    @Test(
        "2, 3: polling refuses a missing or unknown EIO and transport (E3, E4)", arguments: Kind.allCases,
        [
            ("transport=polling", 5), ("EIO=abc&transport=polling", 5), ("EIO=4", 0), ("EIO=4&transport=abc", 0),
        ])
    func refusesOverPolling(_ kind: Kind, _ request: (query: String, code: Int)) async throws {
        try await serve(kind) { server in
            let answer = try await server.ask("GET", server.base.prefix(11) + "?" + request.query)
            #expect(answer.status == 400)
            #expect(answer.header("content-type") == "application/json")
            #expect(try JSONValue(parsing: answer.body)["code"] == .integer(Int64(request.code)))
        }
    }

    @Test("4: only GET opens a session (E3)", arguments: Kind.allCases, ["POST", "PUT"])
    func refusesMethod(_ kind: Kind, _ method: String) async throws {
        try await serve(kind) { server in
            let answer = try await server.ask(method, server.base + "&transport=polling")
            #expect(answer.status == 400)
            #expect(answer.body == #"{"code":2,"message":"Bad handshake method"}"#)
        }
    }

    @Test("5: a WebSocket opens a session without upgrades (E29)", arguments: Kind.allCases) func opensOverWebSocket(
        _ kind: Kind
    ) async throws {
        try await serve(kind, beats: true) { server in
            try expectOpen(try await server.openWebSocket().text(), upgrades: [])
        }
    }

    @Test(
        "6, 7: a WebSocket with a wrong EIO or transport is refused in plain HTTP (E5)", arguments: Kind.allCases,
        [
            ("transport=websocket", "Unsupported protocol version"), ("EIO=abc&transport=websocket", "Unsupported protocol version"),
            ("EIO=4", "Transport unknown"), ("EIO=4&transport=abc", "Transport unknown"),
        ])
    func refusesWebSocket(_ kind: Kind, _ request: (query: String, message: String)) async throws {
        try await serve(kind) { server in
            let connection = try await server.connect()
            connection.request(
                "GET", server.base.prefix(11) + "?" + request.query,
                ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
            let answer = try await connection.answer()
            #expect(answer.status == 400)
            #expect(answer.header("content-type") == "text/html")
            #expect(answer.header("connection") == "close")
            #expect(answer.body == request.message)
            #expect(await connection.ends())
        }
    }

    @Test(
        "8–10: polling echoes text and binary packets in order (E18, E20, E23)",
        arguments: [
            "4hello", "4test1\u{1E}4test2\u{1E}4test3", "4hello\u{1E}bAQIDBA==",
        ])
    func echoesOverPolling(_ payload: String) async throws {
        try await serve { server in
            let sid = try await server.openPolling()
            let sent = try await server.post(sid, payload)
            #expect(sent.status == 200)
            #expect(sent.body == "ok")
            #expect(sent.header("content-type") == "text/html")
            #expect(try await server.poll(sid).body == payload)
        }
    }

    @Test("11: an invalid packet closes the session (E23)") func closesOnInvalidPacket() async throws {
        try await serve { server in
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, "abc").status == 400)
            #expect(try await server.poll(sid).status == 400)
        }
    }

    @Test("12: a second poll closes the session and completes the first with a close packet (E18)")
    func closesOnSecondPoll() async throws {
        try await serve { server in
            let sid = try await server.openPolling()
            let first = try await server.park(sid)
            let second = try await server.poll(sid)
            #expect(second.status == 400)
            #expect(second.body.isEmpty)
            let completed = try await first.answer()
            #expect(completed.status == 200)
            #expect(completed.body == "1")
            #expect(try await server.poll(sid).status == 400)
        }
    }

    @Test("13: a poll whose client went away closes the session (E19)") func closesOnAbandonedPoll() async throws {
        try await serve { server in
            let sid = try await server.openPolling()
            try await server.park(sid).close()
            #expect(try await server.shows("kdcube_connections 0"))
            #expect(try await server.poll(sid).status == 400)
        }
    }

    @Test("14–16: a WebSocket echoes text and binary, and closes on an invalid packet (E28)") func echoesOverWebSocket() async throws {
        try await serve { server in
            let socket = try await server.openedWebSocket()
            socket.say("4hello")
            #expect(try await socket.text() == "4hello")
            socket.send(frame: .binary, ByteBuffer(bytes: [1, 2, 3, 4]))
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [1, 2, 3, 4])))
            socket.send(frame: .binary, ByteBuffer())
            #expect(try await socket.event() == .binary(ByteBuffer()))
            socket.say("abc")
            #expect(try await socket.closes())
        }
    }

    @Test("17: polling carries exactly one ping an interval (E12)", arguments: Kind.allCases) func pingsOverPolling(
        _ kind: Kind
    ) async throws {
        try await serve(kind, beats: true, patience: .seconds(10)) { server in
            let sid = try await server.openPolling()
            for _ in 0..<3 {
                let ping = try await server.poll(sid)
                #expect(ping.status == 200)
                #expect(ping.body == "2")
                #expect(try await server.post(sid, "3").status == 200)
            }
        }
    }

    @Test("18: silence of one interval and one timeout ends a polling session, to the millisecond (E12, E14)", arguments: Kind.allCases)
    func timesOutOverPolling(_ kind: Kind) async throws {
        try await serve(kind, beats: true) { server in
            let sid = try await server.openPolling()
            try await Task.sleep(for: .milliseconds(500))
            let answer = try await server.poll(sid)
            #expect(answer.status == 400)
            #expect(answer.body == #"{"code":1,"message":"Session ID unknown"}"#)
        }
    }

    @Test("19, 20: a WebSocket is pinged, and closed when it stops answering (E12)", arguments: Kind.allCases) func pingsOverWebSocket(
        _ kind: Kind
    ) async throws {
        try await serve(kind, beats: true, patience: .seconds(2)) { server in
            let socket = try await server.openedWebSocket()
            for _ in 0..<3 {
                #expect(try await socket.text() == "2")
                socket.say("3")
            }
            #expect(try await socket.text() == "2")
            #expect(try await socket.closes())
        }
    }

    @Test("21: a close packet over polling answers the parked poll with noop (E15)", arguments: Kind.allCases) func closesOverPolling(
        _ kind: Kind
    ) async throws {
        try await serve(kind) { server in
            let sid = try await server.openPolling()
            let parked = try await server.park(sid)
            #expect(try await server.post(sid, "1").body == "ok")
            let answer = try await parked.answer()
            #expect(answer.status == 200)
            #expect(answer.body == "6")
            #expect(try await server.poll(sid).status == 400)
        }
    }

    @Test("22: a close packet closes the WebSocket (E15)", arguments: Kind.allCases) func closesOverWebSocket(_ kind: Kind) async throws {
        try await serve(kind) { try await $0.expectCloses() }
    }

    @Test("23: a session moves from polling to a WebSocket (E30)", arguments: [1, 2]) func upgrades(_ loops: Int) async throws {
        try await serve(loops: loops) { server in
            let sid = try await server.openPolling()
            let socket = try await server.probe(sid)
            let poll = try await server.poll(sid)
            #expect(poll.status == 200)
            #expect(poll.body == "6")
            // What the session is sent meanwhile waits for the new transport, and comes in order (E31).
            #expect(try await server.post(sid, "4one\u{1E}4two").status == 200)
            socket.say("5")
            socket.say("4three")
            for expected in ["4one", "4two", "4three"] { #expect(try await socket.text() == expected) }
        }
    }

    @Test(
        "24, 25: after the upgrade polling is refused, another WebSocket accepted and closed, and this one goes on (E32)",
        arguments: [1, 2])
    func refusesWhatComesAfterUpgrade(_ loops: Int) async throws {
        try await serve(loops: loops) { server in
            let sid = try await server.openPolling()
            let socket = try await server.probe(sid)
            socket.say("5")
            socket.say("4first")
            #expect(try await socket.text() == "4first")
            try await server.expectMoved(sid, to: socket)
        }
    }
}
