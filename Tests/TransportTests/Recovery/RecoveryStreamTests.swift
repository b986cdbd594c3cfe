import JSON
import Synchronization
import Testing
import Transport

/// Recovery at another server than the one that was lost, over a stream in memory (R1–R8, §3.5). Needs nothing but loopback.
@Suite("Socket.IO recovery: several servers", .timeLimit(.minutes(1))) struct RecoveryStreamTests {
    private struct Person: RecoveryIdentity {
        let recoveryIdentity: String
    }

    private struct World: Sendable {
        let stream: MemoryStream
        let one: TestServer
        let two: TestServer
        let main: Shared<Namespace>
        let other: Shared<Namespace>
        let last: Shared<Socket>

        /// A client in the room `team` of the first server that has been told where it is.
        func client(_ auth: JSONValue = ["token": "ada"]) async throws -> RecoveringClient {
            let client = RecoveringClient(one, auth: auth)
            try await client.connect()
            _ = try await client.packet()
            await client.say(#"420["join","team"]"#)
            #expect(try await client.packet() == "430[]")
            return client
        }

        func lose(_ client: RecoveringClient) async throws {
            await client.drop()
            #expect(try await one.shows("kdcube_sockets 0"))
        }
    }

    private func two(
        skipMiddlewares: Bool = false, _ ends: Shared<Reasons>? = nil, _ body: @escaping @Sendable (World) async throws -> Void
    ) async throws {
        let stream = MemoryStream()
        let policy = try RecoveryPolicy(skipMiddlewares: skipMiddlewares)
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(30), pingTimeout: .seconds(20), origins: .any, recovery: policy)
        let (main, other, last) = (Shared<Namespace>(), Shared<Namespace>(), Shared<Socket>())
        @Sendable func serve(_ server: SocketIOServer, _ shared: Shared<Namespace>) {
            let namespace = server.namespace("/")
            shared.set(namespace)
            namespace.use { handshake throws(ConnectRefusal) in
                guard let token = handshake.auth["token"]?.stringValue else { throw ConnectRefusal(message: "no") }
                return Person(recoveryIdentity: token)
            }
            RecoveryTests.serve(namespace, last)
            namespace.onConnect { socket in
                last.set(socket)
                socket.onDisconnect { reason in ends?.value?.add(reason.rawValue) }
            }
        }
        try await TestServer.socketIO(configuration, loops: 2, cluster: stream.end()) {
            serve($0, main)
        } _: { one in
            try await TestServer.socketIO(configuration, cluster: stream.end()) {
                serve($0, other)
            } _: { two in
                try await body(World(stream: stream, one: one, two: two, main: main, other: other, last: last))
            }
        }
    }

    final class Reasons: Sendable {
        private let stored = Mutex<[String]>([])
        var all: [String] { stored.withLock { $0 } }
        func add(_ text: String) { stored.withLock { $0.append(text) } }
    }

    @Test("R2, R3: the old id, rooms and data at another server, and what was missed once and in its order") func elsewhere() async throws {
        try await two { world in
            let client = try await world.client()
            let id = await client.id
            await client.say(#"421["set","Ada"]"#)
            #expect(try await client.packet() == "431[]")
            world.other.value?.emit("first", [1])
            #expect(try await client.event() == ["first", 1])
            let old = try #require(world.last.value)
            try await world.lose(client)
            world.main.value?.to("team").emit("second", ["a"])
            world.other.value?.except("team").emit("never")
            world.other.value?.volatile.emit("never")
            world.other.value?.local.emit("never")
            old.emit("third", [3])
            await client.turn(to: world.two)
            #expect(try await client.connect() == [["second", "a"], ["third", 3]])
            let (recovered, found) = await (client.recovered, client.id)
            #expect(recovered && found == id)
            let socket = try #require(world.last.value)
            #expect(socket !== old && socket.recovered && JSONValue.object(socket.data) == ["name": "Ada"])
            #expect((socket.context as? Person)?.recoveryIdentity == "ada")
            #expect(Set(await socket.rooms()) == [id, "team"])
            // The old face of the socket still reaches the client.
            old.emit("fourth", [4])
            world.main.value?.emit("fifth", [5], to: ["team"])
            #expect(try await client.event() == ["fourth", 4])
            #expect(try await client.event() == ["fifth", 5])
            let offsets = await client.offsets
            #expect(offsets == offsets.sorted() && offsets.allSatisfy { $0.utf8.count == 22 })
            #expect(try await world.two.recoveries("recovered", 1))
            // And back, with nothing seen of what is sent again.
            await client.drop()
            #expect(try await world.two.shows("kdcube_sockets 0"))
            world.main.value?.emit("sixth", [6], to: ["team"])
            await client.turn(to: world.one)
            let offset = await client.offset
            #expect(try await client.connect() == [["sixth", 6]])
            await client.drop()
            #expect(try await world.one.shows("kdcube_sockets 0"))
            await client.forge(offset: offset)
            #expect(try await client.connect() == [["sixth", 6]])
        }
    }

    @Test("R6: a server that believes to have the socket ends it and does not keep it, and its application hears of it once")
    func takenOver() async throws {
        let ends = Shared<Reasons>()
        ends.set(Reasons())
        try await two(ends) { world in
            let client = try await world.client()
            for round: Int64 in 1...6 {
                let abandoned = await client.abandon()
                world.main.value?.emit("missed", [.integer(round)], to: ["team"])
                await client.turn(to: round % 2 == 0 ? world.one : world.two)
                #expect(try await client.connect() == [["missed", .integer(round)]])
                #expect(await client.recovered)
                #expect(await eventually { ends.value?.all.count == Int(round) })
                abandoned?.close()
            }
            #expect(ends.value?.all == Array(repeating: "transport close", count: 6))
            #expect(try await world.one.shows("kdcube_sockets 1"))
            #expect(try await world.two.shows("kdcube_sockets 0"))
            #expect(await eventually { world.stream.sessionCount == 1 })
        }
    }

    @Test("another's pid needs the other's credential at every server, and the owner loses nothing", arguments: [true, false])
    func identity(_ isAway: Bool) async throws {
        try await two { world in
            let client = try await world.client()
            let id = await client.id
            if isAway { try await world.lose(client) }
            for server in [world.one, world.two] {
                let thief = RecoveringClient(server, auth: ["token": "eve"])
                await thief.forge(pid: await client.pid, offset: await client.offset)
                #expect(try await thief.connect() == [])
                let isTaken = await thief.id == id
                #expect(!isTaken)
                #expect(try await server.recoveries("identity", 1))
            }
            world.other.value?.emit("secret", [1], to: [id])
            if isAway {
                await client.turn(to: world.two)
                #expect(try await client.connect() == [["secret", 1]])
            } else {
                #expect(try await client.event() == ["secret", 1])
            }
        }
    }

    @Test("a socket that Node.js has kept comes back only where identities are not compared", arguments: [true, false])
    func foreign(_ skipMiddlewares: Bool) async throws {
        try await two(skipMiddlewares: skipMiddlewares) { world in
            let client = try await world.client()
            try await world.lose(client)
            let pid = try #require(SessionID(await client.pid?.stringValue ?? ""))
            #expect(await eventually { world.stream.session(pid) != nil })
            let kept = try #require(world.stream.session(pid))
            world.stream.put(
                RecoverySession(
                    id: kept.id, pid: pid,
                    rooms: [.init(name: String(describing: kept.id), since: .start), .init(name: "club", since: .start)],
                    data: JSONObject([("from", "node")]), details: nil))
            world.main.value?.emit("news", [], to: ["club"])
            await client.turn(to: world.two)
            #expect(try await client.connect() == (skipMiddlewares ? [["news"]] : []))
            #expect(await client.recovered == skipMiddlewares)
            #expect(world.last.value.map { JSONValue.object($0.data) } == (skipMiddlewares ? ["from": "node"] : [:]))
            // The middlewares are asked also where they need not agree: what they made is elsewhere.
            await client.drop()
            await client.turn(to: world.one, auth: [:])
            await #expect(throws: (any Error).self) { try await client.connect() }
        }
    }

    @Test("what was done to the sockets of a room is done to one that was away") func commands() async throws {
        try await two { world in
            let client = try await world.client()
            try await world.lose(client)
            let other = try #require(world.other.value)
            other.emit("before", [], to: ["crew"])
            other.in("team").socketsJoin("crew")
            other.in("crew").socketsLeave("team")
            for room in ["team", "crew"] { other.emit(room, [], to: [room]) }
            await client.turn(to: world.two)
            #expect(try await client.connect() == [["crew"]])
            await client.drop()
            #expect(try await world.two.shows("kdcube_sockets 0"))
            world.main.value?.in("crew").disconnectSockets()
            await client.turn(to: world.one)
            #expect(try await client.connect() == [])
            #expect(await client.recovered == false)
            #expect(try await world.one.recoveries("unknown_socket", 1))
        }
    }

    @Test("disconnected while it is away, or at the other server, by its old face") func disconnected() async throws {
        try await two { world in
            let client = try await world.client()
            let old = try #require(world.last.value)
            try await world.lose(client)
            await client.turn(to: world.two)
            try await client.connect()
            old.disconnect()
            #expect(try await world.two.shows("kdcube_sockets 0"))
            #expect(await eventually { world.stream.sessionCount == 0 })
        }
    }

    @Test("without the stream events reach those who are here, nobody comes back, and a gap is no hole") func away() async throws {
        try await two { world in
            let client = try await world.client()
            world.stream.isAway = true
            world.main.value?.emit("here", [1])
            #expect(try await client.event() == ["here", 1])
            let meanwhile = RecoveringClient(world.one, auth: ["token": "bo"])
            try await meanwhile.connect()
            #expect(await meanwhile.pid == nil)
            await client.drop()
            await client.turn(to: world.two)
            let (pid, offset) = (await client.pid, await client.offset)
            #expect(try await client.connect() == [])
            #expect(await client.recovered == false)
            #expect(try await world.two.recoveries("unavailable", 1))
            world.stream.isAway = false
            world.stream.add { .gap($0) }
            await client.forge(pid: pid, offset: offset)
            await client.drop()
            #expect(try await client.connect() == [])
            #expect(await client.recovered == false)
            #expect(try await world.two.recoveries("offset_unknown", 1))
            #expect(try await world.two.shows("kdcube_recovery_gaps_total 1"))
            // A new one has it all again.
            _ = try await client.packet()
            await client.drop()
            #expect(try await world.two.shows("kdcube_sockets 0"))
            world.main.value?.emit("again", [2])
            await client.turn(to: world.one)
            #expect(try await client.connect() == [["again", 2]])
        }
    }

    @Test("an offset that nobody has given, or of one server's form, is a new socket") func offsets() async throws {
        try await two { world in
            for offset in ["9999999999999-00000000", "1700000000000042", "x", "-"] as [JSONValue] {
                let client = try await world.client()
                try await world.lose(client)
                await client.forge(offset: offset)
                await client.turn(to: world.two)
                #expect(try await client.connect() == [])
                #expect(await client.recovered == false)
            }
            #expect(try await world.two.recoveries("offset_unknown", 4))
        }
    }
}
