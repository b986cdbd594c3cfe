import NIOCore
import Testing

@testable import Transport

/// What HTTP/2 adds to what a hostile client can do: each ends with GOAWAY and the documented reason, and a server that goes on.
@Suite("Front: attacks over HTTP/2", .timeLimit(.minutes(2))) struct HTTP2AttackTests {
    private enum Code { static let protocolError = 1, calm = 11 }

    /// Lets `attack` happen, expects the connection to end with `code`, and another one to be served.
    private func ends(_ code: Int, _ reason: String, _ attack: (FrameClient, FrontTestServer) async throws -> Void) async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            try? await attack(client, server)
            try await client.ended(code)
            await client.close()
            #expect(server.refused(reason))
            let other = try await FrameClient.connect(server)
            #expect(try await other.get("/hello").body == "hello")
            await other.close()
            try await server.eventually { server.shows("kdcube_tcp_connections 0") }
        }
    }

    @Test("rapid reset (CVE-2023-44487)") func rapidReset() async throws {
        try await ends(Code.calm, "flood") { client, _ in
            for _ in 0...SecureLimits.resetsMax {
                let stream = client.nextStream()
                try await client.send(FrameClient.request(stream, "GET", "/sse"), Frame.bytes(.reset, stream: stream, Frame.four(8)))
            }
        }
    }

    @Test("a client that makes us reset its streams (CVE-2025-8671)") func madeReset() async throws {
        try await ends(Code.calm, "flood") { client, _ in
            for _ in 0...SecureLimits.resetsMax {
                let stream = client.nextStream()
                try await client.send(
                    FrameClient.request(stream, "GET", "/sse"), Frame.bytes(.window, stream: stream, Frame.four(0)))
            }
        }
    }

    @Test("a header without end (CVE-2024-27316)") func continuations() async throws {
        try await ends(Code.calm, "header_limit") { client, _ in
            let stream = client.nextStream()
            try await client.send(Frame.bytes(.headers, stream: stream, Frame.block(FrameClient.fields("GET", "/hello"))))
            for index in 0...SecureLimits.continuationFramesMax {
                try await client.send(Frame.bytes(.continuation, stream: stream, Frame.block([("x-\(index)", "1")])))
            }
        }
    }

    @Test("a flood of PING or of SETTINGS (CVE-2019-9512, -9515)", arguments: [Frame.Kind.ping, .settings]) func controls(
        _ kind: Frame.Kind
    ) async throws {
        try await ends(Code.calm, "flood") { client, _ in
            let frame = Frame.bytes(kind, kind == .ping ? [0, 1, 2, 3, 4, 5, 6, 7] : [])
            for _ in 0...SecureLimits.controlFramesMax { try await client.send(frame) }
        }
    }

    @Test("DATA with nothing in it (CVE-2019-9518)") func emptyData() async throws {
        try await ends(Code.calm, "flood") { client, _ in
            let stream = client.nextStream()
            try await client.send(FrameClient.request(stream, "POST", "/count", staysOpen: true))
            for _ in 0...SecureLimits.emptyFramesMax { try await client.send(Frame.bytes(.data, stream: stream)) }
        }
    }

    @Test("what is not HTTP/2") func nonsense() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await server.secureClient(["h2"])
            try await client.send(RawClient.request("GET", "/hello"))
            _ = try await client.readToEnd()
            #expect(server.refused("bad_request"))
        }
    }

    @Test("headers beyond the limit are never a request") func headers() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            let long = (0..<3).map { ("x-\($0)", String(repeating: "x", count: 12_000)) }
            let block = Frame.block(FrameClient.fields("GET", "/hello") + long)
            let stream = client.nextStream()
            try? await client.send(
                Frame.bytes(.headers, flags: 1, stream: stream, Array(block[..<16_000])),
                Frame.bytes(.continuation, stream: stream, Array(block[16_000..<32_000])),
                Frame.bytes(.continuation, flags: 4, stream: stream, Array(block[32_000...])))
            try await client.wire.wait { _, isEnded in isEnded }
            #expect(server.refused("header_limit"))
            #expect(!client.frames.contains { $0.kind == .headers })
        }
    }

    @Test("100 streams at a time and no more") func streams() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            let settings = try #require(client.frames.first { $0.kind == .settings })
            #expect(settings.payload.contains(subsequence: [0, 3] + Frame.four(SecureLimits.streamsMax)))
            for _ in 0..<SecureLimits.streamsMax {
                try await client.send(FrameClient.request(client.nextStream(), "GET", "/socket.io/?EIO=4&park"))
            }
            try await server.eventually { server.ingress.record.parked == SecureLimits.streamsMax }
            try await client.send(Frame.bytes(.reset, stream: 1, Frame.four(8)))
            try await server.eventually { server.ingress.record.abandoned.count == 1 }
            #expect(try await client.get("/hello").body == "hello", "one that has ended makes room")
            try await client.send(FrameClient.request(client.nextStream(), "GET", "/socket.io/?EIO=4&park"))
            try await client.send(FrameClient.request(client.nextStream(), "GET", "/hello"))
            try await client.ended(Code.protocolError)
            #expect(server.refused("flood"))
            try await server.eventually { server.ingress.record.abandoned.count == SecureLimits.streamsMax + 1 }
        }
    }

    @Test("streams of all connections together are as many as connections may be") func allStreams() async throws {
        try await FrontTestServer.runSecure(configure: { $0.connectionsMax = 3 }) { server, _ in
            let (one, other) = (try await FrameClient.connect(server), try await FrameClient.connect(server))
            for client in [one, one, other] {
                try await client.send(FrameClient.request(client.nextStream(), "GET", "/socket.io/?EIO=4&park"))
            }
            try await server.eventually { server.shows("kdcube_http2_streams 3") }
            #expect(try await other.get("/hello").reset != nil)
            #expect(server.refused("connections"))
            await one.close()
            try await server.eventually { server.shows("kdcube_http2_streams 1") }
            #expect(try await other.get("/hello").body == "hello")
            await other.close()
            try await server.eventually { server.shows("kdcube_http2_streams 0") }
        }
    }

    @Test(
        "requests that two servers could read differently are reset (attack 28)",
        arguments: [
            [("transfer-encoding", "chunked")], [("connection", "keep-alive")], [("upgrade", "websocket"), ("connection", "upgrade")],
            [("content-length", "5")], [("X-Upper", "1")], [(":path", "/twice")], [("x", "a\r\nb: c")],
        ])
    func smuggling(_ fields: [(String, String)]) async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            let stream = client.nextStream()
            try await client.send(FrameClient.request(stream, "POST", "/echo", fields, body: Array("ab".utf8)))
            let answer = try await client.answer(stream)
            #expect(answer.reset == Code.protocolError && answer.status == 0)
            #expect(server.ingress.record.upgrades == 0)
            #expect(try await client.get("/hello").body == "hello")
            await client.close()
        }
    }
}
