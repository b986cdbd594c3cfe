import JSON
import NIOHTTP1
import Synchronization
import Testing
import Transport

/// Dynamic namespaces (S17) and the handshake (S18). Needs nothing but loopback.
@Suite("Socket.IO namespaces", .timeLimit(.minutes(1)))
struct SocketIONamespaceTests {
    private static func pattern(_ text: String, on server: SocketIOServer, max: Int = 10, keepsEmpty: Bool = false) -> DynamicNamespace? {
        do throws(NamespacePatternError) {
            return try server.namespaces(matching: text, keepsEmpty: keepsEmpty, childrenMax: max)
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    private func tries(_ server: TestServer, _ namespace: String, _ auth: String = "") async throws -> String {
        let connection = try await server.openWebSocket()
        _ = try await connection.text()
        connection.say("40\(namespace),\(auth)")
        let answer = try await connection.text()
        connection.close()
        return answer
    }

    @Test("S17: a child inherits the middlewares and handlers of its parent, and is a namespace of its own", arguments: [1, 2])
    func inherits(_ loops: Int) async throws {
        let (made, report) = AsyncStream.makeStream(of: String.self)
        try await TestServer.quiet(loops: loops) { server in
            server.onNewNamespace { namespace in
                report.yield(namespace.name)
                namespace.on("special") { socket, _, _ in socket.emit("special", [.string(socket.namespace.name)]) }
            }
            guard let rooms = Self.pattern("/room-*", on: server) else { return }
            rooms.use { handshake async throws(ConnectRefusal) -> any Sendable in
                guard handshake.auth["token"] != nil else { throw ConnectRefusal(message: "no token") }
                return "context"
            }
            rooms.onConnect { socket in socket.emit("hello", [.string(socket.context as? String ?? "?")]) }
            rooms.on("say") { socket, arguments, _ in socket.namespace.emit("said", arguments) }
            rooms.on("all") { _, _, _ in rooms.emit("all") }
        } _: { server in
            var names = made.makeAsyncIterator()
            let first = try await server.join("/room-1", #"{"token":1}"#)
            #expect(await names.next() == "/room-1")
            #expect(try await first.text() == #"42/room-1,["hello","context"]"#)
            let second = try await server.join("/room-2", #"{"token":1}"#)
            #expect(await names.next() == "/room-2")
            _ = try await second.text()
            first.say(#"42/room-1,["say",1]"#)
            #expect(try await first.text() == #"42/room-1,["said",1]"#)
            second.say(#"42/room-2,["special"]"#)
            // The first thing that the second hears is its own: what is said in one child stays there.
            #expect(try await second.text() == #"42/room-2,["special","/room-2"]"#)
            first.say(#"42/room-1,["all"]"#)
            #expect(try await first.text() == #"42/room-1,["all"]"#)
            #expect(try await second.text() == #"42/room-2,["all"]"#)
            #expect(try await tries(server, "/room-3") == #"44/room-3,{"message":"no token"}"#)
        }
    }

    @Test(
        "S17: a pattern's star stands for one or more characters but a slash",
        arguments: [
            ("/a-*", "/a-1", true), ("/a-*", "/a-", false), ("/a-*", "/a-1/b", false), ("/a-*", "/b-1", false), ("/*/x", "/y/x", true),
            ("/*/x", "/y/z/x", false), ("/*-*", "/a-b", true), ("/*-*", "/a--", true), ("/*-*", "/a-", false), ("/*", "/é", true),
            ("/a*b*c", "/aXbYbZc", true), ("/a*b*c", "/abc", false),
        ])
    func patterns(_ pattern: String, _ name: String, _ isMatched: Bool) async throws {
        try await TestServer.quiet { server in
            _ = Self.pattern(pattern, on: server)
        } _: { server in
            let answer = try await tries(server, name)
            #expect(answer.hasPrefix(isMatched ? "40\(name)," : "44\(name),"))
        }
    }

    @Test("S17: a text that is no pattern is refused", arguments: ["/a", "a-*", "", "/" + String(repeating: "*", count: 255)])
    func badPatterns(_ pattern: String) async throws {
        try await TestServer.quiet { server in
            #expect(throws: NamespacePatternError.self) { try server.namespaces(matching: pattern) }
        } _: { _ in
        }
    }

    @Test("S17: a predicate may take its time, and is asked for every client of a child") func predicate() async throws {
        try await TestServer.quiet { server in
            _ = server.namespaces { name, auth in
                await Task.yield()
                return name.hasPrefix("/team/") && auth["key"]?.stringValue == "k"
            }
        } _: { server in
            #expect(try await tries(server, "/team/a", #"{"key":"x"}"#) == #"44/team/a,{"message":"Invalid namespace"}"#)
            let member = try await server.join("/team/a", #"{"key":"k"}"#)
            // The child is there, and that lets nobody in.
            #expect(try await tries(server, "/team/a") == #"44/team/a,{"message":"Invalid namespace"}"#)
            #expect(try await tries(server, "/other", #"{"key":"k"}"#) == #"44/other,{"message":"Invalid namespace"}"#)
            member.close()
        }
    }

    @Test("S17: an empty child goes with its last socket and after a refusal; unless it is to be kept", arguments: [false, true])
    func cleansUp(_ keepsEmpty: Bool) async throws {
        let parent = Shared<DynamicNamespace>()
        try await TestServer.quiet { server in
            guard let rooms = Self.pattern("/r-*", on: server, keepsEmpty: keepsEmpty) else { return }
            rooms.use { handshake async throws(ConnectRefusal) -> any Sendable in
                if handshake.auth["no"] != nil { throw ConnectRefusal(message: "no") }
                return 1
            }
            parent.set(rooms)
        } _: { server in
            let children = { @Sendable in parent.value?.children.map(\.name).sorted() ?? [] }
            #expect(try await tries(server, "/r-0", #"{"no":1}"#) == #"44/r-0,{"message":"no"}"#)
            #expect(await eventually { children() == (keepsEmpty ? ["/r-0"] : []) })
            let first = try await server.join("/r-1")
            let second = try await server.join("/r-1")
            first.say("41/r-1")
            first.say("40/r-2")
            #expect(try await first.text().hasPrefix("40/r-2,"))
            #expect(children() == (keepsEmpty ? ["/r-0", "/r-1", "/r-2"] : ["/r-1", "/r-2"]))
            second.close()
            #expect(await eventually { children() == (keepsEmpty ? ["/r-0", "/r-1", "/r-2"] : ["/r-2"]) })
            // It comes back like any other.
            let third = try await server.join("/r-1")
            #expect(children().contains("/r-1"))
            third.close()
        }
    }

    @Test("S17, attack 24: beyond the bound no child is made, and a place that is left is free again") func bounded() async throws {
        try await TestServer.quiet { server in
            _ = Self.pattern("/r-*", on: server, max: 2)
        } _: { server in
            let first = try await server.join("/r-1")
            let second = try await server.join("/r-2")
            #expect(try await tries(server, "/r-3") == #"44/r-3,{"message":"Invalid namespace"}"#)
            #expect(try await server.shows("kdcube_socketio_namespaces_refused_total 1"))
            // Those that are there take more clients.
            let other = try await server.join("/r-2")
            first.close()
            #expect(try await server.shows("kdcube_sockets 2"))
            let third = try await server.join("/r-3")
            for connection in [second, other, third] { connection.close() }
        }
    }

    @Test("S17: a client that goes while the predicate is at work leaves no child behind") func abandoned() async throws {
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        let parent = Shared<DynamicNamespace>()
        try await TestServer.quiet { server in
            parent.set(
                server.namespaces { _, _ in
                    ask.yield()
                    for await _ in gate { break }
                    return true
                })
        } _: { server in
            let connection = try await server.openWebSocket()
            _ = try await connection.text()
            connection.say("40/x")
            var questions = asked.makeAsyncIterator()
            _ = await questions.next()
            connection.close()
            #expect(try await server.shows("kdcube_connections 0"))
            open.finish()
            #expect(await eventually { parent.value?.children.isEmpty == true })
            #expect(try await server.shows("kdcube_sockets 0"))
        }
    }

    @Test("S18: the handshake has headers, time, issued, address, secure, xdomain, url, query and auth") func handshake() async throws {
        try await TestServer.quiet { server in
            server.namespace("/").onConnect { socket in
                let shake = socket.handshake
                let query = shake.query.map { JSONValue.string("\($0.name)=\($0.value)") }
                socket.emit(
                    "handshake",
                    [
                        .string(shake.headers.first(name: "X-Test") ?? ""), .string(shake.headers.first(name: "Host") ?? ""),
                        .string(shake.address), .bool(shake.secure), .bool(shake.xdomain), .string(shake.url), .array(query), shake.auth,
                        .bool(shake.issued > 1_600_000_000_000), .bool(shake.time.hasSuffix(" GMT")),
                    ])
            }
        } _: { server in
            for origin in [nil, "Origin: https://elsewhere.example"] {
                let connection = try await server.connect()
                let target = server.base + "&transport=websocket&team=a%20b"
                #expect(try await connection.upgrade(target, ["X-Test: yes"] + (origin.map { [$0] } ?? [])) == 101)
                _ = try await connection.text()
                connection.say(#"40{"token":1}"#)
                _ = try await connection.text()
                #expect(
                    try await connection.text()
                        == #"42["handshake","yes","localhost","127.0.0.1",false,\#(origin != nil),"\#(target)",["team=a b"],{"token":1},true,true]"#
                )
            }
        }
    }
}
