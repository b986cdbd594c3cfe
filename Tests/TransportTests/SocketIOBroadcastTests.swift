import JSON
import Testing
import Transport
import TransportWire

/// Operators, volatile events, broadcasts with answers and commands to many sockets (S20–S24). Needs nothing but loopback.
@Suite("Socket.IO broadcasts", .timeLimit(.minutes(1)))
struct SocketIOBroadcastTests {
    /// Opens sockets that join the rooms that are named for them.
    private func open(_ server: TestServer, _ rooms: [[String]]) async throws -> [TestConnection] {
        var connections: [TestConnection] = []
        for names in rooms {
            let (connection, _) = try await server.openSocket()
            connection.say("420[\"join\",\(names.map { "\"\($0)\"" }.joined(separator: ","))]")
            #expect(try await connection.text() == "430[]")
            connections.append(connection)
        }
        return connections
    }

    private static func letJoin(_ namespace: Namespace) {
        namespace.on("join") { socket, arguments, acknowledge in
            socket.join(arguments.compactMap(\.stringValue))
            acknowledge?()
        }
    }

    @Test("S20: to, in, except, broadcast, local and compress choose who gets it, once each", arguments: [1, 2])
    func operators(_ loops: Int) async throws {
        try await TestServer.quiet(loops: loops) { server in
            let main = server.namespace("/")
            Self.letJoin(main)
            main.on("go") { socket, _, _ in
                let team = main.to("a")
                // An operator is a value: what is made of it leaves it as it was.
                _ = team.to("b").except("c").volatile
                team.emit("1")
                main.in("a", "b").except("c").emit("2")
                socket.broadcast.emit("3")
                socket.to("a", "b").emit("4")
                socket.except("b").emit("5")
                main.to([]).emit("6")
                main.local.compress(false).timeout(.seconds(1)).emit("7")
                socket.compress(true).emit("8")
                main.emit("end")
            }
        } _: { server in
            let sockets = try await open(server, [["a"], ["a", "b"], ["b", "c"], ["d"]])
            sockets[0].say(#"42["go"]"#)
            for (socket, expected) in zip(sockets, [["1", "2", "7", "8"], ["1", "2", "3", "4", "7"], ["3", "4", "7"], ["3", "5", "7"]]) {
                for name in expected + ["end"] { #expect(try await socket.text() == "42[\"\(name)\"]") }
            }
        }
    }

    @Test("S21: while no poll waits only the latest volatile event is kept; others are not touched") func volatilePolling() async throws {
        try await TestServer.quiet { server in
            server.namespace("/").on("go") { socket, _, _ in
                for index in 1...3 { socket.volatile.emit("v", [.integer(Int64(index))]) }
                socket.namespace.volatile.emit("v", [4])
                socket.emit("r", [1])
                socket.emit("r", [2])
            }
        } _: { server in
            let sid = try await server.openPolling()
            _ = try await server.post(sid, "40")
            #expect(try await server.poll(sid).body.hasPrefix("40{"))
            _ = try await server.post(sid, #"42["go"]"#)
            #expect(try await server.poll(sid).body == "42[\"r\",1]\u{1E}42[\"r\",2]")
            #expect(try await server.poll(sid).body == #"42["v",4]"#)
            #expect(try await server.shows("kdcube_socketio_volatile_replaced_total 3"))
        }
    }

    @Test("S21: a WebSocket that cannot take more gets what it took, and the latest") func volatileWebSocket() async throws {
        let last = 1_999
        let padding = JSONValue.string(String(repeating: "x", count: 10_000))
        try await TestServer.quiet { server in
            server.namespace("/").on("go") { socket, _, _ in
                for index in 0...last { socket.volatile.emit("v", [.integer(Int64(index)), padding]) }
                socket.emit("end")
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["go"]"#)
            var indices: [Int64] = []
            var hasEnded = false
            while !hasEnded || indices.last != Int64(last) {
                let packet = try JSONValue(parsing: String(try await socket.text().dropFirst(2)))
                if packet.arrayValue?.first == "end" { hasEnded = true } else { indices.append(packet.arrayValue?[1].integerValue ?? -1) }
            }
            #expect(Array(indices.dropLast()) == (0..<Int64(indices.count - 1)).map { $0 })
            #expect(indices.count < 100)
            #expect(try await server.shows("kdcube_slow_consumers_total 0"))
        }
    }

    @Test("S22: without a time of its own an acknowledgement is waited for as long as the configuration says") func defaultTimeout()
        async throws
    {
        let (errors, report) = AsyncStream.makeStream(of: AcknowledgementError.self)
        try await TestServer.quiet(ackTimeout: .milliseconds(60)) { server in
            server.namespace("/").on("ask") { socket, arguments, _ in
                Task {
                    do throws(AcknowledgementError) {
                        _ =
                            try await arguments.isEmpty
                            ? socket.emitWithAck("question") : socket.timeout(.milliseconds(20)).emitWithAck("question")
                    } catch {
                        report.yield(error)
                    }
                }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            var iterator = errors.makeAsyncIterator()
            for question in [#"42["ask"]"#, #"42["ask",1]"#] {
                socket.say(question)
                #expect(try await socket.text().hasSuffix(#"["question"]"#))
                #expect(await iterator.next() == .timedOut)
            }
            // The answer comes too late and changes nothing.
            socket.say("430[]")
            socket.say(#"42["ask"]"#)
            #expect(try await socket.text() == #"422["question"]"#)
        }
    }

    /// Lets a client make the server ask everybody in a room; what comes of it is reported.
    private static func letAsk(_ namespace: Namespace, _ report: AsyncStream<Result<[JSONValue], IncompleteAnswers>>.Continuation) {
        letJoin(namespace)
        namespace.on("ask") { _, arguments, _ in
            guard let room = arguments.first?.stringValue, let timeout = arguments.last?.integerValue else { return }
            Task {
                do throws(IncompleteAnswers) {
                    report.yield(.success(try await namespace.to(room).timeout(.milliseconds(timeout)).emitWithAck("question", ["?"])))
                } catch {
                    report.yield(.failure(error))
                }
            }
        }
    }

    @Test("S7, S23: a broadcast has one id for all, and ends with the last answer; the first argument of each is kept", arguments: [1, 2])
    func answers(_ loops: Int) async throws {
        let (results, report) = AsyncStream.makeStream(of: Result<[JSONValue], IncompleteAnswers>.self)
        try await TestServer.quiet(loops: loops) { server in
            Self.letAsk(server.namespace("/"), report)
        } _: { server in
            let sockets = try await open(server, [["a"], ["a"], ["a"], ["b"]])
            sockets[0].say(#"42["ask","a",20000]"#)
            for socket in sockets.prefix(3) { #expect(try await socket.text() == #"420["question","?"]"#) }
            // Who was not asked has no say, and nobody has two.
            sockets[3].say(#"430["intruder"]"#)
            sockets[0].say(#"430["first","more"]"#)
            sockets[0].say(#"430["again"]"#)
            sockets[1].say("430[]")
            sockets[2].say(#"430[{"third":3}]"#)
            var iterator = results.makeAsyncIterator()
            let answers = try await iterator.next()?.get() ?? []
            #expect(Set(answers) == ["first", .null, ["third": 3]])
            #expect(answers.count == 3)
            sockets[0].say(#"42["ask","nobody",20000]"#)
            #expect(try await iterator.next()?.get() == [])
        }
    }

    @Test("S23: at the timeout the error has the answers that came and the number of those that did not", arguments: [1, 2])
    func missingAnswers(_ loops: Int) async throws {
        let (results, report) = AsyncStream.makeStream(of: Result<[JSONValue], IncompleteAnswers>.self)
        try await TestServer.quiet(loops: loops) { server in
            Self.letAsk(server.namespace("/"), report)
        } _: { server in
            let sockets = try await open(server, [["a"], ["a"], ["a"]])
            var iterator = results.makeAsyncIterator()
            sockets[0].say(#"42["ask","a",400]"#)
            for socket in sockets { #expect(try await socket.text() == #"420["question","?"]"#) }
            sockets[1].say("430[1]")
            #expect(await iterator.next() == .failure(IncompleteAnswers(.timedOut, answers: [1], missing: 2)))
            // Who leaves is not waited for.
            sockets[0].say(#"42["ask","a",20000]"#)
            for socket in sockets { #expect(try await socket.text() == #"421["question","?"]"#) }
            sockets[0].say("431[0]")
            sockets[1].say("431[0]")
            sockets[2].close()
            #expect(await iterator.next() == .failure(IncompleteAnswers(.disconnected, answers: [0, 0], missing: 1)))
        }
    }

    @Test("S23: broadcasts that wait for answers are bounded, and a place that is left is free again") func boundedBroadcasts() async throws
    {
        let (results, report) = AsyncStream.makeStream(of: Result<[JSONValue], IncompleteAnswers>.self)
        try await TestServer.quiet { server in
            Self.letAsk(server.namespace("/"), report)
        } _: { server in
            let sockets = try await open(server, [["a"]])
            for _ in 0..<TransportLimits.broadcastAcksMax { sockets[0].say(#"42["ask","a",20000]"#) }
            var ids: [String] = []
            for _ in 0..<TransportLimits.broadcastAcksMax {
                ids.append(String(try await sockets[0].text().dropFirst(2).prefix { $0 != "[" }))
            }
            var iterator = results.makeAsyncIterator()
            sockets[0].say(#"42["ask","a",20000]"#)
            #expect(await iterator.next() == .failure(IncompleteAnswers(.tooManyOutstanding)))
            for id in ids { sockets[0].say("43\(id)[1]") }
            for _ in ids { #expect(await iterator.next() == .success([1])) }
            sockets[0].say(#"42["ask","a",20000]"#)
            #expect(try await sockets[0].text().hasPrefix("42"))
        }
    }

    @Test("S23: a broadcast whose task is cancelled ends with what it has") func cancelledBroadcast() async throws {
        let (results, report) = AsyncStream.makeStream(of: IncompleteAnswers.self)
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            let asking = Shared<Task<Void, Never>>()
            main.on("ask") { _, _, _ in
                asking.set(
                    Task {
                        do throws(IncompleteAnswers) { _ = try await main.emitWithAck("question") } catch { report.yield(error) }
                    })
            }
            main.on("cancel") { _, _, _ in asking.value?.cancel() }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["ask"]"#)
            #expect(try await socket.text() == #"420["question"]"#)
            socket.say(#"42["cancel"]"#)
            var iterator = results.makeAsyncIterator()
            #expect(await iterator.next() == IncompleteAnswers(.cancelled, missing: 1))
        }
    }

    @Test("S24: fetchSockets shows id, handshake, rooms and data, and reaches the sockets it found", arguments: [1, 2])
    func fetchSockets(_ loops: Int) async throws {
        let (results, report) = AsyncStream.makeStream(of: [String].self)
        try await TestServer.quiet(loops: loops) { server in
            let main = server.namespace("/")
            Self.letJoin(main)
            main.onConnect { socket in try? socket.setData("name", socket.handshake.auth["name"]) }
            main.on("fetch") { _, arguments, _ in
                let rooms = arguments.compactMap(\.stringValue)
                Task {
                    let found = await main.to(rooms).fetchSockets()
                    report.yield(
                        found.map { socket in
                            let rooms = socket.rooms.first == socket.id ? socket.rooms.dropFirst().joined(separator: " ") : "?"
                            return "\(socket.data["name"]?.stringValue ?? "") \(socket.handshake.address) \(rooms)"
                        }.sorted())
                    for socket in found {
                        socket.emit("found")
                        socket.join("found")
                        socket.leave("a")
                        socket.disconnect()
                    }
                }
            }
        } _: { server in
            var sockets: [TestConnection] = []
            for (name, rooms) in [("ann", #""a","b""#), ("bob", #""a""#), ("cyd", #""c""#)] {
                let (socket, _) = try await server.openSocket(#"{"name":"\#(name)"}"#)
                socket.say("420[\"join\",\(rooms)]")
                _ = try await socket.text()
                sockets.append(socket)
            }
            sockets[2].say(#"42["fetch","a","b"]"#)
            var iterator = results.makeAsyncIterator()
            #expect(await iterator.next() == ["ann 127.0.0.1 a b", "bob 127.0.0.1 a"])
            for socket in sockets.prefix(2) {
                #expect(try await socket.text() == #"42["found"]"#)
                #expect(try await socket.text() == "41")
            }
        }
    }

    @Test("S24: socketsJoin, socketsLeave and disconnectSockets act on whoever is meant", arguments: [1, 2])
    func commands(_ loops: Int) async throws {
        try await TestServer.quiet(loops: loops) { server in
            let main = server.namespace("/")
            Self.letJoin(main)
            main.on("go") { _, _, _ in
                main.in("a").socketsJoin("new", "other")
                main.in("b").socketsLeave("new")
                main.to("new").emit("new")
                main.to("other").emit("other")
                main.in("b").disconnectSockets()
                main.in("c").disconnectSockets(closingSessions: true)
            }
        } _: { server in
            let sockets = try await open(server, [["a"], ["a", "b"], ["c"]])
            sockets[0].say(#"42["go"]"#)
            #expect(try await sockets[0].text() == #"42["new"]"#)
            #expect(try await sockets[0].text() == #"42["other"]"#)
            #expect(try await sockets[1].text() == #"42["other"]"#)
            #expect(try await sockets[1].text() == "41")
            #expect(try await sockets[2].text() == "41")
            #expect(try await sockets[2].closes())
            // A disconnect from the namespace leaves the session.
            sockets[1].say("40")
            #expect(try await sockets[1].text().hasPrefix("40{"))
        }
    }

    @Test("S24: a socket's data is bounded, and what is too large changes nothing") func dataLimit() async throws {
        try await TestServer.quiet { server in
            server.namespace("/").on("set") { socket, arguments, acknowledge in
                let length = Int(arguments.first?.integerValue ?? 0)
                do throws(SocketDataError) {
                    try socket.setData("text", .string(String(repeating: "x", count: length)))
                    acknowledge?("kept", .integer(Int64(socket.data["text"]?.stringValue?.utf8.count ?? -1)))
                } catch {
                    acknowledge?("refused", .integer(Int64(socket.data["text"]?.stringValue?.utf8.count ?? -1)))
                }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            let largest = TransportLimits.socketDataBytesMax - 12
            for (length, answer) in [(largest, "[\"kept\",\(largest)]"), (largest + 1, "[\"refused\",\(largest)]"), (0, #"["kept",0]"#)] {
                socket.say("420[\"set\",\(length)]")
                #expect(try await socket.text() == "430\(answer)")
            }
        }
    }
}
