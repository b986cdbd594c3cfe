import JSON
import NIOCore
import Transport
import TransportWire

/// What each suite expects of its server (socketio.md §5; the protocol documents' *Test suite*).
enum Suites {
    static func configuration(path: String, parser: PacketParser = .json, allowEIO3: Bool = false) throws -> TransportConfiguration {
        try TransportConfiguration(
            path: path, pingInterval: .milliseconds(300), pingTimeout: .milliseconds(200), maxPayload: 1_000_000,
            connectTimeout: .seconds(1), origins: .any, parser: parser, allowEIO3: allowEIO3)
    }

    static func serveSocketIO(_ server: SocketIOServer) {
        for name in ["/", "/custom"] {
            server.namespace(name).onConnect { socket in socket.emit("auth", [socket.handshake.auth]) }
        }
        let main = server.namespace("/")
        main.on("message") { socket, arguments, _ in socket.emit("message-back", arguments) }
        main.on("message-with-ack") { _, arguments, acknowledge in acknowledge?.send(arguments) }
    }

    /// What no suite asks for, and the tests with other clients do: rooms, broadcasts, refusals, and questions of the server.
    static func serveClients(_ server: SocketIOServer) {
        let rooms = server.namespace("/rooms")
        rooms.onConnect { socket in socket.emit("hello", [.string(socket.id), socket.handshake.auth]) }
        rooms.on("join") { socket, arguments, acknowledge in
            if let room = arguments.first?.stringValue { socket.join(room) }
            acknowledge?.send()
        }
        rooms.on("say") { socket, arguments, _ in
            guard let room = arguments.first?.stringValue else { return }
            socket.namespace.emit("said", Array(arguments.dropFirst()), to: [room])
        }
        rooms.on("ask-me") { socket, arguments, acknowledge in
            Task {
                let answers = try? await socket.emitWithAck("question", arguments, timeout: .seconds(10))
                acknowledge?.send(answers ?? [.null])
            }
        }
        server.namespace("/closed").use { _ throws(ConnectRefusal) in
            throw ConnectRefusal(message: "closed", data: ["code": "closed"])
        }
    }

    static func serveBench(_ server: SocketIOServer) {
        let main = server.namespace("/")
        main.on("echo") { _, arguments, acknowledge in acknowledge?.send(arguments) }
        main.on("join") { socket, arguments, acknowledge in
            if let room = arguments.first?.stringValue { socket.join(room) }
            acknowledge?.send()
        }
        main.on("bcast") { socket, arguments, _ in
            guard let room = arguments.first?.stringValue else { return }
            socket.namespace.emit("tick", Array(arguments.dropFirst()), to: [room])
        }
    }
}

/// Echoes every Engine.IO message in kind.
final class EngineEcho: SessionApplication {
    func opened(_ session: EngineSession) -> any SessionDelegate { Echo(session) }

    private final class Echo: SessionDelegate {
        unowned let session: EngineSession

        init(_ session: EngineSession) {
            self.session = session
        }

        func received(_ message: ByteBuffer, isBinary: Bool) { session.send(message: message, isBinary: isBinary) }
        func hasRoom() {}
        func deadlinePassed(at now: NIODeadline) {}
        func closed(_ reason: CloseReason) {}
    }
}
