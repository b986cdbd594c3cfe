import JSON
import Testing
import Transport
import TransportWire

/// What happens to events between the wire and the handlers (S2, S3, S6, S16, S18, S19). Needs nothing but loopback.
@Suite("Socket.IO events", .timeLimit(.minutes(1)))
struct SocketIOEventTests {
    @Test("S18: who hears of everything comes first, then middlewares, then the namespace's handler, then the socket's")
    func order() async throws {
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.onAny { socket, name, arguments in socket.emit("1 any", [.string(name)] + arguments) }
            main.useEvents { socket, event throws(EventRefusal) in
                socket.emit("3 middleware", event.arguments)
                event.arguments.append("more")
            }
            main.on("x") { socket, arguments, _ in socket.emit("5 handler", arguments) }
            main.onConnect { socket in
                socket.onAny { socket, _, arguments in socket.emit("2 own any", arguments) }
                socket.use { socket, event throws(EventRefusal) in socket.emit("4 own middleware", event.arguments) }
                socket.on("x") { socket, arguments, acknowledge in
                    socket.emit("6 own handler", arguments)
                    acknowledge?("done")
                }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"427["x",1]"#)
            var heard: [String] = []
            for _ in 0..<7 { heard.append(try await socket.text()) }
            #expect(
                heard == [
                    #"42["1 any","x",1]"#, #"42["2 own any",1]"#, #"42["3 middleware",1]"#, #"42["4 own middleware",1,"more"]"#,
                    #"42["5 handler",1,"more"]"#, #"42["6 own handler",1,"more"]"#, #"437["done"]"#,
                ])
        }
    }

    @Test("S18: a refused event reaches neither later middlewares nor handlers; it is counted, and who wants hears of it")
    func refusal() async throws {
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.useEvents { _, event throws(EventRefusal) in
                if event.name == "secret" { throw EventRefusal(message: "not for you", data: 7) }
            }
            main.useEvents { socket, event throws(EventRefusal) in socket.emit("passed", [.string(event.name)]) }
            main.on("secret") { socket, _, _ in socket.emit("handled") }
            main.onRefusedEvent { socket, event, refusal in
                event.acknowledgement?(.string(refusal.message), refusal.data ?? .null)
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"421["secret"]"#)
            socket.say(#"42["open"]"#)
            #expect(try await socket.text() == #"431["not for you",7]"#)
            #expect(try await socket.text() == #"42["passed","open"]"#)
            #expect(try await server.shows("kdcube_socketio_events_refused_total 1"))
        }
    }

    @Test("S18: outgoing events are heard of once for each receiver, before they are sent; acknowledgements are not") func outgoing()
        async throws
    {
        let (heard, report) = AsyncStream.makeStream(of: String.self)
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.onAnyOutgoing { _, name, arguments in report.yield("\(name) \(arguments.count)") }
            main.onConnect { socket in socket.onAnyOutgoing { _, name, _ in report.yield("own \(name)") } }
            main.on("go") { socket, _, acknowledge in
                socket.emit("one", [1])
                socket.namespace.emit("two", [1, 2])
                socket.volatile.emit("three")
                acknowledge?()
            }
        } _: { server in
            let (first, _) = try await server.openSocket()
            let (second, _) = try await server.openSocket()
            first.say(#"421["go"]"#)
            for expected in [#"42["one",1]"#, #"42["two",1,2]"#, #"42["three"]"#, "431[]"] { #expect(try await first.text() == expected) }
            #expect(try await second.text() == #"42["two",1,2]"#)
            report.finish()
            var names: [String] = []
            for await name in heard { names.append(name) }
            #expect(names == ["one 1", "own one", "two 2", "own two", "two 2", "own two", "three 0", "own three"])
        }
    }

    @Test("S18, S20: a listener that broadcasts itself gives nobody anything twice") func reentrant() async throws {
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.onAnyOutgoing { socket, name, _ in
                if name == "news" { socket.namespace.emit("echo", [.string(name)]) }
            }
            main.on("go") { socket, _, _ in
                socket.namespace.to(socket.id, "none").emit("news")
                socket.emit("end")
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["go"]"#)
            for expected in [#"42["echo","news"]"#, #"42["news"]"#, #"42["end"]"#] { #expect(try await socket.text() == expected) }
        }
    }

    @Test("S19: handlers run in the order of the wire, and nothing reaches them after the disconnect") func afterDisconnect() async throws {
        let (heard, report) = AsyncStream.makeStream(of: String.self)
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on("n") { _, arguments, _ in report.yield("n \(arguments.first?.integerValue ?? -1)") }
            main.onAny { socket, name, _ in if name == "leave" { socket.disconnect() } }
            main.useEvents { socket, event throws(EventRefusal) in if event.name == "leave too" { socket.disconnect() } }
            main.on("leave") { _, _, _ in report.yield("never") }
            main.on("leave too") { _, _, _ in report.yield("never") }
        } _: { server in
            for leave in ["leave", "leave too"] {
                let sid = try await server.openPolling()
                _ = try await server.post(sid, "40")
                let packets = (0..<20).map { "42[\"n\",\($0)]" } + ["42[\"\(leave)\"]", #"42["n",20]"#]
                #expect(try await server.post(sid, packets.joined(separator: "\u{1E}")).body == "ok")
            }
            report.finish()
            var all: [String] = []
            for await one in heard { all.append(one) }
            let expected = (0..<20).map { "n \($0)" }
            #expect(all == expected + expected)
        }
    }

    @Test("S14: a packet after the client's own DISCONNECT closes the connection") func afterOwnDisconnect() async throws {
        try await TestServer.quiet { server in
            _ = server.namespace("/")
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say("41")
            socket.say(#"42["x"]"#)
            #expect(try await socket.closes())
        }
    }

    @Test("S2: an event's name may be a number; its handler is known by the digits") func numberedEvent() async throws {
        try await TestServer.quiet { server in
            server.namespace("/").on("7") { socket, arguments, _ in socket.emit("seven", arguments) }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42[7,"x"]"#)
            #expect(try await socket.text() == #"42["seven","x"]"#)
        }
    }

    @Test(
        "S3: reserved names are not sent, in no way",
        arguments: ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"])
    func reservedNames(_ name: String) async throws {
        let (errors, report) = AsyncStream.makeStream(of: [AcknowledgementError].self)
        try await TestServer.quiet { server in
            server.namespace("/").on("go") { socket, _, _ in
                socket.emit(name)
                socket.volatile.emit(name)
                socket.namespace.emit(name)
                socket.emit("end")
                Task {
                    var found: [AcknowledgementError] = []
                    do throws(AcknowledgementError) { _ = try await socket.emitWithAck(name) } catch { found.append(error) }
                    do throws(IncompleteAnswers) { _ = try await socket.namespace.emitWithAck(name) } catch { found.append(error.reason) }
                    report.yield(found)
                }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["go"]"#)
            #expect(try await socket.text() == #"42["end"]"#)
            var iterator = errors.makeAsyncIterator()
            #expect(await iterator.next() == [.reservedName, .reservedName])
            #expect(try await server.shows("kdcube_socketio_emits_refused_total 5"))
        }
    }

    @Test(
        "S16: disconnecting comes while the socket is in its rooms, disconnect after; with each reason", arguments: ["41", "kick", "close"])
    func disconnecting(_ way: String) async throws {
        let (heard, report) = AsyncStream.makeStream(of: String.self)
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on("watch") { socket, _, acknowledge in
                socket.join("watchers")
                acknowledge?()
            }
            main.on("kick") { socket, _, _ in socket.disconnect() }
            main.on("prepare") { socket, _, acknowledge in
                socket.join(["a", "b"])
                socket.onDisconnecting { reason, rooms in
                    report.yield("disconnecting \(reason.rawValue) \(rooms == [socket.id, "a", "b"])")
                    socket.to("watchers").emit("leaving", [.integer(Int64(rooms.count))])
                    socket.emit("nobody hears this")
                    socket.disconnect()
                }
                socket.onDisconnect { reason in
                    report.yield("disconnect \(reason.rawValue)")
                    Task { report.yield("rooms \(await socket.rooms())") }
                }
                acknowledge?()
            }
        } _: { server in
            let (watcher, _) = try await server.openSocket()
            watcher.say(#"420["watch"]"#)
            #expect(try await watcher.text() == "430[]")
            let (socket, _) = try await server.openSocket()
            socket.say(#"420["prepare"]"#)
            #expect(try await socket.text() == "430[]")
            switch way {
            case "41": socket.say("41")
            case "kick": socket.say(#"42["kick"]"#)
            default: socket.close()
            }
            let reason =
                ["41": "client namespace disconnect", "kick": "server namespace disconnect", "close": "transport close"][way] ?? ""
            var iterator = heard.makeAsyncIterator()
            #expect(await iterator.next() == "disconnecting \(reason) true")
            #expect(await iterator.next() == "disconnect \(reason)")
            #expect(await iterator.next() == "rooms []")
            #expect(try await watcher.text() == #"42["leaving",3]"#)
            if way == "kick" {
                #expect(try await socket.text() == "41")
                socket.say("40")
                // Not what was emitted while leaving.
                #expect(try await socket.text().hasPrefix("40{"))
            }
        }
    }
}
