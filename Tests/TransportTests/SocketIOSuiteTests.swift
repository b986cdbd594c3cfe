import JSON
import NIOCore
import Testing
import Transport
import TransportWire

/// The Socket.IO part of the public v5 suite (socketio.md §5.2), case by case. The suite's other half repeats the
/// Engine.IO suite under `/socket.io/`. Needs nothing but loopback.
@Suite("Socket.IO v5 suite", .timeLimit(.minutes(1)))
struct SocketIOSuiteTests {
    private func serve(pingInterval: Duration = .seconds(20), _ body: @escaping @Sendable (TestServer) async throws -> Void) async throws {
        try await TestServer.socketIO(try TestServer.configuration(pingInterval: pingInterval, pingTimeout: .seconds(20))) { server in
            for name in ["/", "/custom"] {
                server.namespace(name).onConnect { socket in socket.emit("auth", [socket.handshake.auth]) }
            }
            let main = server.namespace("/")
            main.on("message") { socket, arguments, _ in socket.emit("message-back", arguments) }
            main.on("message-with-ack") { _, arguments, acknowledge in acknowledge?.send(arguments) }
        } _: {
            try await body($0)
        }
    }

    private func connected(_ server: TestServer) async throws -> TestConnection {
        let socket = try await server.openWebSocket()
        _ = try await socket.text()
        return socket
    }

    private func joined(_ server: TestServer) async throws -> TestConnection {
        let (socket, _) = try await server.openSocket()
        _ = try await socket.text()
        return socket
    }

    @Test(
        "connect: CONNECT is answered with the sid alone, then what the handler emits (S11)",
        arguments: [
            ("40", "40", #"42["auth",{}]"#), (#"40{"token":"123"}"#, "40", #"42["auth",{"token":"123"}]"#),
            ("40/custom,", "40/custom,", #"42/custom,["auth",{}]"#),
            (#"40/custom,{"token":"abc"}"#, "40/custom,", #"42/custom,["auth",{"token":"abc"}]"#),
        ])
    func connects(_ packet: String, _ prefix: String, _ event: String) async throws {
        try await serve { server in
            let socket = try await connected(server)
            socket.say(packet)
            let answer = try await socket.text()
            #expect(answer.hasPrefix(prefix))
            let payload = try JSONValue(parsing: String(answer.dropFirst(prefix.count)))
            #expect(payload.objectValue?.members.map(\.key) == ["sid"])
            #expect(payload["sid"]?.stringValue?.utf8.count == 20)
            #expect(try await socket.text() == event)
        }
    }

    @Test("connect: the same over polling") func connectsOverPolling() async throws {
        try await serve { server in
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, #"40{"token":"123"}"#).body == "ok")
            let packets = try await server.poll(sid).body.split(separator: "\u{1E}")
            #expect(packets.count == 2)
            #expect(packets.first?.hasPrefix(#"40{"sid":""#) == true)
            #expect(packets.last == #"42["auth",{"token":"123"}]"#)
        }
    }

    @Test("connect: an unknown namespace is refused and the connection stays (S12)") func refusesUnknownNamespace() async throws {
        try await serve { server in
            let socket = try await connected(server)
            socket.say("40/random")
            #expect(try await socket.text() == #"44/random,{"message":"Invalid namespace"}"#)
            socket.say("40")
            #expect(try await socket.text().hasPrefix("40{"))
        }
    }

    @Test("connect: a packet that is none closes the connection (S4)") func closesOnInvalidHandshake() async throws {
        try await serve { server in
            let socket = try await connected(server)
            socket.say("4abc")
            #expect(try await socket.closes())
        }
    }

    @Test("connect: without a CONNECT the connection is closed after the connect timeout (S10)") func closesWithoutConnect() async throws {
        try await TestServer.socketIO(
            try TestServer.configuration(pingInterval: .seconds(20), connectTimeout: .milliseconds(100)), setUp: { _ = $0.namespace("/") }
        ) { server in
            let socket = try await connected(server)
            let start = ContinuousClock.now
            #expect(try await socket.closes())
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test("disconnect: it has no answer, and the connection stays (S15)") func disconnects() async throws {
        try await serve(pingInterval: .milliseconds(300)) { server in
            let socket = try await joined(server)
            socket.say("41")
            #expect(try await socket.text() == "2")
            socket.say("40")
            #expect(try await socket.text().hasPrefix("40{"))
        }
    }

    @Test(
        "upgrade: the session moves, and what was emitted meanwhile comes in order; polling and another WebSocket are refused",
        arguments: [1, 2])
    func upgrades(_ loops: Int) async throws {
        try await TestServer.socketIO(
            try TestServer.configuration(pingInterval: .seconds(20), pingTimeout: .seconds(20)), loops: loops
        ) { server in
            server.namespace("/").on("message") { socket, arguments, _ in socket.emit("message-back", arguments) }
        } _: { server in
            let sid = try await server.openPolling()
            #expect(try await server.post(sid, "40").body == "ok")
            #expect(try await server.poll(sid).body.hasPrefix("40{"))
            let socket = try await server.openWebSocket(sid: sid)
            socket.say("2probe")
            #expect(try await socket.text() == "3probe")
            #expect(try await server.post(sid, #"42["message",1]"#).body == "ok")
            #expect(try await server.poll(sid).body == "6")
            socket.say("5")
            socket.say(#"42["message",2]"#)
            #expect(try await socket.text() == #"42["message-back",1]"#)
            #expect(try await socket.text() == #"42["message-back",2]"#)
            #expect(try await server.poll(sid).status == 400)
            #expect(try await server.openWebSocket(sid: sid).closes())
            socket.say(#"42["message",3]"#)
            #expect(try await socket.text() == #"42["message-back",3]"#)
        }
    }

    @Test("disconnect: leaving a namespace leaves the others alone (S15)") func disconnectsFromCustom() async throws {
        try await serve { server in
            let socket = try await joined(server)
            socket.say("40/custom")
            #expect(try await socket.text().hasPrefix("40/custom,{"))
            #expect(try await socket.text() == #"42/custom,["auth",{}]"#)
            socket.say("41/custom")
            socket.say(#"42["message","message to main namespace"]"#)
            #expect(try await socket.text() == #"42["message-back","message to main namespace"]"#)
        }
    }

    @Test("message: text, numbers and trees come back as they were") func echoesText() async throws {
        try await serve { server in
            let socket = try await joined(server)
            socket.say(#"42["message",1,"2",{"3":[true]}]"#)
            #expect(try await socket.text() == #"42["message-back",1,"2",{"3":[true]}]"#)
        }
    }

    @Test("message: attachments come back in order, placeholders first `_placeholder`, then `num` (S5)") func echoesBinary() async throws {
        try await serve { server in
            let socket = try await joined(server)
            socket.say(#"452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#)
            socket.send(frame: .binary, ByteBuffer(bytes: [1, 2, 3]))
            socket.send(frame: .binary, ByteBuffer(bytes: [4, 5, 6]))
            #expect(try await socket.text() == #"452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#)
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [1, 2, 3])))
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [4, 5, 6])))
        }
    }

    @Test("message: an acknowledgement carries the id of its event, text and binary (S7)") func acknowledges() async throws {
        try await serve { server in
            let socket = try await joined(server)
            socket.say(#"42456["message-with-ack",1,"2",{"3":[false]}]"#)
            #expect(try await socket.text() == #"43456[1,"2",{"3":[false]}]"#)
            socket.say(#"452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#)
            socket.send(frame: .binary, ByteBuffer(bytes: [1, 2, 3]))
            socket.send(frame: .binary, ByteBuffer(bytes: [4, 5, 6]))
            #expect(try await socket.text() == #"462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#)
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [1, 2, 3])))
            #expect(try await socket.event() == .binary(ByteBuffer(bytes: [4, 5, 6])))
        }
    }

    @Test("message: an invalid packet closes the connection (S4)", arguments: ["4abc", "42{}", #"42abc["message-with-ack"]"#])
    func closesOnInvalidPacket(_ packet: String) async throws {
        try await serve { server in
            let socket = try await joined(server)
            socket.say(packet)
            #expect(try await socket.closes())
            #expect(try await server.shows("kdcube_sockets 0"))
        }
    }
}
