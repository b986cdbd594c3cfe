import JSON
import NIOCore
import Synchronization
import Testing
import Transport
import TransportWire

/// What the server promises beyond the public suite: middlewares, acknowledgements, rooms, feeds, limits and attacks.
@Suite("Socket.IO server", .timeLimit(.minutes(1)))
struct SocketIOServerTests {
    private func serve(
        loops: Int = 1, queueBytesMax: Int = 1 << 20, _ setUp: @escaping @Sendable (Namespace) -> Void,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.socketIO(
            try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20), queueBytesMax: queueBytesMax),
            loops: loops, setUp: { setUp($0.namespace("/")) }, body)
    }

    @Test("S13: a middleware's value becomes the context; its refusal a CONNECT_ERROR with message and data") func middleware() async throws
    {
        try await serve { main in
            main.use { handshake async throws(ConnectRefusal) -> any Sendable in
                guard let token = handshake.auth["token"]?.stringValue else {
                    throw ConnectRefusal(message: "unauthorized", data: ["code": 401])
                }
                return token
            }
            main.onConnect { socket in socket.emit("hello", [.string(socket.context as? String ?? "?")]) }
        } _: { server in
            let (refused, answer) = try await server.openSocket()
            #expect(answer == #"44{"message":"unauthorized","data":{"code":401}}"#)
            // The connection stays: the client may try again.
            refused.say(#"40{"token":"t"}"#)
            #expect(try await refused.text().hasPrefix("40{"))
            #expect(try await refused.text() == #"42["hello","t"]"#)
        }
    }

    @Test(
        "S14: a second CONNECT, a packet of another namespace and a CONNECT_ERROR close the connection",
        arguments: [
            "40", "42/other,[\"x\"]", "41/other", "44{\"message\":\"x\"}", "43/other,1[]",
        ])
    func violations(_ packet: String) async throws {
        try await serve { _ in
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(packet)
            #expect(try await socket.closes())
        }
    }

    @Test("S6: a second CONNECT while the middleware is at work closes the connection and joins nothing") func doubleConnect() async throws
    {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        try await serve { main in
            main.use { _ async throws(ConnectRefusal) -> any Sendable in
                for await _ in gate { break }
                return 1
            }
        } _: { server in
            let socket = try await server.openWebSocket()
            _ = try await socket.text()
            socket.say("40")
            socket.say("40")
            #expect(try await socket.closes())
            open.finish()
            #expect(try await server.shows("kdcube_sockets 0"))
        }
    }

    @Test("S7, S22: the server's own acknowledgements: answer, timeout, disconnect, cancellation") func serverAcks() async throws {
        let (results, report) = AsyncStream.makeStream(of: String.self)
        try await serve { main in
            main.on("ask") { socket, arguments, _ in
                let timeout: Duration = arguments.first?.integerValue.map { .milliseconds($0) } ?? .seconds(20)
                Task {
                    do throws(AcknowledgementError) {
                        report.yield("\(try await socket.emitWithAck("question", [1], timeout: timeout))")
                    } catch {
                        report.yield("\(error)")
                    }
                }
            }
        } _: { server in
            var iterator = results.makeAsyncIterator()
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["ask"]"#)
            #expect(try await socket.text() == #"420["question",1]"#)
            // An id that nobody waits for is ignored.
            socket.say("4377[]")
            socket.say(#"430["yes"]"#)
            #expect(await iterator.next() == #"[JSON.JSONValue.string("yes")]"#)
            socket.say(#"42["ask",50]"#)
            #expect(try await socket.text() == #"421["question",1]"#)
            #expect(await iterator.next() == "timedOut")
            socket.say(#"42["ask"]"#)
            #expect(try await socket.text() == #"422["question",1]"#)
            socket.say("41")
            #expect(await iterator.next() == "disconnected")
        }
    }

    @Test("S20: a broadcast reaches each member once, and nobody who is excepted", arguments: [1, 2]) func rooms(_ loops: Int) async throws
    {
        try await serve(loops: loops) { main in
            main.on("join") { socket, arguments, acknowledge in
                socket.join(arguments.compactMap(\.stringValue))
                acknowledge?.send()
            }
            main.on("leave") { socket, arguments, acknowledge in
                socket.leave(arguments.compactMap(\.stringValue))
                acknowledge?.send()
            }
            main.on("to") { socket, arguments, _ in
                socket.namespace.emit("news", [1], to: arguments.compactMap(\.stringValue), except: [socket.id])
            }
            main.on("all") { socket, _, _ in socket.namespace.emit("all", []) }
        } _: { server in
            var sockets: [TestConnection] = []
            for rooms in [#""a""#, #""a","b""#, #""b""#, #""c""#] {
                let (socket, _) = try await server.openSocket()
                socket.say("420[\"join\",\(rooms)]")
                #expect(try await socket.text() == "430[]")
                sockets.append(socket)
            }
            sockets[0].say(#"42["to","a","b"]"#)
            for index in [1, 2] { #expect(try await sockets[index].text() == #"42["news",1]"#) }
            sockets[1].say(#"420["leave","a"]"#)
            #expect(try await sockets[1].text() == "430[]")
            sockets[2].say(#"42["to","a"]"#)
            #expect(try await sockets[0].text() == #"42["news",1]"#)
            sockets[3].say(#"42["all"]"#)
            // The next thing that each hears is this: nothing else reached anybody.
            for socket in sockets { #expect(try await socket.text() == #"42["all"]"#) }
        }
    }

    @Test("S11: a socket's id is a room of its own") func ownRoom() async throws {
        try await serve { main in
            main.on("self") { socket, _, _ in socket.namespace.emit("me", [], to: [socket.id]) }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            let (other, _) = try await server.openSocket()
            socket.say(#"42["self"]"#)
            #expect(try await socket.text() == #"42["me"]"#)
            other.say(#"42["self"]"#)
            #expect(try await other.text() == #"42["me"]"#)
        }
    }

    @Test("S16: the server's disconnect sends 41; with the session it closes too; reasons are told") func serverDisconnect() async throws {
        let (reasons, report) = AsyncStream.makeStream(of: DisconnectReason.self)
        try await serve { main in
            main.onConnect { socket in socket.onDisconnect { report.yield($0) } }
            main.on("kick") { socket, arguments, _ in socket.disconnect(closingSession: arguments.first?.boolValue ?? false) }
        } _: { server in
            var iterator = reasons.makeAsyncIterator()
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["kick"]"#)
            #expect(try await socket.text() == "41")
            #expect(await iterator.next() == .serverNamespaceDisconnect)
            // What the client had sent before it knew is no violation.
            socket.say(#"42["late"]"#)
            socket.say("40")
            #expect(try await socket.text().hasPrefix("40{"))
            socket.say("41")
            #expect(await iterator.next() == .clientNamespaceDisconnect)
            socket.say("40")
            #expect(try await socket.text().hasPrefix("40{"))
            socket.say(#"42["kick",true]"#)
            #expect(try await socket.text() == "41")
            #expect(await iterator.next() == .serverNamespaceDisconnect)
            #expect(try await socket.closes())
            let (gone, _) = try await server.openSocket()
            gone.close()
            #expect(await iterator.next() == .transportClose)
        }
    }

    // MARK: Attacks

    @Test(
        "Attacks 6, 9, S2–S6: malformed packets close the connection",
        arguments: [
            #"442["some","data""#, #"40/admin,"invalid""#, "40[]", "41/admin,{}", #"42/admin,"invalid"#, "42/admin,{}",
            #"42[{"toString":"foo"}]"#, #"42[true,"foo"]"#, #"42[null,"bar"]"#, #"42["connect"]"#, #"42["disconnect","123"]"#, "45", "451",
            "45a-", "451.23-", "4999", "43", "43[]", "42", "42[]", "4", "42-1[]", #"4299999999999999999["x"]"#,
            #"451-["x",{"_placeholder":true,"num":"splice"}]"#, #"451-["x",{"_placeholder":true,"num":-1}]"#,
            #"451-["x",{"_placeholder":true,"num":1000000000}]"#, #"451-["x",{"_placeholder":true,"num":0.5}]"#,
            #"451-["x",{"_placeholder":true,"num":true}]"#, #"455999999-["x"]"#, "42[\"x\"," + String(repeating: "[", count: 100_000),
        ])
    func malformed(_ packet: String) async throws {
        try await serve { _ in
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(packet)
            #expect(try await socket.closes())
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("S4: text while attachments are pending, and binary that nobody announced, close the connection") func attachmentOrder()
        async throws
    {
        try await serve { _ in
        } _: { server in
            let (first, _) = try await server.openSocket()
            first.say(#"451-["x",{"_placeholder":true,"num":0}]"#)
            first.say(#"42["y"]"#)
            #expect(try await first.closes())
            let (second, _) = try await server.openSocket()
            second.send(frame: .binary, ByteBuffer(bytes: [1]))
            #expect(try await second.closes())
        }
    }

    @Test("Attack 10: an event called `error` that nobody listens to is no error") func errorEvent() async throws {
        try await serve { main in
            main.on("ping") { socket, _, _ in socket.emit("pong") }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["error",{"message":"boom"}]"#)
            socket.say(#"42["ping"]"#)
            #expect(try await socket.text() == #"42["pong"]"#)
        }
    }

    @Test("Attack 24: namespaces of a session, rooms of a socket and outstanding acknowledgements are bounded") func exhaustion()
        async throws
    {
        let box = ErrorCount()
        try await TestServer.socketIO(try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20))) { server in
            for index in 0...TransportLimits.namespacesPerSessionMax { _ = server.namespace("/n\(index)") }
            let main = server.namespace("/")
            main.on("join") { socket, _, acknowledge in
                socket.join((0..<TransportLimits.roomsPerSocketMax + 10).map { "r\($0)" })
                socket.join(String(repeating: "x", count: TransportLimits.roomNameBytesMax + 1))
                acknowledge?.send()
            }
            main.on("ask") { socket, _, _ in
                for _ in 0..<TransportLimits.acksPerSocketMax + 5 {
                    Task {
                        do throws(AcknowledgementError) {
                            _ = try await socket.emitWithAck("q")
                        } catch {
                            if error == .tooManyOutstanding { box.add() }
                        }
                    }
                }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"420["join"]"#)
            #expect(try await socket.text() == "430[]")
            #expect(try await server.shows("kdcube_rooms_refused_total 11"))
            socket.say(#"42["ask"]"#)
            for _ in 0..<TransportLimits.acksPerSocketMax { #expect(try await socket.text().hasPrefix("42")) }
            let deadline = ContinuousClock.now + .seconds(10)
            while box.count < 5, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(2)) }
            #expect(box.count == 5)
            let second = try await server.openWebSocket()
            _ = try await second.text()
            for index in 0..<TransportLimits.namespacesPerSessionMax {
                second.say("40/n\(index)")
                #expect(try await second.text().hasPrefix("40/n\(index),"))
            }
            second.say("40/n\(TransportLimits.namespacesPerSessionMax)")
            #expect(try await second.closes())
        }
    }

    // MARK: Feeds

    @Test("A feed's slow reader costs bounded memory and loses nothing") func slowFeed() async throws {
        // 20 MB: more than the kernel buffers of both ends.
        let total = 20_000
        let source = CountingSource(total: total)
        try await serve(queueBytesMax: 256 * 1024) { main in
            main.onConnect { socket in socket.openFeed(source).signal() }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            try await socket.channel.setOption(.autoRead, value: false).get()
            // The reader stands still: the source is read until the queues are full, and no further.
            var read = -1
            while read != source.position {
                read = source.position
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(read < total)
            try await socket.channel.setOption(.autoRead, value: true).get()
            for index in 0..<total {
                let text = try await socket.text()
                guard text == "42[\"n\",\(CountingSource.payload(index))]" else {
                    Issue.record("\(text) instead of \(index)")
                    break
                }
            }
            #expect(try await server.shows("kdcube_slow_consumers_total 0"))
        }
    }

    @Test("A feed goes on at once after an upgrade to a connection of another loop", arguments: [0, 1])
    func upgradedFeed(_ spare: Int) async throws {
        let source = CountingSource(total: 3)
        try await serve(loops: 2) { main in
            main.on("feed") { socket, _, _ in
                let feed = socket.openFeed(source)
                Task {
                    // The upgrade is over by then, and nothing else was written since.
                    try? await Task.sleep(for: .milliseconds(300))
                    feed.signal()
                }
            }
        } _: { server in
            // Connections go to the loops in turns.
            for _ in 0..<spare { _ = try await server.connect() }
            let sid = try await server.openPolling()
            _ = try await server.post(sid, "40")
            _ = try await server.poll(sid)
            let socket = try await server.probe(sid)
            #expect(try await server.post(sid, #"42["feed"]"#).status == 200)
            _ = try await server.poll(sid)
            socket.say("5")
            for index in 0..<3 { #expect(try await socket.text() == "42[\"n\",\(CountingSource.payload(index))]") }
        }
    }

    @Test("A feed works over polling too, and wakes with a signal") func pollingFeed() async throws {
        let source = CountingSource(total: 3)
        try await serve { main in
            main.onConnect { socket in socket.openFeed(source).signal() }
        } _: { server in
            let sid = try await server.openPolling()
            _ = try await server.post(sid, "40")
            var packets: [Substring] = []
            while packets.count < 4 { packets += try await server.poll(sid).body.split(separator: "\u{1E}") }
            #expect(packets.dropFirst().map(String.init) == (0..<3).map { "42[\"n\",\(CountingSource.payload($0))]" })
        }
    }
}

private final class ErrorCount: Sendable {
    private let value = Atomic<Int>(0)

    func add() { value.add(1, ordering: .relaxed) }
    var count: Int { value.load(ordering: .relaxed) }
}

/// Counts from zero, one event a number.
private final class CountingSource: FeedSource {
    private let total: Int
    private let next = Atomic<Int>(0)

    init(total: Int) {
        self.total = total
    }

    static func payload(_ index: Int) -> String { "{\"n\":\(index),\"text\":\"\(String(repeating: "x", count: 1_000))\"}" }

    var position: Int { next.load(ordering: .relaxed) }

    func read(into writer: inout FeedWriter) -> FeedState {
        while position < total {
            if writer.isFull { return .more }
            writer.emit(event: "n", json: Array(Self.payload(next.add(1, ordering: .relaxed).oldValue).utf8))
        }
        return .finished
    }
}
