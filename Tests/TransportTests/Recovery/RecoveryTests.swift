import JSON
import MessagePack
import NIOCore
import Synchronization
import Testing
import Transport
import TransportWire

/// Connection state recovery as a stock client sees it (R1–R8). Needs nothing but loopback.
@Suite("Socket.IO recovery", .timeLimit(.minutes(1))) struct RecoveryTests {
    /// `join` joins rooms; `set` sets data; `say` sends itself what it is told.
    static func serve(_ namespace: Namespace, _ seen: Shared<Socket>? = nil) {
        namespace.onConnect { socket in seen?.set(socket) }
        namespace.on("join") { socket, arguments, acknowledge in
            socket.join(arguments.compactMap(\.stringValue))
            acknowledge?()
        }
        namespace.on("set") { socket, arguments, acknowledge in
            try? socket.setData("name", arguments.first)
            acknowledge?()
        }
    }

    @Test("R1: without the option there is no pid and no offset") func off() async throws {
        try await TestServer.quiet { server in
            server.namespace("/").onConnect { $0.emit("hello", ["x"]) }
        } _: { server in
            let (connection, greeting) = try await server.openSocket(#"{"pid":"AAAAAAAAAAAAAAAAAAAA","offset":"x"}"#)
            #expect(!greeting.contains("pid"))
            #expect(try await connection.text() == #"42["hello","x"]"#)
        }
    }

    @Test("R2, R3: the old id, rooms and data; what was missed comes before the CONNECT packet, once", arguments: [1, 2])
    func recovers(_ loops: Int) async throws {
        let main = Shared<Namespace>()
        let last = Shared<Socket>()
        try await TestServer.recovering(loops: loops) { server in
            Self.serve(server.namespace("/"), last)
            main.set(server.namespace("/"))
        } _: { server in
            let namespace = try #require(main.value)
            let client = RecoveringClient(server)
            #expect(try await client.connect() == [])
            let id = await client.id
            // R8: right after the CONNECT, and before everything else.
            #expect(try await client.packet().hasPrefix(#"42["kdcube_offset","1"#))
            await client.say(#"420["join","team","other"]"#)
            #expect(try await client.packet() == "430[]")
            await client.say(#"421["set","Ada"]"#)
            #expect(try await client.packet() == "431[]")
            namespace.emit("first", [1])
            #expect(try await client.event() == ["first", 1])
            let socket = try #require(last.value)
            await client.drop()
            #expect(try await server.shows("kdcube_sockets 0"))

            namespace.to("team", "other").emit("second", ["a", .bytes([1, 2])])
            namespace.except("team").emit("never", [])
            namespace.to("elsewhere").emit("never", [])
            namespace.volatile.emit("never", [])
            socket.emit("third", [3])
            namespace.emit("fourth", [4])

            let missed = try await client.connect()
            #expect(missed == [["third", 3], ["fourth", 4]], "the binary one is read below")
            let greeting = await client.greeting
            #expect(greeting.count == 4 && greeting[0].hasPrefix(#"451-["second","a",{"_placeholder":true,"num":0},"1"#))
            #expect(await client.recovered)
            #expect(await client.id == id)
            let again = try #require(last.value)
            #expect(again !== socket && again.recovered && !socket.recovered && JSONValue.object(again.data) == ["name": "Ada"])
            #expect(Set(await again.rooms()) == [id, "team", "other"])
            // The old face of the socket still reaches the client.
            socket.emit("fifth", [5])
            namespace.to("team").emit("sixth", [6])
            #expect(try await client.event() == ["fifth", 5])
            #expect(try await client.event() == ["sixth", 6])
            await client.drop()
            #expect(try await client.connect() == [])
            #expect(await client.recovered)
            #expect(try await server.recoveries("recovered", 2))
        }
    }

    @Test("R6, #4733: a client that has seen no event, or not even the first offset, recovers") func beforeTheFirstEvent() async throws {
        let main = Shared<Namespace>()
        try await TestServer.recovering { server in
            main.set(server.namespace("/"))
        } _: { server in
            let namespace = try #require(main.value)
            namespace.emit("before", [])
            for seesOffset in [true, false] {
                let client = RecoveringClient(server)
                try await client.connect()
                _ = try await client.packet()
                if !seesOffset { await client.forgetOffset() }
                await client.drop()
                #expect(try await server.shows("kdcube_sockets 0"))
                namespace.emit("missed", [])
                #expect(try await client.connect() == [["missed"]])
                #expect(await client.recovered)
                await client.drop()
                #expect(try await server.shows("kdcube_sockets 0"))
            }
        }
    }

    @Test("R7: volatile events carry the current offset; one that waited carries that of the time at which it leaves") func volatile()
        async throws
    {
        try await TestServer.recovering { server in
            server.namespace("/").on("go") { socket, _, _ in
                socket.emit("kept", [1])
                socket.volatile.emit("status", ["online"])
                socket.emit("kept", [2])
                socket.emit("kept", [3])
            }
            server.namespace("/").on("status") { socket, _, _ in socket.volatile.emit("status", ["online"]) }
        } _: { server in
            // On polling nothing can be taken while no poll waits.
            let sid = try await server.openPolling()
            _ = try await server.post(sid, "40")
            _ = try await server.poll(sid)
            _ = try await server.post(sid, #"42["go"]"#)
            let first = try await server.poll(sid).body.split(separator: "\u{1E}").map(String.init)
            #expect(first.count == 3 && first[2].hasPrefix(#"42["kept",3,"#))
            let offset = first[2].dropFirst(#"42["kept",3,"#.count)
            #expect(try await server.poll(sid).body == "42[\"status\",\"online\",\(offset)")

            let client = RecoveringClient(server)
            try await client.connect()
            _ = try await client.packet()
            await client.emit(#"["status"]"#)
            #expect(try await client.event() == ["status", "online"])
            #expect(Set(await client.offsets).count == 1, "it is the offset that the client has")
            await client.drop()
            try await client.connect()
            #expect(await client.recovered)
        }
    }

    @Test("R2, R7: acknowledgements carry none, and a feed's text is followed by one") func others() async throws {
        final class Text: FeedSource {
            func read(into writer: inout FeedWriter) -> FeedState {
                writer.emit(event: "text", json: Array(#""like an offset""#.utf8))
                writer.emit(event: "object", json: Array(#"{"a":1}"#.utf8))
                return .finished
            }
        }
        try await TestServer.recovering { server in
            server.namespace("/").on("go") { socket, _, _ in
                socket.openFeed(Text()).signal()
                Task { _ = try? await socket.emitWithAck("ask", ["text"]) }
            }
        } _: { server in
            let client = RecoveringClient(server)
            try await client.connect()
            _ = try await client.packet()
            await client.emit(#"["go"]"#)
            var packets: Set<String> = []
            for _ in 0..<3 { packets.insert(try await client.packet()) }
            let offset = await client.offset?.stringValue ?? ""
            #expect(packets == [#"420["ask","text"]"#, #"42["object",{"a":1}]"#, "42[\"text\",\"like an offset\",\"\(offset)\"]"])
            await client.drop()
            try await client.connect()
            #expect(await client.recovered)
        }
    }

    @Test("R8, #5282: an idle client is told its offset before it is forgotten") func idle() async throws {
        let main = Shared<Namespace>()
        let clock = StandingClock()
        try await TestServer.recovering(duration: .milliseconds(100), eventsMax: 5, clock: clock) { server in
            Self.serve(server.namespace("/"))
            main.set(server.namespace("/"))
        } _: { server in
            let client = RecoveringClient(server)
            try await client.connect()
            _ = try await client.packet()
            await client.say(#"420["join","mine"]"#)
            #expect(try await client.packet() == "430[]")
            let first = await client.offset
            // Long enough that everything before is forgotten.
            clock.advance(seconds: 1_000)
            for index: Int64 in 1...20 { main.value?.emit("elsewhere", [.integer(index)], to: ["other"]) }
            while await client.offset == first { #expect(try await client.packet().hasPrefix(#"42["kdcube_offset","#)) }
            main.value?.emit("elsewhere", [], to: ["other"])
            await client.drop()
            #expect(try await server.shows("kdcube_sockets 0"))
            main.value?.emit("mine", [1], to: ["mine"])
            #expect(try await client.connect() == [["mine", 1]])
            #expect(await client.recovered)
        }
    }

    @Test("R6, streams #26: a client is back before its old connection was found out", arguments: [1, 2, 3]) func takeOver(
        _ loops: Int
    )
        async throws
    {
        let ends = Mutex<[String]>([])
        let main = Shared<Namespace>()
        try await TestServer.recovering(loops: loops) { server in
            let namespace = server.namespace("/")
            Self.serve(namespace)
            main.set(namespace)
            namespace.onConnect { socket in
                ends.withLock { $0.append("connect") }
                socket.onDisconnect { reason in ends.withLock { $0.append(reason.rawValue) } }
            }
        } _: { server in
            let client = RecoveringClient(server)
            try await client.connect()
            _ = try await client.packet()
            await client.say(#"420["join","team"]"#)
            #expect(try await client.packet() == "430[]")
            var old: [TestConnection?] = []
            for index: Int64 in 1...6 {
                old.append(await client.abandon())
                // Delivered to the old connection, and not seen.
                main.value?.emit("missed", [.integer(index)], to: ["team"])
                #expect(try await client.connect() == [["missed", .integer(index)]])
                #expect(await client.recovered)
            }
            #expect(ends.withLock { $0 } == ["connect"] + Array(repeating: ["transport close", "connect"], count: 6).flatMap { $0 })
            #expect(try await server.shows("kdcube_sockets 1"))
            for connection in old { connection?.close() }
        }
    }

    @Test("R3: beyond its time, and beyond what is kept, the client silently gets a new socket; each cause is counted") func causes()
        async throws
    {
        let clock = StandingClock()
        let main = Shared<Namespace>()
        try await TestServer.recovering(eventsMax: 5, queueBytesMax: 8_192, clock: clock) { server in
            main.set(server.namespace("/"))
        } _: {
            server in
            func away(_ meanwhile: () -> Void) async throws -> RecoveringClient {
                let client = RecoveringClient(server)
                try await client.connect()
                _ = try await client.packet()
                await client.drop()
                #expect(try await server.shows("kdcube_sockets 0"))
                meanwhile()
                #expect(try await client.connect() == [])
                #expect(await client.recovered == false)
                await client.drop()
                #expect(try await server.shows("kdcube_sockets 0"))
                return client
            }
            _ = try await away { clock.advance(seconds: 120) }
            #expect(try await server.recoveries("expired", 1))
            _ = try await away { for _ in 0..<6 { main.value?.emit("many") } }
            #expect(try await server.recoveries("offset_unknown", 1))
            _ = try await away { main.value?.emit("big", [.string(String(repeating: "x", count: 5_000))]) }
            #expect(try await server.recoveries("too_much", 1))
            _ = try await away { clock.advance(seconds: 1_000) }
            #expect(try await server.recoveries("unknown_socket", 0))
        }
    }

    @Test("a room is for those who are in it: not what came before they joined, nor what came after they were put out") func rooms()
        async throws
    {
        let main = Shared<Namespace>()
        try await TestServer.recovering { server in
            Self.serve(server.namespace("/"))
            main.set(server.namespace("/"))
        } _: { server in
            let client = RecoveringClient(server)
            try await client.connect()
            _ = try await client.packet()
            main.value?.emit("before", [], to: ["team"])
            await client.say(#"420["join","team","club"]"#)
            #expect(try await client.packet() == "430[]")
            await client.drop()
            #expect(try await server.shows("kdcube_sockets 0"))
            main.value?.to("club").socketsLeave("team")
            main.value?.emit("after", [], to: ["team"])
            main.value?.emit("club", [], to: ["club"])
            #expect(try await client.connect() == [["club"]])
            main.value?.emit("after", [], to: ["team"])
            main.value?.emit("end", [])
            #expect(try await client.event() == ["end"])
        }
    }

    @Test("what a client has not seen before it is lost a second time comes again, from its rooms too") func twice() async throws {
        let main = Shared<Namespace>()
        try await TestServer.recovering { server in
            Self.serve(server.namespace("/"))
            main.set(server.namespace("/"))
        } _: { server in
            let client = RecoveringClient(server)
            try await client.connect()
            _ = try await client.packet()
            await client.say(#"420["join","team"]"#)
            #expect(try await client.packet() == "430[]")
            let offset = try #require(await client.offset)
            await client.drop()
            #expect(try await server.shows("kdcube_sockets 0"))
            main.value?.emit("missed", [1], to: ["team"])
            #expect(try await client.connect() == [["missed", 1]])
            await client.drop()
            #expect(try await server.shows("kdcube_sockets 0"))
            // Written by the server, and never seen.
            await client.forge(offset: offset)
            #expect(try await client.connect() == [["missed", 1]])
            #expect(await client.recovered)
        }
    }

    @Test("L5: a client of Socket.IO 2 gets broadcasts as they are, without an offset") func revision3() async throws {
        let main = Shared<Namespace>()
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(30), origins: .any, allowEIO3: true, recovery: RecoveryPolicy())
        try await TestServer.socketIO(configuration) { server in
            main.set(server.namespace("/"))
        } _: { server in
            let old = try await server.old.openWebSocket()
            let client = RecoveringClient(server)
            try await client.connect()
            while try await old.text() != "40" {}
            main.value?.emit("news", ["text"])
            main.value?.volatile.emit("status", ["online"])
            #expect(try await old.text() == #"42["news","text"]"#)
            #expect(try await old.text() == #"42["status","online"]"#)
            #expect(try await client.event() == ["news", "text"])
        }
    }

    @Test("S17: a child of a dynamic namespace that everybody has left is recovered, too", arguments: [true, false])
    func dynamic(_ skipMiddlewares: Bool) async throws {
        try await TestServer.recovering(skipMiddlewares: skipMiddlewares) { server in
            let children = try? server.namespaces(matching: "/room-*")
            children?.use { _ throws(ConnectRefusal) in "context" }
            children?.onConnect { socket in socket.emit("context", [.string(socket.context as? String ?? "none")]) }
        } _: { server in
            let client = RecoveringClient(server, namespace: "/room-1")
            try await client.connect()
            #expect(try await client.event() == ["context", "context"])
            await client.drop()
            #expect(try await server.shows("kdcube_sockets 0"))
            #expect(try await client.connect() == [])
            #expect(await client.recovered)
            #expect(try await client.event() == ["context", "context"])
        }
    }

    @Test("S9: the MessagePack parser's frames carry offsets, too") func packedEvents() async throws {
        let policy = try RecoveryPolicy()
        let configuration = try TransportConfiguration(origins: .any, parser: .msgpack, recovery: policy)
        let names = [
            "/", "/" + String(repeating: "n", count: 30), "/" + String(repeating: "n", count: 31), "/" + String(repeating: "n", count: 199),
        ]
        try await TestServer.socketIO(configuration) { server in
            for name in names { _ = server.namespace(name) }
        } _: { server in
            for name in names {
                let connection = try await server.openWebSocket()
                _ = try await connection.text()
                connection.send(frame: .binary, packed(["type": 0, "nsp": .string(name)]))
                #expect(try unpacked(await connection.event())["data"]?["pid"]?.stringValue?.utf8.count == 20)
                let announcement = try unpacked(await connection.event())
                #expect(announcement["nsp"] == .string(name))
                let arguments = announcement["data"]?.arrayValue ?? []
                #expect(arguments.first == "kdcube_offset" && arguments.last?.stringValue?.hasPrefix("1") == true)
                #expect(arguments.last?.stringValue?.utf8.count == 16)
            }
        }
    }
}

private func packed(_ value: JSONValue) -> ByteBuffer { ByteBuffer(bytes: MessagePackWriter.bytes(of: value)) }

private func unpacked(_ event: WebSocketEvent?) throws -> JSONValue {
    guard case .binary(let message)? = event else { throw TestConnection.Ended() }
    let packet = try MessagePackPackets.decode(message)
    return ["nsp": .string(packet.namespace), "data": packet.data ?? .null]
}
