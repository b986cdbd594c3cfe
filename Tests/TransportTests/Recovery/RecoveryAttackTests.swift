import JSON
import Synchronization
import Telemetry
import Testing
import Transport

/// What strangers may try with a `pid`, and many at once. Needs nothing but loopback.
@Suite("Socket.IO recovery: attacks", .timeLimit(.minutes(1))) struct RecoveryAttackTests {
    /// Who connects is who the token says.
    private struct Person: RecoveryIdentity {
        let recoveryIdentity: String
    }

    private static func judge(_ namespace: Namespace, _ last: Shared<Socket>? = nil) {
        namespace.use { handshake throws(ConnectRefusal) in
            guard let token = handshake.auth["token"]?.stringValue else { throw ConnectRefusal(message: "no") }
            return Person(recoveryIdentity: token)
        }
        namespace.onConnect { socket in last?.set(socket) }
    }

    @Test("a pid or an offset of any kind and length is a new socket, and nothing else happens") func malformed() async throws {
        let hostile: [(JSONValue, JSONValue?)] = [
            (1, nil), ([], []), ([:], [:]), (true, false), ("", ""), ("x", "y"), (.string(String(repeating: "A", count: 20)), "x"),
            (.string(String(repeating: "A", count: 100_000)), .string(String(repeating: "1", count: 100_000))),
            (.string(String(repeating: "\u{0}", count: 20)), nil), (["__proto__": 1], ["$gt": ""]),
        ]
        try await TestServer.recovering {
            _ = $0.namespace("/")
        } _: { server in
            for (pid, offset) in hostile {
                let client = RecoveringClient(server)
                await client.forge(pid: pid, offset: offset)
                #expect(try await client.connect() == [])
                #expect(await client.recovered == false)
                await client.drop()
            }
            // One of them has the form of a `pid`, with an offset that has none.
            #expect(try await server.recoveries("offset_unknown", 1))
            #expect(try await server.recoveries("unknown_socket", hostile.count - 1))

            let client = RecoveringClient(server)
            try await client.connect()
            for offset in [1, [], "9999999999999999", "x", "000000000000000"] as [JSONValue] {
                await client.forge(offset: offset)
                await client.drop()
                #expect(try await client.connect() == [])
                #expect(await client.recovered == false)
            }
            #expect(try await server.recoveries("offset_unknown", 6))
        }
    }

    @Test("a pid is good in its namespace alone") func otherNamespace() async throws {
        try await TestServer.recovering { server in
            for name in ["/", "/admin"] { _ = server.namespace(name) }
        } _: { server in
            let client = RecoveringClient(server)
            try await client.connect()
            _ = try await client.packet()
            let other = RecoveringClient(server, namespace: "/admin")
            await other.forge(pid: await client.pid, offset: await client.offset)
            #expect(try await other.connect() == [])
            let isTaken = await other.id == client.id
            #expect(!isTaken)
            #expect(await other.recovered == false)
            #expect(try await server.recoveries("unknown_socket", 1))
            await client.drop()
            try await client.connect()
            #expect(await client.recovered)
        }
    }

    @Test("another's pid needs the other's credential: nothing is shown, and the owner loses nothing", arguments: [true, false])
    func otherIdentity(_ isAway: Bool) async throws {
        let main = Shared<Namespace>()
        try await TestServer.recovering(loops: 2, skipMiddlewares: false) { server in
            Self.judge(server.namespace("/"))
            main.set(server.namespace("/"))
        } _: { server in
            let owner = RecoveringClient(server, auth: ["token": "ada"])
            try await owner.connect()
            _ = try await owner.packet()
            let id = await owner.id
            if isAway {
                await owner.drop()
                #expect(try await server.shows("kdcube_sockets 0"))
            }
            main.value?.emit("secret", [1], to: [id])
            let thief = RecoveringClient(server, auth: ["token": "eve"])
            await thief.forge(pid: await owner.pid, offset: await owner.offset)
            #expect(try await thief.connect() == [])
            #expect(await thief.id != id)
            #expect(try await server.recoveries("identity", 1))

            // Without any credential it is refused like everybody.
            let connection = try await server.openWebSocket()
            _ = try await connection.text()
            connection.say("40{\"pid\":\"\(await owner.pid?.stringValue ?? "")\"}")
            #expect(try await connection.text() == #"44{"message":"no"}"#)

            if isAway {
                #expect(try await owner.connect() == [["secret", 1]])
                #expect(await owner.recovered)
            } else {
                #expect(try await owner.event() == ["secret", 1])
            }
        }
    }

    @Test("R1: middlewares are skipped for one that comes back and for nobody else") func skipped() async throws {
        let last = Shared<Socket>()
        let clock = StandingClock()
        try await TestServer.recovering(clock: clock) { server in
            Self.judge(server.namespace("/"), last)
        } _: { server in
            let client = RecoveringClient(server, auth: ["token": "ada"])
            try await client.connect()
            _ = try await client.packet()
            await client.drop()
            #expect(try await server.shows("kdcube_sockets 0"))
            let pid = await client.pid
            let again = RecoveringClient(server)
            await again.forge(pid: pid, offset: await client.offset)
            #expect(try await again.connect() == [])
            #expect((last.value?.context as? Person)?.recoveryIdentity == "ada")
            await again.drop()
            #expect(try await server.shows("kdcube_sockets 0"))
            clock.advance(seconds: 200)
            let connection = try await server.openWebSocket()
            _ = try await connection.text()
            connection.say("40{\"pid\":\"\(pid?.stringValue ?? "")\"}")
            #expect(try await connection.text() == #"44{"message":"no"}"#)
        }
    }

    @Test("the pid is in no handshake, no list of sockets and no log") func secrecy() async throws {
        let log = LogCapture()
        let main = Shared<Namespace>()
        try await TestServer.recovering(logger: log) { server in
            main.set(server.namespace("/"))
        } _: { server in
            let client = RecoveringClient(server, auth: ["name": "Ada"])
            try await client.connect()
            _ = try await client.packet()
            await client.drop()
            try await client.connect()
            #expect(await client.recovered)
            let pid = await client.pid?.stringValue ?? "-"
            let sockets = await main.value?.fetchSockets() ?? []
            #expect(sockets.map(\.handshake.auth) == [["name": "Ada"]])
            #expect(await client.id != pid)
            #expect(!log.text.contains { $0.contains(pid) } && !server.metrics.prometheusText().contains(pid))
        }
    }

    @Test("whatever many threads emit while clients come and go, each gets it once and in one order", arguments: [1, 3])
    func everythingOnce(_ loops: Int) async throws {
        let main = Shared<Namespace>()
        let writers = 4
        let each = 300
        try await TestServer.recovering(loops: loops, eventsMax: 10_000, bytesMax: 8 << 20) { server in
            RecoveryTests.serve(server.namespace("/"))
            main.set(server.namespace("/"))
        } _: { server in
            let namespace = try #require(main.value)
            var clients: [RecoveringClient] = []
            for _ in 0..<4 {
                let client = RecoveringClient(server)
                try await client.connect()
                _ = try await client.packet()
                await client.say(#"420["join","team"]"#)
                #expect(try await client.packet() == "430[]")
                clients.append(client)
            }
            try await withThrowingTaskGroup { group in
                for writer in 0..<writers {
                    group.addTask {
                        for number in 0..<each {
                            namespace.emit("n", [.integer(Int64(writer)), .integer(Int64(number))], to: number % 2 == 0 ? ["team"] : [])
                            if number % 16 == 0 { await Task.yield() }
                        }
                    }
                }
                for (index, client) in clients.enumerated() {
                    group.addTask {
                        var dice = SystemRandomNumberGenerator()
                        var next = Array(repeating: Int64(0), count: writers)
                        var count = 0
                        func check(_ event: JSONValue) throws {
                            let arguments = try #require(event.arrayValue)
                            let writer = Int(try #require(arguments[1].integerValue))
                            #expect(arguments[2].integerValue == next[writer], "client \(index)")
                            next[writer] += 1
                            count += 1
                        }
                        while count < writers * each {
                            if Int.random(in: 0..<60, using: &dice) == 0 {
                                // Sometimes the server knows, sometimes not.
                                if Bool.random(using: &dice) { await client.drop() } else { _ = await client.abandon() }
                                for event in try await client.connect() { try check(event) }
                                guard await client.recovered else { throw TestConnection.Ended() }
                            } else {
                                try check(try await client.event())
                            }
                        }
                        let offsets = await client.offsets
                        #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $0 <= $1 })
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
