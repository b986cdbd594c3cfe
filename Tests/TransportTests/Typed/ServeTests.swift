import Testing
import Transport

/// A server in a few lines, as a package that imports only this module writes it.
@Suite("Socket.IO server by itself", .timeLimit(.minutes(1)))
struct ServeTests {
    @Test("It serves its page and its sockets on one port, and ends with its task") func serve() async throws {
        let server = try SocketIOServer()
        server.namespace("/").on(Event<Int>("double")) { _, number in number * 2 }
        let (ports, announce) = AsyncStream.makeStream(of: Int.self)
        let serving = Task {
            defer { announce.finish() }
            try await server.serve(port: 0, page: "<title>é</title>") { announce.yield($0) }
        }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let client = TestServer(port: port, metrics: MetricRegistry(), base: "/socket.io/?EIO=4")
        let page = try await client.ask("GET", "/")
        #expect(page.body == "<title>é</title>" && page.header("content-type") == "text/html; charset=utf-8")
        #expect(try await client.ask("GET", "/other").status == 404)
        let (socket, _) = try await client.openSocket()
        socket.say(#"421["double",21]"#)
        #expect(try await socket.text() == "431[42]")
        serving.cancel()
        _ = await serving.result
        #expect(await socket.ends())
    }
}
