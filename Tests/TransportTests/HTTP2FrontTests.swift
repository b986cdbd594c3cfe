import NIOCore
import Testing

@testable import Transport

/// A stream of HTTP/2 is served as a request over HTTP/1.1 is.
@Suite("Front: HTTP/2", .timeLimit(.minutes(2))) struct HTTP2FrontTests {
    @Test("requests of all kinds share a connection") func requests() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            let hello = try await client.get("/hello")
            #expect(hello.status == 200 && hello.body == "hello" && hello.isWhole && hello.reset == nil)
            #expect(hello.headers["content-length"] == "5" && hello.headers["x-request-id"]?.isEmpty == false)
            #expect(hello.headers["connection"] == nil && hello.headers["transfer-encoding"] == nil)
            let head = try await client.get("/hello", "HEAD")
            #expect(head.status == 200 && head.body == "" && head.headers["content-length"] == "5")
            #expect(try await client.get("/empty").status == 204)
            #expect(try await client.get("/nothing").status == 404)
            #expect(try await client.get("/fail").status == 500)
            #expect(try await client.get("/who").body.hasPrefix("127.0.0.1 "))
            #expect(try await client.get("/chunks?n=1000").body.hasSuffix(",998,999,"))
            #expect(try await client.post("/echo", "abc").body == "abc")
            #expect(try await client.post("/socket.io/?EIO=4", "4abc").body == "poll:4abc")
            #expect(try await client.get("/socket.io/?EIO=4&close").body == "poll:")
            #expect(try await client.get("/socket.io/?EIO=4&abort").reset != nil)
            // A request without a length is read to its end.
            let stream = client.nextStream()
            try await client.send(FrameClient.request(stream, "POST", "/count", staysOpen: true))
            try await client.send(Frame.bytes(.data, stream: stream, Array("12345".utf8)), Frame.bytes(.data, flags: 1, stream: stream))
            #expect(try await client.answer(stream).body == "5")
            await client.close()
        }
    }

    @Test("a large body goes through both windows, both ways") func windows() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            let stream = client.nextStream()
            try await client.send(FrameClient.request(stream, "POST", "/mirror", staysOpen: true))
            var sent = 0
            // As the window of 65,535 bytes is opened again, 400 KB go through.
            for index in 0..<25 {
                let needed = sent + 16_000 - 65_535
                try await client.wait { frames in
                    frames.filter { $0.kind == .window && $0.stream == stream }.reduce(0) { $0 + $1.code } >= needed
                        && frames.filter { $0.kind == .window && $0.stream == 0 }.reduce(0) { $0 + $1.code } >= needed
                }
                let part = [UInt8](repeating: UInt8(ascii: "a") + UInt8(index), count: 16_000)
                try await client.send(Frame.bytes(.data, flags: index == 24 ? 1 : 0, stream: stream, part))
                sent += part.count
            }
            let answer = try await client.answer(stream)
            #expect(answer.body.utf8.count == 400_000 && answer.body.hasSuffix("y") && answer.isWhole && answer.reset == nil)
            await client.close()
        }
    }

    @Test("an event stream comes as it is written, beside other requests, and ends with its client's reset") func events() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            let stream = client.nextStream()
            try await client.send(FrameClient.request(stream, "GET", "/sse"))
            try await client.wait { $0.contains { $0.kind == .data && $0.stream == stream } }
            #expect(try client.sofar(stream).body == "data: first\n\n")
            #expect(try await client.get("/hello").body == "hello")
            try await client.send(Frame.bytes(.reset, stream: stream, Frame.four(8)))
            try await server.eventually { server.journal.record.cancelled.count == 1 }
            #expect(try await client.get("/hello").body == "hello")
            await client.close()
        }
    }

    @Test("a parked poll does not hold up the others, and is abandoned when its client goes") func polls() async throws {
        try await FrontTestServer.runSecure(loops: 2) { server, _ in
            let client = try await FrameClient.connect(server)
            let (first, second) = (client.nextStream(), client.nextStream())
            try await client.send(FrameClient.request(first, "GET", "/socket.io/?EIO=4&park"))
            try await client.send(FrameClient.request(second, "GET", "/socket.io/?EIO=4&park"))
            try await server.eventually { server.ingress.record.parked == 2 }
            #expect(try await client.post("/socket.io/?EIO=4", "3").body == "poll:3")
            try await client.send(Frame.bytes(.reset, stream: first, Frame.four(8)))
            try await server.eventually { server.ingress.record.abandoned.count == 1 }
            await client.close()
            try await server.eventually { server.ingress.record.abandoned.count == 2 && server.shows("kdcube_tcp_connections 0") }
        }
    }

    @Test("an answer that comes before its request is whole is whole, and tells the client to stop (RFC 9113 §8.1)") func early()
        async throws
    {
        try await FrontTestServer.runSecure(configure: { $0.bodyBytesMax = 100_000 }) { server, _ in
            let client = try await FrameClient.connect(server)
            for (path, more, status) in [("/unread", [], 404), ("/echo", [("content-length", "200000")], 413)]
                as [(String, [(String, String)], Int)]
            {
                let stream = client.nextStream()
                try await client.send(FrameClient.request(stream, "POST", path, more, staysOpen: true))
                try await client.wait { $0.contains { $0.stream == stream && $0.kind == .reset } }
                let answer = try client.sofar(stream)
                #expect(answer.status == status && answer.isWhole && answer.reset == 0)
            }
            #expect(try await client.get("/hello").body == "hello")
            await client.close()
        }
    }

    @Test("what cannot be answered whole does not look whole") func broken() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            for path in ["/breaks", "/lies?declared=200000&written=100000"] {
                let answer = try await client.get(path)
                #expect(!answer.isWhole && answer.reset != nil && answer.reset != 0)
            }
            #expect(try await client.get("/hello").body == "hello")
            await client.close()
        }
    }

    @Test("a client that opens no window stops what it does not take, and loses its stream (attack 22)") func slowReader() async throws {
        try await FrontTestServer.runSecure(configure: { $0.writeProgressDeadline = .milliseconds(300) }) { server, _ in
            let client = try await FrameClient.connect(server, window: 10_000)
            let stream = client.nextStream()
            try await client.send(FrameClient.request(stream, "GET", "/big"))
            let answer = try await client.answer(stream)
            #expect(answer.body.utf8.count == 10_000 && !answer.isWhole && answer.reset != nil)
            #expect(server.refused("write_progress"))
            #expect(server.journal.record.producedBytes < 1 << 20)
            // A short answer that does not fit is no different.
            let short = client.nextStream()
            try await client.send(Frame.bytes(.settings, [0, 4] + Frame.four(0)), FrameClient.request(short, "GET", "/hello"))
            #expect(try await client.answer(short).reset != nil)
            await client.close()
        }
    }

    @Test("a body that drips loses its stream alone (attack 21)") func drip() async throws {
        try await FrontTestServer.runSecure(configure: { $0.bodyGrace = .milliseconds(100) }) { server, _ in
            let client = try await FrameClient.connect(server)
            let stream = client.nextStream()
            try await client.send(FrameClient.request(stream, "POST", "/echo", [("content-length", "100")], staysOpen: true))
            let answer = try await client.answer(stream)
            #expect(answer.status == 408 && answer.isWhole)
            #expect(server.refused("body_rate"))
            #expect(try await client.get("/hello").body == "hello")
            await client.close()
        }
    }

    @Test("an idle connection is told to go, and goes") func idle() async throws {
        try await FrontTestServer.runSecure(configure: {
            $0.idleTimeout = .milliseconds(200)
            $0.lingerDeadline = .milliseconds(200)
        }) { server, _ in
            // The request comes with the preface: a client that is slow to ask would be idle.
            let client = try await FrameClient.connect(server, first: FrameClient.request(1, "GET", "/slow?ms=600"))
            #expect(try await client.answer(1).body == "slow", "a connection with a request is not idle")
            try await client.ended(0)
        }
    }

    @Test("a shutdown says GOAWAY, answers what is open and cuts event streams") func shutdown() async throws {
        try await FrontTestServer.runSecure { server, _ in
            let client = try await FrameClient.connect(server)
            let (slow, events, poll) = (client.nextStream(), client.nextStream(), client.nextStream())
            try await client.send(FrameClient.request(slow, "GET", "/slow?ms=300"), FrameClient.request(events, "GET", "/sse"))
            try await client.send(FrameClient.request(poll, "GET", "/socket.io/?EIO=4&park"))
            try await client.wait { $0.contains { $0.kind == .data && $0.stream == events } }
            try await server.eventually { server.ingress.record.parked == 1 }
            async let end: Void = server.shutDown()
            try await client.wait { $0.contains { $0.kind == .goAway } && $0.contains { $0.kind == .ping && $0.flags == 0 } }
            let ping = try #require(client.frames.first { $0.kind == .ping })
            try await client.send(Frame.bytes(.ping, flags: 1, ping.payload))
            #expect(try await client.answer(slow).body == "slow")
            #expect(try await client.answer(poll).body == "1")
            #expect(try await client.answer(events).reset != nil)
            try await client.ended(0)
            try await end
        }
    }
}
