import NIOCore
import Testing

@testable import Transport

/// What a hostile or broken client gets: the documented answer, a metric, and a server that goes on.
@Suite("Front: attacks", .timeLimit(.minutes(2))) struct FrontAttackTests {
    /// Sends `text`, expects `status` and the end of the connection, then checks that the server still serves.
    private func refused(
        _ text: String, _ status: Int, _ reason: String, configure: (inout FrontConfiguration) -> Void = { _ in }
    ) async throws {
        try await FrontTestServer.run(configure: configure) { server in
            let client = try await server.client()
            try? await client.send(text)
            let response = try await client.response()
            #expect(response.status == status)
            #expect(response["connection"] == "close")
            #expect(response["x-request-id"]?.isEmpty == false)
            _ = try await client.readToEnd()
            await client.close()
            #expect(server.refused(reason))
            let other = try await server.client()
            #expect(try await other.request("GET", "/hello").body == "hello")
            await other.close()
        }
    }

    @Test(
        "request smuggling and broken HTTP are 400 and the end of the connection (attack 28)",
        arguments: [
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
            "GET /hello HTTP/1.1\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost : h\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: h\r\n X: folded\r\n\r\n",
            "NOT HTTP AT ALL\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n",
            "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        ])
    func smuggling(_ text: String) async throws {
        try await refused(text, 400, "bad_request")
    }

    @Test(
        "bare line feeds and other versions are 505 and the end of the connection",
        arguments: [
            "GET /hello HTTP/1.1\nHost: h\n\n", "GET /hello HTTP/2.0\r\nHost: h\r\n\r\n", "GET /hello HTTP/0.9\r\n\r\n",
        ])
    func versions(_ text: String) async throws {
        try await refused(text, 505, "bad_request")
    }

    @Test("an upgrade with a body is refused and its bytes are nobody's frame (attack 5)") func upgradeWithBody() async throws {
        let head = ["Upgrade: websocket", "Connection: Upgrade"]
        try await refused(
            RawClient.request("GET", "/socket.io/?EIO=4", headers: head, body: "\u{0}\u{0}\u{0}\u{0}\u{0}"), 400, "bad_request")
    }

    @Test(
        "oversized headers are 431: a long field, a long list, 2,000 fields (attack 14)",
        arguments: [
            "GET /hello HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n",
            "GET /\(String(repeating: "x", count: 40_000)) HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: h\r\n\((0..<5).map { "X\($0): \(String(repeating: "x", count: 8_000))\r\n" }.joined())\r\n",
            "GET /hello HTTP/1.1\r\nHost: h\r\n\((0..<2000).map { "X\($0): 1\r\n" }.joined())\r\n",
        ])
    func headers(_ text: String) async throws {
        try await refused(text, 431, "header_limit")
    }

    @Test("a header that drips in is cut at its deadline (attack 21)") func slowHeader() async throws {
        try await refused("GET /hello HTTP/1.1\r\nHost: h\r\nX-A", 408, "header_deadline") { $0.headerDeadline = .milliseconds(300) }
    }

    @Test("a body that drips in is cut for its rate (attacks 3, 21)", arguments: ["/echo", "/count", "/socket.io/?EIO=4"])
    func slowBody(_ path: String) async throws {
        try await refused(RawClient.request("POST", path, headers: ["Content-Length: 90000"]) + "abc", 408, "body_rate") {
            $0.bodyGrace = .milliseconds(300)
        }
    }

    @Test("a declared body over the limit is 413 before any of it is read") func declaredTooLarge() async throws {
        try await refused(RawClient.request("POST", "/echo", headers: ["Content-Length: 100000000"]), 413, "body_limit")
    }

    @Test("a polling body over the limit is 413 with an empty body, declared or not (E22)", arguments: [true, false])
    func pollTooLarge(_ isDeclared: Bool) async throws {
        try await FrontTestServer.run {
            $0.pollingBodyBytesMax = 1000
        } _: { server in
            let client = try await server.client()
            let body = String(repeating: "4", count: 1001)
            try await client.send(
                isDeclared
                    ? RawClient.request("POST", "/socket.io/?EIO=4", body: body)
                    : RawClient.request("POST", "/socket.io/?EIO=4", headers: ["Transfer-Encoding: chunked"])
                        + "3e9\r\n\(body)\r\n0\r\n\r\n")
            let response = try await client.response()
            #expect(response.status == 413 && response.body.isEmpty)
            await client.close()
            #expect(server.ingress.record.requests == 0)
            let other = try await server.client()
            #expect(try await other.request("POST", "/socket.io/?EIO=4", body: String(body.dropLast())).status == 200)
            await other.close()
        }
    }

    @Test("an endless chunked body is 413 and cut, whether the handler reads it or not", arguments: ["/count", "/stubborn"])
    func endlessBody(_ path: String) async throws {
        try await FrontTestServer.run {
            $0.bodyBytesMax = 1_000_000
            $0.shutdownGrace = .milliseconds(300)
        } _: { server in
            let client = try await server.client()
            try await client.send(RawClient.request("POST", path, headers: ["Transfer-Encoding: chunked"]))
            let chunk = "10000\r\n" + String(repeating: "z", count: 65_536) + "\r\n"
            let channel = try client.channel
            if path == "/count" {
                for _ in 0..<64 { channel.writeAndFlush(ByteBuffer(string: chunk), promise: nil) }
                #expect(try await client.response().status == 413)
                _ = try await client.readToEnd()
                await client.close()
                try await server.eventually { server.journal.record.bodyErrors == 1 }
            } else {
                // Nobody reads: back-pressure holds the client back, and its own departure ends the handler.
                for _ in 0..<64 { channel.writeAndFlush(ByteBuffer(string: chunk), promise: nil) }
                try await server.eventually { server.journal.record.started == 1 }
                await client.close()
            }
        }
    }

    @Test("a body that the handler does not want is answered, drained and the connection closed") func unreadBody() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(RawClient.request("POST", "/unread", body: String(repeating: "u", count: 100_000)))
            #expect(try await client.response().status == 404)
            _ = try await client.readToEnd()
            await client.close()
        }
    }

    @Test("a reset in the middle of a response or an upload hurts nobody else (attack 7)") func resets() async throws {
        try await FrontTestServer.run { server in
            for index in 0..<40 {
                let client = try await server.client()
                switch index % 4 {
                case 0: try await client.send(RawClient.request("GET", "/big"))
                case 1: try await client.send(RawClient.request("POST", "/count", headers: ["Content-Length: 500000"]) + "abc")
                case 2: try await client.send(FrontServerTests.upgrade.replacing("websocket HTTP", with: "websocket&later HTTP"))
                default: try await client.send(RawClient.request("GET", "/slow?ms=30") + RawClient.request("GET", "/socket.io/?park"))
                }
                if index % 8 < 4 { try? await Task.sleep(for: .milliseconds(15)) }
                try await client.reset()
            }
            let other = try await server.client()
            #expect(try await other.request("GET", "/hello").body == "hello")
            await other.close()
            try await server.eventually { server.shows("kdcube_tcp_connections 0") }
        }
    }

    @Test("a flood of pipelined requests behind a slow one is held back, not kept in memory") func pipelineFlood() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(RawClient.request("GET", "/slow?ms=300"))
            let many = String(repeating: "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", count: 5_000)
            (try client.channel).writeAndFlush(ByteBuffer(string: many), promise: nil)
            #expect(try await client.response().body == "slow")
            #expect(try await client.responses(5_000, beginning: "HTTP/1.1 200 OK\r\n") == 5_000)
            await client.close()
        }
    }

    @Test("a connection above the limit is answered 503 with Retry-After, and room is given back") func connectionLimit() async throws {
        try await FrontTestServer.run {
            $0.connectionsMax = 2
        } _: { server in
            let (first, second) = (try await server.client(), try await server.client())
            #expect(try await first.request("GET", "/hello").status == 200)
            #expect(try await second.request("GET", "/hello").status == 200)
            let third = try await server.client()
            let response = try await third.response()
            #expect(response.status == 503 && response["retry-after"] != nil)
            _ = try await third.readToEnd()
            #expect(server.refused("connections"))
            await first.close()
            try await server.eventually { server.shows("kdcube_tcp_connections 1") }
            let fourth = try await server.client()
            #expect(try await fourth.request("GET", "/hello").status == 200)
            await second.close()
            await fourth.close()
        }
    }
}
