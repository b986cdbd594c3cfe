import NIOCore
import Testing
import TransportWire

@testable import Transport

/// A POST is in flight from its head on (E20–E22).
@Suite("Engine.IO POSTs", .timeLimit(.minutes(1)))
struct EngineIOPostTests {
    private func echo(
        loops: Int = 1, front: @escaping @Sendable (inout FrontConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.echo(
            try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20), maxPayload: 100_000), loops: loops,
            front: front,
            body)
    }

    /// Begins a POST of `length` bytes, and returns when the server has read its head.
    private func begin(_ server: TestServer, _ sid: String, length: Int = 6) async throws -> TestConnection {
        let connection = try await server.connect()
        connection.send(
            "POST \(server.polling(sid)) HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: \(length)\r\n\r\n")
        #expect(try await connection.answer().status == 100)
        return connection
    }

    @Test("E20: of two POSTs at once the second is refused and the session closes; the first learns it") func overlap() async throws {
        try await echo { server in
            let sid = try await server.openPolling()
            let poll = try await server.connect()
            poll.request("GET", server.polling(sid))
            let first = try await begin(server, sid)
            first.send("4he")
            let second = try await server.post(sid, "4x")
            #expect(second.status == 400)
            #expect(second.body.isEmpty)
            #expect(try await poll.answer().body == "1")
            first.send("llo")
            let late = try await first.answer()
            #expect(late.status == 400)
            #expect(late.body == #"{"code":1,"message":"Session ID unknown"}"#)
            #expect(try await server.poll(sid).body == #"{"code":1,"message":"Session ID unknown"}"#)
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"transport_error\"} 1"))
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("E20: also when the session and the two connections live on different loops") func overlapAcrossLoops() async throws {
        try await echo(loops: 3) { server in
            for _ in 0..<20 {
                let sid = try await server.openPolling()
                let first = try await begin(server, sid)
                #expect(try await server.post(sid, "4x").status == 400)
                first.send("4hello")
                #expect(try await first.answer().status == 400)
            }
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("E20: POSTs one after the other, in pieces and pipelined on one connection, are served") func inTurn() async throws {
        try await echo(loops: 2) { server in
            let sid = try await server.openPolling()
            let pieces = try await begin(server, sid)
            pieces.send("4he")
            pieces.send("llo")
            #expect(try await pieces.answer().body == "ok")
            let one = "POST \(server.polling(sid)) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
            pieces.send(one + "4a" + one + "4b")
            #expect(try await pieces.answer().body == "ok")
            #expect(try await pieces.answer().body == "ok")
            #expect(try await server.poll(sid).body == "4hello\u{1E}4a\u{1E}4b")
        }
    }

    @Test("E22: a POST that grows over the limit is 413, and the session takes the next one", arguments: [1, 3])
    func tooLarge(_ loops: Int) async throws {
        try await echo(loops: loops) { server in
            let sid = try await server.openPolling()
            let large = try await server.connect()
            large.send("POST \(server.polling(sid)) HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<11 { large.send("2710\r\n" + String(repeating: "4", count: 10_000) + "\r\n") }
            let answer = try await large.answer()
            #expect(answer.status == 413)
            #expect(answer.body.isEmpty)
            #expect(try await server.post(sid, "4x").status == 200)
            #expect(try await server.poll(sid).body == "4x")
        }
    }

    @Test("Attacks 3, 21: a POST that is too slow is cut with 408, and the session takes the next one") func tooSlow() async throws {
        try await echo(front: {
            $0.sweepInterval = .milliseconds(50)
            $0.bodyGrace = .milliseconds(200)
        }) { server in
            let sid = try await server.openPolling()
            let slow = try await begin(server, sid)
            #expect(try await slow.answer().status == 408)
            #expect(try await server.post(sid, "4x").status == 200)
        }
    }

    @Test("Attack 7: a POST whose client vanishes in the middle ends its session", arguments: [true, false], [1, 2])
    func vanishes(_ isReset: Bool, _ loops: Int) async throws {
        try await echo(loops: loops) { server in
            let sid = try await server.openPolling()
            let gone = try await begin(server, sid)
            if isReset { try await gone.reset() } else { gone.close() }
            #expect(try await server.shows("kdcube_connections 0"))
            #expect(try await server.poll(sid).status == 400)
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"transport_error\"} 1"))
        }
    }

    @Test("Attack 3: a POST for no session is refused at its head: nothing of its body is kept") func refusedAtHead() async throws {
        try await echo { server in
            for (target, code) in [("&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", 1), ("&transport=polling", 2)] {
                let connection = try await server.connect()
                connection.send("POST \(server.base + target) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n")
                let answer = try await connection.answer()
                #expect(answer.status == 400)
                #expect(answer.body.hasPrefix("{\"code\":\(code),"))
                #expect(await connection.ends())
                #expect(try await server.shows("kdcube_handshakes_refused_total{code=\"\(code)\"} 1"))
            }
        }
    }

    @Test("Attack 3: bodies that arrive at one time are bounded together; what ends gives its room back") func bodyBudget() async throws {
        try await echo(front: { $0.arrivingBodyBytesMax = 100_000 }) { server in
            let (first, second) = (try await server.openPolling(), try await server.openPolling())
            let large = try await begin(server, first, length: 80_001)
            large.send("4" + String(repeating: "x", count: 70_000))
            // One loop: whoever is answered now was read later.
            _ = try await server.ask("GET", "/socket.io/")
            let refused = try await server.post(second, "4" + String(repeating: "y", count: 40_000))
            #expect(refused.status == 503)
            #expect(refused.header("retry-after") == "5")
            #expect(try await server.shows("kdcube_http_refused_total{reason=\"body_budget\"} 1"))
            large.send(String(repeating: "x", count: 10_000))
            #expect(try await large.answer().status == 200)
            for _ in 0..<5 { #expect(try await server.post(second, "4" + String(repeating: "y", count: 99_000)).status == 200) }
        }
    }

    // MARK: Counted faults

    @Test("Malformed packets are counted: of a polling body, of a WebSocket, of a type that version 4 does not have (E21, E23)")
    func countsParseErrors() async throws {
        try await echo { server in
            #expect(try await server.post(try await server.openPolling(), "abc").status == 400)
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            socket.say("x")
            #expect(try await socket.closes())
            let typed = try await server.ask(
                "POST", server.polling(try await server.openPolling()), ["Content-Type: application/octet-stream"], body: "4x")
            #expect(typed.status == 400)
            #expect(try await server.shows("kdcube_engineio_parse_errors_total 3"))
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"parse_error\"} 2"))
        }
    }

    @Test(
        "Malformed frames are counted by close code",
        arguments: [
            (1002, [0xC1, 0x80, 0, 0, 0, 0] as [UInt8]), (1002, [0x81, 0x01, 0x34]), (1007, [0x81, 0x82, 0, 0, 0, 0, 0x34, 0xFF]),
            (1009, [0x81, 0xFF, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ])
    func countsFailures(_ code: Int, _ frame: [UInt8]) async throws {
        try await echo { server in
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            socket.send(ByteBuffer(bytes: frame))
            guard case .close(let sent, _)? = try await socket.event() else { throw TestConnection.Ended() }
            #expect(sent.map(Int.init) == code)
            #expect(try await server.shows("kdcube_websocket_failures_total{code=\"\(code)\"} 1"))
        }
    }
}
