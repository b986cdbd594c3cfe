import JSON
import NIOCore
import Testing
import TransportWire

@testable import Transport

/// The attacks of socketio.md §7 that want to exhaust the process: many connections at once, and floods on one.
@Suite("Attacks: exhaustion", .serialized, .timeLimit(.minutes(3)))
struct ExhaustionAttackTests {
    private func configuration(connectTimeout: Duration = .seconds(60)) throws -> TransportConfiguration {
        try TestServer.configuration(pingInterval: .seconds(60), pingTimeout: .seconds(60), connectTimeout: connectTimeout)
    }

    /// Opens `count` connections, a hundred at a time: the backlog of a listener is finite.
    private func connect(_ server: TestServer, _ count: Int) async throws -> [TestConnection] {
        var connections: [TestConnection] = []
        while connections.count < count {
            let wanted = min(100, count - connections.count)
            connections += try await withThrowingTaskGroup(of: TestConnection.self) { group in
                for _ in 0..<wanted { group.addTask { try await server.connect() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        return connections
    }

    @Test("Attack 3: 2,000 slow POSTs of 900 kB cost bounded memory, a healthy client is served meanwhile, and all are cut")
    func slowPosts() async throws {
        // Both ends are here, and other tests need some.
        let count = min(2_000, (ProcessFigures.raiseDescriptors() - 200) / 2)
        try await TestServer.echo(
            try configuration(), loops: 2,
            front: {
                $0.sweepInterval = .milliseconds(100)
                $0.bodyGrace = .seconds(8)
            }
        ) { server in
            let before = ProcessFigures.residentBytes
            let connections = try await connect(server, count)
            let sids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await server.openPolling() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for (index, connection) in connections.enumerated() {
                // Some have a session; the others are refused at once, and hold nothing at all.
                let sid = index < sids.count ? sids[index] : "AAAAAAAAAAAAAAAAAAAA"
                connection.send("POST \(server.polling(sid)) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n4slow")
            }
            for _ in 0..<20 {
                let sid = try await server.openPolling()
                let asked = ContinuousClock.now
                #expect(try await server.post(sid, "4x").status == 200)
                #expect(try await server.poll(sid).body == "4x")
                #expect(ContinuousClock.now - asked < .seconds(5))
            }
            let grown = ProcessFigures.residentBytes - before
            // 64 KiB for each, both ends together: a body that was reserved in full would take 900 kB.
            #expect(grown < count * 65_536, "\(grown / count) bytes for each of \(count)")
            for (index, connection) in connections.enumerated() {
                #expect(try await connection.answer().status == (index < sids.count ? 408 : 400))
                connection.close()
            }
            #expect(try await server.shows("kdcube_tcp_connections 0"))
        }
    }

    @Test("Attack 3: 2,000 POSTs that a session is waiting for, all slow: memory is bounded and the server answers")
    func slowPostsOfSessions() async throws {
        let count = min(2_000, (ProcessFigures.raiseDescriptors() - 200) / 2)
        try await TestServer.echo(try configuration(), loops: 2, front: { $0.arrivingBodyBytesMax = 32 << 20 }) { server in
            let connections = try await connect(server, count)
            for connection in connections { connection.request("GET", server.base + "&transport=polling") }
            var sids: [String] = []
            for connection in connections {
                let body = try await connection.answer().body
                sids.append(try #require(try JSONValue(parsing: String(body.dropFirst()))["sid"]?.stringValue))
            }
            let before = ProcessFigures.residentBytes
            let part = ByteBuffer(string: "4" + String(repeating: "x", count: 131_071))
            for (connection, sid) in zip(connections, sids) {
                connection.send("POST \(server.polling(sid)) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n")
                connection.send(part)
            }
            // 2,000 times 128 KiB are eight times the budget: it is reached.
            let deadline = ContinuousClock.now + .seconds(20)
            while server.metric("kdcube_http_refused_total{reason=\"body_budget\"} 0"), ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(!server.metric("kdcube_http_refused_total{reason=\"body_budget\"} 0"))
            // Who wants a session gets it.
            let asked = ContinuousClock.now
            for _ in 0..<20 { _ = try await server.openPolling() }
            #expect(ContinuousClock.now - asked < .seconds(20))
            let grown = ProcessFigures.residentBytes - before
            #expect(grown < 160 << 20, "\(grown) bytes")
            for connection in connections { connection.close() }
            #expect(try await server.shows("kdcube_tcp_connections 0"))
        }
    }

    @Test("Attack 17, E13: a million pongs make no task and no thread, and leave no memory behind") func pongs() async throws {
        try await TestServer.echo(try configuration()) { server in
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            socket.say("4before")
            #expect(try await socket.text() == "4before")
            let pong = WebSocketFrameWriter.clientFrame(.text, payload: ByteBuffer(string: "3"), key: 7)
            var flood = ByteBuffer()
            for _ in 0..<10_000 { flood.writeImmutableBuffer(pong) }
            let (threads, memory) = (ProcessFigures.threads, ProcessFigures.residentBytes)
            for round in 0..<100 {
                socket.send(flood)
                guard round % 10 == 9 else { continue }
                socket.say("4\(round)")
                #expect(try await socket.text() == "4\(round)")
            }
            // Pools that start meanwhile may have a few threads more; one for each thing would be a thousand.
            // The smallest task of a million takes some 200 bytes, which would be 200 MB.
            #expect(ProcessFigures.residentBytes - memory < 128 << 20)
            #expect(ProcessFigures.threads <= threads + 32)
            #expect(try await server.shows("kdcube_connections 1"))
        }
    }

    @Test("Attack 17: frames that never end where a read does are forgotten as they are read") func unaligned() throws {
        // One odd frame; those that follow have 128 bytes, and reads 1,024.
        var wire = WebSocketFrameWriter.clientFrame(.pong, payload: ByteBuffer(string: "x"), key: 7)
        let pong = WebSocketFrameWriter.clientFrame(.pong, payload: ByteBuffer(repeating: 7, count: 122), key: 7)
        for _ in 0..<4_000 { wire.writeImmutableBuffer(pong) }
        var parser = WebSocketParser(limits: WebSocketLimits(messageBytes: 1_000_000), allowsCompression: false)
        var (input, frames) = (ByteBuffer(), 0)
        while let read = wire.readSlice(length: 1_024) {
            input.append(read: read)
            while try parser.next(&input) != nil { frames += 1 }
            #expect(input.readableBytes > 0 && input.capacity <= 8_192)
        }
        #expect(frames > 3_900)
    }

    @Test("Attack 17, S10: a thousand clients that open sessions and never join leave nothing behind") func neverJoin() async throws {
        try await TestServer.socketIO(try configuration(connectTimeout: .milliseconds(500)), setUp: { _ = $0.namespace("/") }) { server in
            let threads = ProcessFigures.threads
            for _ in 0..<5 {
                let sockets = try await connect(server, 200)
                for socket in sockets {
                    socket.request(
                        "GET", server.base + "&transport=websocket",
                        [
                            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                        ]
                    )
                }
                for socket in sockets { #expect(try await socket.answer().status == 101) }
                for socket in sockets { #expect(try await socket.closes()) }
                for socket in sockets { socket.close() }
            }
            #expect(try await server.shows("kdcube_connections 0"))
            #expect(try await server.shows("kdcube_tcp_connections 0"))
            #expect(try await server.shows("kdcube_sessions_closed_total{reason=\"forced_close\"} 1000"))
            #expect(ProcessFigures.threads <= threads + 32)
        }
    }

    @Test("Attack 24: 20,000 CONNECTs to namespaces that do not exist are each refused, and make none") func unknownNamespaces()
        async throws
    {
        try await TestServer.socketIO(try configuration(), setUp: { _ = $0.namespace("/") }) { server in
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            let before = ProcessFigures.residentBytes
            for batch in 0..<200 {
                for index in 0..<100 { socket.say("40/n\(batch * 100 + index),") }
                for index in 0..<100 {
                    let text = try await socket.text()
                    guard text == "44/n\(batch * 100 + index),{\"message\":\"Invalid namespace\"}" else {
                        Issue.record("\(text)")
                        return
                    }
                }
            }
            #expect(ProcessFigures.residentBytes - before < 128 << 20)
            #expect(try await server.shows("kdcube_sockets 0"))
        }
    }

    @Test("Attack 29: of a storm beyond the limit some get a session and the others 503 with Retry-After; nobody waits") func storm()
        async throws
    {
        try await TestServer.echo(try configuration(), loops: 2, front: { $0.connectionsMax = 200 }) { server in
            let outcomes = try await withThrowingTaskGroup(of: (TestConnection, Int, Bool).self) { group in
                for _ in 0..<400 {
                    group.addTask {
                        let connection = try await server.connect()
                        connection.request("GET", server.base + "&transport=polling")
                        let answer = try await connection.answer()
                        return (connection, answer.status, answer.header("retry-after") != nil)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let accepted = outcomes.filter { $0.1 == 200 }
            #expect(accepted.count == 200)
            #expect(outcomes.count { $0.1 == 503 && $0.2 } == 200)
            #expect(try await server.shows("kdcube_connections 200"))
            for (connection, _, _) in outcomes { connection.close() }
            #expect(try await server.shows("kdcube_tcp_connections 0"))
            // The sessions live on: their clients come back on other connections.
            #expect(try await server.shows("kdcube_connections 200"))
        }
    }
}
