import NIOCore
import Testing

@testable import Transport

/// Headers that every response has, half closes, idle connections, shutdown.
@Suite("Front: life of a connection", .timeLimit(.minutes(2))) struct FrontLifeTests {
    @Test("every response has a date and a request id: the client's, ours, or the route's") func standardFields() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            for path in ["/hello", "/empty", "/nowhere", "/fail", "/socket.io/?EIO=4", "/chunks"] {
                let response = try await client.request("GET", path)
                #expect(response["date"]?.hasSuffix("GMT") == true, "\(path)")
                #expect(response["x-request-id"]?.count == 32, "\(path)")
                #expect(try await client.request("GET", path, headers: ["X-Request-Id: abc-123"])["x-request-id"] == "abc-123", "\(path)")
            }
            #expect(try await client.request("GET", "/own-id", headers: ["X-Request-Id: abc"])["x-request-id"] == "mine")
            #expect(try await client.request("GET", "/who", headers: ["X-Request-Id: abc"]).body == "127.0.0.1 abc")
            await client.close()
        }
    }

    @Test("errors are the contract's document and tell nothing of the inside") func errors() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            let failure = try await client.request("GET", "/fail")
            #expect(failure.status == 500 && failure["content-type"] == "application/json")
            #expect(failure.body.contains("\"code\":\"internal_error\"") && !failure.body.contains("Failure"))
            let missing = try await client.request("GET", "/nowhere")
            #expect(missing.body.contains("\"code\":\"not_found\"") && missing.body.contains("\"param\":null"))
            let teapot = try await client.request("GET", "/teapot")
            #expect(teapot.status == 418 && teapot.body.contains("\"message\":\"short and stout\",\"type\":\"invalid_request_error\""))
            #expect(try await client.request("GET", "/empty").body.isEmpty)
            await client.close()
        }
    }

    @Test("Connection: close, and HTTP/1.0 with and without keep-alive") func persistence() async throws {
        try await FrontTestServer.run { server in
            let closing = try await server.client()
            #expect(try await closing.request("GET", "/hello", headers: ["Connection: close"])["connection"] == "close")
            #expect(try await closing.readToEnd().isEmpty)
            let old = try await server.client()
            try await old.send("GET /hello HTTP/1.0\r\n\r\n")
            #expect(try await old.readToEnd().hasSuffix("hello"))
            let kept = try await server.client()
            for _ in 0..<2 {
                try await kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(try await kept.response()["connection"] == "keep-alive")
            }
            let poll = try await server.client()
            #expect(try await poll.request("GET", "/socket.io/?close")["connection"] == "close")
            _ = try await poll.readToEnd()
            let aborted = try await server.client()
            try await aborted.send(RawClient.request("GET", "/socket.io/?abort"))
            #expect(try await aborted.readToEnd().isEmpty)
            await kept.close()
        }
    }

    @Test("a request to upgrade to something else is answered, and the connection ends") func otherProtocol() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            let response = try await client.request(
                "GET", "/hello", headers: ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMA"])
            #expect(response.body == "hello" && response["connection"] == "close")
            _ = try await client.readToEnd()
        }
    }

    @Test("after a half close one or two requests are answered, then comes the end", arguments: [1, 2])
    func halfClose(_ count: Int) async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(String(repeating: RawClient.request("GET", "/slow?ms=50"), count: count))
            try await client.halfClose()
            let text = try await client.readToEnd()
            #expect(text.ranges(of: "\r\n\r\nslow").count == count)
        }
    }

    @Test("half a header and half a body are dropped at the half close") func halfRequests() async throws {
        try await FrontTestServer.run { server in
            for text in ["GET /hello HT", RawClient.request("POST", "/echo", headers: ["Content-Length: 9"]) + "abc"] {
                let client = try await server.client()
                try await client.send(text)
                try await client.halfClose()
                #expect(try await client.readToEnd().isEmpty)
            }
        }
    }

    @Test("idle connections go: silent, kept alive, with half a body; a slow handler and an upgraded one stay") func idle() async throws {
        try await FrontTestServer.run {
            $0.idleTimeout = .seconds(1)
            $0.headerDeadline = .seconds(1)
            $0.bodyGrace = .seconds(1)
        } _: { server in
            let (silent, kept, busy, socket) = (
                try await server.client(), try await server.client(), try await server.client(), try await server.client()
            )
            try await busy.send(RawClient.request("GET", "/slow?ms=3000"))
            try await socket.send(FrontServerTests.upgrade)
            #expect(try await kept.request("GET", "/hello").status == 200)
            #expect(try await silent.readToEnd().isEmpty)
            #expect(try await kept.readToEnd().isEmpty)
            #expect(try await busy.response().body == "slow")
            try await socket.wait(for: "greeting\n")
            try await socket.send("still")
            try await socket.wait(for: "still")
            await socket.close()
        }
    }

    @Test("shutdown: idle closes, a slow request is answered, a stream is cut, a poll and an upgraded connection are told") func shutdown()
        async throws
    {
        try await FrontTestServer.run(loops: 2) { server in
            let (idle, slow, stream, poll, socket) = (
                try await server.client(), try await server.client(), try await server.client(), try await server.client(),
                try await server.client()
            )
            #expect(try await idle.request("GET", "/hello").status == 200)
            try await stream.send(RawClient.request("GET", "/sse"))
            try await stream.wait(for: "data: first")
            try await poll.send(RawClient.request("GET", "/socket.io/?park"))
            try await server.eventually { server.ingress.record.parked == 1 }
            try await socket.send(FrontServerTests.upgrade)
            try await socket.wait(for: "greeting")
            try await slow.send(RawClient.request("GET", "/slow?ms=500"))
            try await server.eventually { server.journal.record.slow == 1 }
            let began = ContinuousClock.now
            try await server.shutDown()
            #expect(ContinuousClock.now - began < .seconds(10))
            #expect(try await idle.readToEnd().isEmpty)
            let answer = try await slow.response()
            #expect(answer.body == "slow" && answer["connection"] == "close")
            #expect(try await !stream.readToEnd().hasSuffix("0\r\n\r\n"))
            #expect(server.journal.record.cancelled.count == 1)
            #expect(try await poll.response().body == "1")
            #expect(try await socket.readToEnd().hasSuffix("bye"))
            await #expect(throws: (any Error).self) { try await server.client() }
        }
    }

    @Test("a connection that upgrades during shutdown is told of it") func lateUpgrade() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(FrontServerTests.upgrade.replacing("websocket HTTP", with: "websocket&later=200 HTTP"))
            try await server.eventually { server.ingress.record.upgrades == 1 }
            try await server.shutDown()
            #expect(try await client.readToEnd().hasSuffix("greeting\nbye"))
        }
    }

    @Test("what does not end in the grace period is cut") func grace() async throws {
        try await FrontTestServer.run {
            $0.shutdownGrace = .milliseconds(300)
        } _: { server in
            let slow = try await server.client()
            try await slow.send(RawClient.request("GET", "/slow?ms=60000"))
            try await Task.sleep(for: .milliseconds(50))
            let began = ContinuousClock.now
            try await server.shutDown()
            #expect(ContinuousClock.now - began < .seconds(10))
            #expect(try await slow.readToEnd().isEmpty)
        }
    }

    @Test("several addresses share a port, also when it is chosen by the system") func addresses() async throws {
        try await FrontTestServer.run {
            $0.hosts = ["127.0.0.1", "::1"]
        } _: { server in
            #expect(server.addresses.count == 2 && Set(server.addresses.map(\.port)).count == 1)
            for host in ["127.0.0.1", "::1"] {
                let client = try await RawClient.connect(server.port, host: host)
                #expect(try await client.request("GET", "/who").body.hasPrefix(host))
                await client.close()
            }
        }
    }

    @Test("an address that is taken fails the start") func taken() async throws {
        try await FrontTestServer.run { server in
            await #expect(throws: (any Error).self) {
                try await FrontTestServer.run {
                    $0.port = server.port
                } _: { _ in
                }
            }
        }
    }

    @Test("descriptors are raised to the hard limit") func descriptors() {
        #expect((OpenFiles.raiseLimit() ?? 0) > 0)
    }
}
