import JSON
import NIOCore
import Testing

@testable import Transport
@testable import TransportWire

/// Clients of Socket.IO 2 (L5), beside those of today.
@Suite("Socket.IO 2 clients", .timeLimit(.minutes(1)))
struct SocketIORevision3Tests {
    private func serve(
        loops: Int = 1, parser: PacketParser = .json, _ setUp: @escaping @Sendable (SocketIOServer) -> Void,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(30), pingTimeout: .seconds(20), origins: .any, parser: parser, allowEIO3: true)
        try await TestServer.socketIO(configuration, loops: loops, setUp: setUp, body)
    }

    /// A WebSocket of revision 3, and its session's id.
    private static func open(_ server: TestServer, _ query: String = "") async throws -> (socket: TestConnection, sid: String) {
        let socket = try await server.connect()
        guard try await socket.upgrade(server.old.base + "&transport=websocket" + query) == 101 else { throw TestConnection.Ended() }
        let open = try JSONValue(parsing: String(try await socket.text().dropFirst()))
        return (socket, open["sid"]?.stringValue ?? "")
    }

    @Test("L5: the main namespace is joined without asking: a bare 40, the session's id, and the query as auth")
    func main() async throws {
        try await serve { server in
            server.namespace("/").onConnect { $0.emit("me", [.string($0.id), $0.handshake.auth]) }
        } _: { server in
            let (socket, sid) = try await Self.open(server, "&token=a%20b&b64=1&t=x")
            #expect(try await socket.text() == "40")
            #expect(try await socket.text() == #"42["me","\#(sid)",{"token":"a b"}]"#)
            // It is there: asking for it again is a fault (S14).
            socket.say("40")
            #expect(try await socket.closes())
        }
    }

    @Test("L5: over polling the CONNECT is in the body of the open packet") func polling() async throws {
        try await serve {
            $0.namespace("/").onConnect { $0.emit("ä😀") }
        } _: { server in
            let answer = try await server.old.ask("GET", server.old.base + "&transport=polling")
            #expect(answer.body.hasSuffix(#"}2:409:42["ä😀"]"#))
        }
    }

    @Test("L5: other namespaces take a query as auth, and have it in their socket's id; the id names a room (S11)", arguments: [1, 2])
    func namespaces(_ loops: Int) async throws {
        try await serve(loops: loops) { server in
            _ = server.namespace("/")
            let chat = server.namespace("/chat")
            chat.onConnect { $0.emit("me", [.string($0.id), $0.handshake.auth]) }
            chat.on("tell") { socket, arguments, _ in
                socket.namespace.to(arguments.first?.stringValue ?? "").emit("told", Array(arguments.dropFirst()))
            }
            chat.on("others") { socket, _, _ in socket.broadcast.emit("heard") }
            chat.on("rooms") { socket, _, acknowledge in Task { acknowledge?(.array(await socket.rooms().map { .string($0) })) } }
        } _: { server in
            let (one, sid) = try await Self.open(server)
            let (two, other) = try await Self.open(server)
            for socket in [one, two] { #expect(try await socket.text() == "40") }
            one.say("40/chat?token=a%2Cb&n=1,")
            #expect(try await one.text() == "40/chat,")
            #expect(try await one.text() == #"42/chat,["me","/chat#\#(sid)",{"token":"a,b","n":"1"}]"#)
            two.say("40/chat")
            for _ in 0..<2 { _ = try await two.text() }
            two.say(#"42/chat,["tell","/chat#\#(sid)","hi"]"#)
            #expect(try await one.text() == #"42/chat,["told","hi"]"#)
            // Neither the session's id alone nor another namespace's form is this socket.
            two.say(#"42/chat,["tell","\#(sid)","no"]"#)
            two.say(#"42/chat,["tell","/other#\#(sid)","no"]"#)
            two.say(#"42/chat,["others"]"#)
            #expect(try await one.text() == #"42/chat,["heard"]"#)
            two.say(#"42/chat,7["rooms"]"#)
            #expect(try await two.text() == #"43/chat,7[["/chat#\#(other)"]]"#)
            one.say("41/chat")
            one.say("40/chat?again")
            #expect(try await one.text() == "40/chat,")
        }
    }

    @Test("L5: a refusal is its data, or its message; an unknown namespace is told as the reference tells it")
    func refusals() async throws {
        try await serve { server in
            server.namespace("/").use { handshake throws(ConnectRefusal) in
                guard handshake.auth["in"] != nil else { throw ConnectRefusal(message: "no") }
                return ()
            }
            server.namespace("/data").use { _ throws(ConnectRefusal) in throw ConnectRefusal(message: "no", data: ["code": 7]) }
        } _: { server in
            let (refused, _) = try await Self.open(server)
            #expect(try await refused.text() == #"44"no""#)
            let (socket, _) = try await Self.open(server, "&in=1")
            #expect(try await socket.text() == "40")
            socket.say("40/data,")
            #expect(try await socket.text() == #"44/data,{"code":7}"#)
            socket.say("40/none?x=1,")
            #expect(try await socket.text() == #"44/none,{"message":"Invalid namespace"}"#)
        }
    }

    @Test("L4: one broadcast reaches clients of both revisions, each in its form, and is made once", arguments: [1, 2])
    func broadcast(_ loops: Int) async throws {
        try await serve(loops: loops) { server in
            let main = server.namespace("/")
            main.on("all") { socket, arguments, _ in socket.namespace.emit("it", arguments) }
            main.on("ack") { _, arguments, acknowledge in acknowledge?.send(arguments) }
        } _: { server in
            let (old, _) = try await Self.open(server)
            #expect(try await old.text() == "40")
            let (new, _) = try await server.openSocket()
            let sid = try await server.old.openOldPolling("&b64=1")
            old.say(#"451-["all",{"_placeholder":true,"num":0},"x"]"#)
            old.send(frame: .binary, ByteBuffer(bytes: [4, 1, 2]))
            let text = #"451-["it",{"_placeholder":true,"num":0},"x"]"#
            for (socket, bytes) in [(old, [4, 1, 2]), (new, [1, 2])] as [(TestConnection, [UInt8])] {
                #expect(try await socket.text() == text)
                #expect(try await socket.event() == .binary(ByteBuffer(bytes: bytes)))
            }
            #expect(try await server.old.poll(sid).body == "\(text.utf16.count):\(text)6:b4AQI=")
            old.say(#"451-3["ack",{"_placeholder":true,"num":0}]"#)
            old.send(frame: .binary, ByteBuffer(bytes: [4]))
            #expect(try await old.text() == #"461-3[{"_placeholder":true,"num":0}]"#)
            #expect(try await old.event() == .binary(ByteBuffer(bytes: [4])))
        }
        // The frames of a broadcast without binary are the same bytes for everybody.
        let text = SharedFrames(WebSocketFrameWriter.textFrame(prefix: 0x34, payload: ByteBuffer(string: "x")), servesRevision3: true)
        #expect(text.frames == text.revision3)
        for count in [0, 1, 124, 125, 126, 65_534, 65_535, 65_536] {
            var frames = WebSocketFrameWriter.textFrame(prefix: 0x34, payload: ByteBuffer(string: "x"))
            WebSocketFrameWriter.frame(.binary, payload: ByteBuffer(repeating: 9, count: count), into: &frames)
            var expected = WebSocketFrameWriter.textFrame(prefix: 0x34, payload: ByteBuffer(string: "x"))
            WebSocketFrameWriter.frame(.binary, payload: ByteBuffer(bytes: [4] + [UInt8](repeating: 9, count: count)), into: &expected)
            #expect(SharedFrames(frames, servesRevision3: true).revision3 == expected)
            #expect(SharedFrames(frames, servesRevision3: false).revision3 == frames)
        }
    }

    @Test("S9, L4: MessagePack packets have the type byte too")
    func messagePack() async throws {
        try await serve(parser: .msgpack) { server in
            server.namespace("/").on("ack") { _, arguments, acknowledge in acknowledge?.send(arguments) }
        } _: { server in
            let (socket, _) = try await Self.open(server)
            func hear() async throws -> SocketIOPacket {
                guard case .binary(var message)? = try await socket.event(), message.readInteger(as: UInt8.self) == 4 else {
                    throw TestConnection.Ended()
                }
                return try MessagePackPackets.decode(message)
            }
            #expect(try await hear() == SocketIOPacket(kind: .connect))
            let asked = SocketIOPacket(kind: .event, ackID: 1, data: ["ack", .bytes([1])])
            socket.send(frame: .binary, ByteBuffer(bytes: [4] + MessagePackPackets.encode(asked)))
            #expect(try await hear() == SocketIOPacket(kind: .ack, ackID: 1, data: [.bytes([1])]))
        }
    }

    @Test(
        "Attack 24: a namespace's query is bounded, and so is the namespace before it",
        arguments: [
            "40/" + String(repeating: "n", count: 255),
            "40/n?" + String(repeating: "q", count: TransportLimits.namespaceQueryBytesMax + 255),
            "40/n?" + String(repeating: "a=1&", count: 100), "40/" + String(repeating: "n", count: 255) + "?a=1",
        ])
    func boundedQuery(_ packet: String) async throws {
        try await serve {
            _ = $0.namespace("/")
        } _: { server in
            let (socket, _) = try await Self.open(server)
            #expect(try await socket.text() == "40")
            socket.say("40/n?" + String(repeating: "q", count: TransportLimits.namespaceQueryBytesMax))
            #expect(try await socket.text() == #"44/n,{"message":"Invalid namespace"}"#)
            socket.say(packet)
            #expect(try await socket.closes())
        }
    }

    @Test("a handler that closes the session while it opens leaves nothing behind") func closesAtOnce() async throws {
        try await serve {
            $0.namespace("/").onConnect { $0.disconnect(closingSession: true) }
        } _: { server in
            let (socket, _) = try await Self.open(server)
            #expect(try await socket.text() == "40")
            #expect(try await socket.text() == "41")
            #expect(try await socket.closes())
            #expect(try await server.shows("kdcube_sockets 0"))
            #expect(try await server.shows("kdcube_connections 0"))
        }
    }

    @Test("without the option revision 3 is refused, as ever (E3)", arguments: ["polling", "websocket"]) func off(
        _ transport: String
    ) async throws {
        try await TestServer.quiet({ _ = $0.namespace("/") }) { server in
            if transport == "polling" {
                let answer = try await server.old.ask("GET", server.old.base + "&transport=polling")
                #expect(answer.body == #"{"code":5,"message":"Unsupported protocol version"}"#)
            } else {
                #expect(try await server.connect().upgrade(server.old.base + "&transport=websocket") == 400)
            }
        }
    }
}
