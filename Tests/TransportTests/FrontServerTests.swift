import NIOCore
import Testing

@testable import Transport

/// The checks of the one-port prototype against a real server: REST, polling and upgrades on the same connections.
@Suite("Front: requests", .timeLimit(.minutes(2))) struct FrontServerTests {
    static let upgrade = RawClient.request(
        "GET", "/socket.io/?EIO=4&transport=websocket", headers: ["Upgrade: websocket", "Connection: Upgrade"])

    @Test("a connection serves REST, a poll, REST again and then upgrades, with bytes sent early") func mixedThenUpgrade() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            #expect(try await client.request("GET", "/hello").body == "hello")
            #expect(try await client.request("GET", "/socket.io/?EIO=4&transport=polling").body == "poll:")
            #expect(try await client.request("POST", "/socket.io/?EIO=4", body: "4abc").body == "poll:4abc")
            #expect(try await client.request("GET", "/hello").body == "hello")
            try await client.send(Self.upgrade + "early")
            #expect(try await client.response().status == 101)
            try await client.wait(for: "greeting\nearly")
            try await client.send(" late")
            try await client.wait(for: "greeting\nearly late")
            await client.close()
        }
    }

    @Test("an upgrade answered later leaves early bytes for the new handler") func lateUpgrade() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(Self.upgrade.replacing("websocket HTTP", with: "websocket&later HTTP") + "early")
            #expect(try await client.response().status == 101)
            try await client.wait(for: "greeting\nearly")
            await client.close()
        }
    }

    @Test("a refused upgrade is answered and the connection closed (E5)") func refusedUpgrade() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(Self.upgrade.replacing("websocket HTTP", with: "websocket&refuse HTTP"))
            let response = try await client.response()
            #expect(response.status == 400 && response["connection"] == "close" && response.body == "no")
            _ = try await client.readToEnd()
        }
    }

    @Test("2,000 mixed pipelined requests are answered in order, and then the connection upgrades") func pipelined() async throws {
        try await FrontTestServer.run(loops: 2) { server in
            let client = try await server.client()
            var expected: [String] = []
            var text = ""
            for index in 0..<2000 {
                switch index % 4 {
                case 0:
                    text += RawClient.request("GET", "/hello")
                    expected.append("hello")
                case 1:
                    text += RawClient.request("POST", "/socket.io/?EIO=4", body: "\(index)")
                    expected.append("poll:\(index)")
                case 2:
                    text += RawClient.request("POST", "/echo", body: "body \(index)")
                    expected.append("body \(index)")
                default:
                    text +=
                        RawClient.request("POST", "/count", headers: ["Transfer-Encoding: chunked"]) + "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
                    expected.append("7")
                }
            }
            try await client.send(text + Self.upgrade + "early")
            for (index, body) in expected.enumerated() {
                let response = try await client.response()
                #expect(response.status == 200 && response.body == body, "request \(index)")
            }
            #expect(try await client.response().status == 101)
            try await client.wait(for: "greeting\nearly")
            await client.close()
        }
    }

    @Test("2,000 polls pipelined at once do not nest on the stack") func pipelinedPolls() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(String(repeating: RawClient.request("GET", "/socket.io/?EIO=4"), count: 2000))
            for _ in 0..<2000 { #expect(try await client.response().body == "poll:") }
            await client.close()
        }
    }

    @Test("a parked poll holds back what was pipelined behind it (attack 28)") func serialisedPolls() async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            try await client.send(RawClient.request("GET", "/socket.io/?later") + RawClient.request("GET", "/hello"))
            #expect(try await client.response().body == "poll:")
            #expect(try await client.response().body == "hello")
            try await client.send(RawClient.request("GET", "/socket.io/?park") + RawClient.request("GET", "/socket.io/?second"))
            try await server.eventually { server.ingress.record.parked == 1 }
            // The second poll is not seen before the first is answered.
            #expect(server.ingress.record.requests == 2)
            server.ingress.quiesce()
            #expect(try await client.response().body == "1")
            #expect(try await client.response().body == "poll:")
            await client.close()
        }
    }

    @Test(
        "the Engine.IO path is matched exactly (E1), and client files under it are routes",
        arguments: [
            ("/socket.io/?EIO=4", "poll:"), ("/socket.io/", "poll:"), ("/socket.io/anything", "poll:"),
            ("/socket.io/socket.io.js", "client"),
            ("/socket.io/socket.io.js?v=1", "client"), ("http://test/socket.io/?EIO=4", "poll:"), ("http://test/hello", "hello"),
            ("/socket.io/?x=.js", "poll:"),
        ])
    func paths(_ path: String, _ body: String) async throws {
        try await FrontTestServer.run { server in
            let client = try await server.client()
            #expect(try await client.request("GET", path).body == body)
            for other in ["/socket.iox", "/socket.io", "/socket.io?EIO=4"] { #expect(try await client.request("GET", other).status == 404) }
            await client.close()
        }
    }
}
