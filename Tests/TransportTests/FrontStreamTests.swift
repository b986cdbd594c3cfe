import NIOCore
import NIOPosix
import Testing

@testable import Transport

/// Bodies in both directions, on a real server.
@Suite("Front: bodies and streams", .timeLimit(.minutes(3))) struct FrontStreamTests {
    @Test("bodies arrive whole: gathered, streamed, chunked, 3 MB, and mirrored") func uploads() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            for size in [0, 1, 16_384, 16_385, 3 * 1024 * 1024] {
                let response = try await client.request("POST", "/count", body: String(repeating: "a", count: size))
                #expect(response.body == "\(size)")
            }
            try await client.send(
                RawClient.request("POST", "/echo", headers: ["Transfer-Encoding: chunked"])
                    + "5\r\nhello\r\n6\r\n there\r\n0\r\nX-Trailer: 1\r\n\r\n")
            #expect(try await client.response().body == "hello there")
            let large = String(repeating: "0123456789", count: 60_000)
            let mirrored = try await client.request("POST", "/mirror", body: large)
            #expect(mirrored.body == large)
            await client.close()
        }
    }

    @Test("100 Continue is sent for small bodies at once, for large ones when the handler reads, and never before a 404")
    func expectContinue() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            for (path, size) in [("/echo", 5), ("/echo", 40_000), ("/socket.io/?EIO=4", 5)] {
                try await client.send(
                    RawClient.request("POST", path, headers: ["Expect: 100-continue", "Content-Length: \(size)"]))
                #expect(try await client.response().status == 100)
                try await client.send(String(repeating: "b", count: size))
                #expect(try await client.response().body.hasSuffix(String(repeating: "b", count: size)))
            }
            try await client.send(RawClient.request("POST", "/nowhere", headers: ["Expect: 100-continue", "Content-Length: 40000"]))
            let refused = try await client.response()
            #expect(refused.status == 404 && refused["connection"] == "close")
            #expect(try await client.readToEnd().isEmpty)
            await client.close()
        }
    }

    @Test("HEAD has the head of the GET and no body, also for 50 MB and for a stream") func heads() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            for path in ["/hello", "/socket.io/?EIO=4", "/nowhere"] {
                let response = try await client.request("HEAD", path)
                #expect(response["transfer-encoding"] == nil)
            }
            #expect(try await client.request("HEAD", "/hello")["content-length"] == "5")
            #expect(try await client.request("GET", "/hello").body == "hello")
            #expect(server.journal.record.producedBytes == 0)
            await client.close()
        }
    }

    @Test("chunks arrive in order, whole and known responses too") func chunks() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            let response = try await client.request("GET", "/chunks?n=5000")
            #expect(response["transfer-encoding"] == "chunked")
            #expect(response.body == (0..<5000).map { "\($0)," }.joined())
            let old = try await server.client()
            try await old.send("GET /chunks?n=20 HTTP/1.0\r\n\r\n")
            let text = try await old.readToEnd()
            #expect(text.hasSuffix("18,19,") && !text.contains("chunked") && text.contains("Connection: close"))
            await client.close()
        }
    }

    @Test(
        "a response that is too short never looks whole, and one that is too long ends at its length",
        arguments: [(10, 5), (10, 20), (200_000, 100_000), (200_000, 300_000)])
    func wrongLength(_ declared: Int, _ written: Int) async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(RawClient.request("GET", "/lies?declared=\(declared)&written=\(written)"))
            if declared < 65_536 {
                let response = try await client.response()
                #expect(response.status == 500 && response.body.contains("\"code\":\"internal_error\""))
            } else {
                let text = try await client.readToEnd()
                let body = try #require(text.firstRange(of: "\r\n\r\n")).upperBound
                #expect(text[body...].utf8.count < declared || (written > declared && text[body...].utf8.count == declared))
                #expect(server.refused("response_length"))
            }
            await client.close()
        }
    }

    @Test("a stream that fails half-way is cut without its last chunk") func brokenStream() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(RawClient.request("GET", "/breaks"))
            // With the end of a line before it: the head's last value may end with a zero, too.
            #expect(try await !client.readToEnd().contains("\r\n0\r\n\r\n"))
        }
    }

    @Test("a vanished SSE client cancels its silent task at once", arguments: ["fin", "rst", "half"])
    func vanished(_ how: String) async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(RawClient.request("GET", "/sse"))
            try await client.wait(for: "data: first")
            try await server.eventually { server.journal.record.started == 1 }
            let left = ContinuousClock.now
            switch how {
            case "fin": await client.close()
            case "rst": try await client.reset()
            default: try await client.halfClose()
            }
            try await server.eventually { server.journal.record.cancelled.count == 1 }
            // A millisecond on a quiet machine; the bound allows for a suite that keeps every core busy.
            #expect(server.journal.record.cancelled[0] - left < .seconds(5))
        }
    }

    @Test("a vanished poll is told to its session", arguments: ["fin", "rst", "half"])
    func vanishedPoll(_ how: String) async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(RawClient.request("GET", "/socket.io/?park"))
            try await server.eventually { server.ingress.record.parked == 1 }
            switch how {
            case "fin": await client.close()
            case "rst": try await client.reset()
            default: try await client.halfClose()
            }
            try await server.eventually { server.ingress.record.abandoned.count == 1 }
        }
    }

    @Test(
        "ten stalled readers of 50 MB cost a bounded number of bytes, and are cut for want of progress (attack 22)",
        arguments: [true, false])
    func stalled(_ isKnown: Bool) async throws {
        try await FrontTestServer.run {
            $0.writeProgressDeadline = .milliseconds(500)
        } _: { server in
            var clients: [RawClient] = []
            for _ in 0..<10 {
                let client = try await RawClient.connect(server.port, receiveBuffer: 65_536)
                try await client.stopReading()
                try await client.send(RawClient.request("GET", isKnown ? "/big?known" : "/big"))
                clients.append(client)
            }
            try await server.eventually {
                server.shows("kdcube_http_refused_total{reason=\"write_progress\"} 10")
            }
            // The kernel's send buffers take up to 4 MB each by themselves.
            #expect(server.journal.record.producedBytes < 10 * 6 * 1024 * 1024)
            for client in clients { await client.close() }
        }
    }

    @Test("a slow reader gets all of 50 MB, and the connection goes on to a poll and an upgrade") func slowReader() async throws {
        try await FrontTestServer.run {
            $0.idleTimeout = .seconds(2)
            $0.writeProgressDeadline = .seconds(30)
        } _: { server in
            let client = try await RawClient.connect(server.port, receiveBuffer: 262_144)
            let channel = try client.channel
            try await client.send(RawClient.request("GET", "/big?known"))
            try await channel.setOption(.autoRead, value: false).get()
            try await Task.sleep(for: .milliseconds(2300))
            try await channel.setOption(.autoRead, value: true).get()
            #expect(try await client.response(timeout: .seconds(60)).body.utf8.count == 50 * 1024 * 1024)
            #expect(try await client.request("GET", "/socket.io/?EIO=4").body == "poll:")
            try await client.send(FrontServerTests.upgrade)
            #expect(try await client.response().status == 101)
            await client.close()
        }
    }
}
