import NIOCore
import Synchronization
import Testing
import TransportWire

@testable import Transport

/// Attack 29 over real connections: what clients of a server see that ends.
@Suite("Attack 29: rolling drain", .serialized, .timeLimit(.minutes(1))) struct DrainTests {
    private static let configuration = try? TransportConfiguration(
        pingInterval: .seconds(30), pingTimeout: .seconds(20), connectTimeout: .seconds(60), origins: .any)

    private func serve(
        loops: Int = 2, _ setUp: @escaping @Sendable (SocketIOServer) -> Void = { _ in },
        _ body: @escaping @Sendable (TestServer, SocketIOServer) async throws -> Void
    ) async throws {
        let made = Shared<SocketIOServer>()
        try await TestServer.socketIO(try #require(Self.configuration), loops: loops) { server in
            _ = server.namespace("/")
            setUp(server)
            made.set(server)
        } _: { server in
            try await body(server, try #require(made.value))
        }
    }

    @Test("attack 29: new sessions are told 503 with Retry-After at once; those that there are go on, and may become WebSockets")
    func refusal() async throws {
        try await serve { server, sockets in
            let sid = try await server.openPolling()
            let (socket, _) = try await server.openSocket()
            sockets.refuseSessions()
            let refused = try await server.ask("GET", server.base + "&transport=polling")
            #expect(refused.status == 503 && Int(refused.header("retry-after") ?? "") ?? 0 > 0)
            let direct = try await server.connect()
            #expect(try await direct.upgrade(server.base + "&transport=websocket") == 503)
            #expect(try await server.shows("kdcube_sessions_refused_total{reason=\"draining\"} 2"))
            #expect(try await server.post(sid, "40").status == 200)
            #expect(try await server.poll(sid).body.hasPrefix("40{"))
            let candidate = try await server.openWebSocket(sid: sid)
            candidate.say("2probe")
            #expect(try await candidate.text() == "3probe")
            socket.say("40/x,")
            #expect(try await socket.text().hasPrefix("44/x,"))
        }
    }

    @Test("attack 29: stock clients are told nothing that would keep them from reconnecting: 1001, or a close packet") func farewell()
        async throws
    {
        let reasons = Mutex<[DisconnectReason]>([])
        try await serve { server in
            server.namespace("/").onConnect { socket in socket.onDisconnect { reason in reasons.withLock { $0.append(reason) } } }
        } _: { server, sockets in
            let (socket, _) = try await server.openSocket()
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, "40").status == 200)
            #expect(try await server.poll(sid).body.hasPrefix("40{"))
            async let poll = server.poll(sid)
            async let drained: Void = sockets.drain(try DrainPolicy())
            // No DISCONNECT packet, after which they would stay away.
            guard case .close(let code, _)? = try await socket.event() else {
                Issue.record("no close frame")
                return
            }
            #expect(code == 1001)
            #expect(try await poll.body == "1")
            try await drained
            #expect(reasons.withLock { $0 } == [.serverShuttingDown, .serverShuttingDown])
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("attack 29: a server without clients drains at once, with a few in an instant") func idle() async throws {
        try await serve { server, sockets in
            let policy = try DrainPolicy(window: .seconds(3_600))
            let began = ContinuousClock.now
            await sockets.drain(policy)
            #expect(ContinuousClock.now - began < .seconds(5))
        }
        try await serve { server, sockets in
            for _ in 0..<5 { _ = try await server.openSocket() }
            let began = ContinuousClock.now
            await sockets.drain(try DrainPolicy(window: .seconds(3_600)))
            #expect(ContinuousClock.now - began < .seconds(5))
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    /// A stream that a test ends.
    private final class Stream: FeedSource {
        let isOver = Atomic<Bool>(false)
        func read(into writer: inout FeedWriter) -> FeedState { isOver.load(ordering: .relaxed) ? .finished : .idle }
    }

    @Test("attack 29: who is in the middle of a stream stays until it is over, or until nobody is spared any more") func streams()
        async throws
    {
        let (first, second) = (Stream(), Stream())
        let feeds = Mutex<[Feed]>([])
        let spares = Shared<Bool>()
        spares.set(true)
        try await serve { server in
            server.namespace("/").on("read") { socket, arguments, acknowledge in
                let feed = socket.openFeed(arguments.first == "first" ? first : second)
                feeds.withLock { $0.append(feed) }
                acknowledge?()
            }
        } _: { server, sockets in
            let readers = [try await server.openSocket().0, try await server.openSocket().0]
            for (reader, name) in zip(readers, ["first", "second"]) {
                reader.say("421[\"read\",\"\(name)\"]")
                #expect(try await reader.text() == "431[]")
            }
            let (idle, _) = try await server.openSocket()
            let draining = Task { await sockets.drain(try DrainPolicy(window: .milliseconds(50))) { spares.value == true } }
            #expect(try await idle.closes())
            #expect(try await server.shows("kdcube_connections 2"))
            // Both are there and are served, though the window is over.
            for reader in readers {
                reader.say("40/x,")
                #expect(try await reader.text().hasPrefix("44/x,"))
            }
            first.isOver.store(true, ordering: .relaxed)
            for feed in feeds.withLock({ $0 }) { feed.signal() }
            #expect(try await readers[0].closes())
            #expect(try await server.shows("kdcube_connections 1"))
            spares.set(false)
            #expect(try await readers[1].closes())
            try await draining.value
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("attack 29: whoever cannot wait any longer closes all at once") func cancelled() async throws {
        try await serve { server, sockets in
            var clients: [TestConnection] = []
            for _ in 0..<20 { clients.append(try await server.openSocket().0) }
            let draining = Task { await sockets.drain(try DrainPolicy(perSecond: 1, window: .seconds(3_600))) }
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"server_shutting_down\"} 1"))
            draining.cancel()
            try await draining.value
            for client in clients { #expect(try await client.closes()) }
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("attack 29: hundreds of clients move to another server, spread over a second; each has what was sent before, and none is lost")
    func storm() async throws {
        let count = min(400, (ProcessFigures.raiseDescriptors() - 400) / 4)
        let perSecond = count
        try await serve { target, _ in
            try await serve { server, sockets in
                var clients: [TestConnection] = []
                while clients.count < count {
                    clients += try await withThrowingTaskGroup(of: TestConnection.self) { group in
                        for _ in 0..<min(100, count - clients.count) { group.addTask { try await server.openSocket().0 } }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                }
                sockets.namespace("/").emit("bye", [])
                let began = ContinuousClock.now
                async let drained: Void = sockets.drain(try DrainPolicy(perSecond: perSecond, window: .seconds(30)))
                let moves = try await withThrowingTaskGroup(of: (index: Int, after: Duration, client: TestConnection).self) { group in
                    for (index, client) in clients.enumerated() {
                        group.addTask {
                            let news = try await client.text()
                            #expect(news == #"42["bye"]"#)
                            #expect(try await client.closes())
                            let after = ContinuousClock.now - began
                            client.close()
                            return (index, after, try await target.openSocket().0)
                        }
                    }
                    var moves: [(index: Int, after: Duration, client: TestConnection)] = []
                    for try await move in group { moves.append(move) }
                    return moves
                }
                try await drained
                #expect(target.metric("kdcube_connections \(count)"))
                #expect(try await server.shows("kdcube_connections 0"))
                #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"server_shutting_down\"} \(count)"))
                // No faster than asked: the last one leaves when the rate says so.
                let times = moves.map(\.after).sorted()
                #expect(try #require(times.last) > .milliseconds(900))
                // And in no order that a client could know.
                let order = moves.sorted { $0.after < $1.after }.map(\.index)
                let descents = zip(order, order.dropFirst()).count { $0 > $1 }
                #expect(descents > count / 4 && descents < count * 3 / 4)
                for move in moves { move.client.close() }
            }
        }
    }
}
