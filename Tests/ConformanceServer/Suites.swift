import JSON
import NIOCore
import Transport
import TransportWire

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What each suite expects of its server (socketio.md §5; the protocol documents' *Test suite*).
enum Suites {
    static func configuration(
        path: String, parser: PacketParser = .json, allowEIO3: Bool = false, nodeID: UInt32? = nil, recovery: RecoveryPolicy? = nil
    ) throws -> TransportConfiguration {
        try TransportConfiguration(
            path: path, pingInterval: .milliseconds(300), pingTimeout: .milliseconds(200), maxPayload: 1_000_000,
            connectTimeout: .seconds(1), origins: .any, nodeID: nodeID, parser: parser, allowEIO3: allowEIO3, recovery: recovery)
    }

    static func serveSocketIO(_ server: SocketIOServer) {
        for name in ["/", "/custom"] {
            server.namespace(name).onConnect { socket in socket.emit("auth", [socket.handshake.auth]) }
        }
        let main = server.namespace("/")
        main.on("message") { socket, arguments, _ in socket.emit("message-back", arguments) }
        main.on("message-with-ack") { _, arguments, acknowledge in acknowledge?.send(arguments) }
    }

    /// What shows that several servers are one: questions to all of them, asked by a client, with the time in milliseconds that they have.
    private static func serveCluster(_ main: Namespace) {
        main.onServerSide("name") { _ in .string("\(getpid())") }
        main.on("ask") { socket, arguments, acknowledge in
            let to = receivers(socket, arguments)
            Task {
                do throws(IncompleteAnswers) {
                    let answers = try await to.emitWithAck("question", Array(arguments.dropFirst(2)))
                    acknowledge?(.array(answers), 0)
                } catch {
                    acknowledge?(.array(error.answers), .integer(Int64(error.missing)))
                }
            }
        }
        main.on("fetch") { socket, arguments, acknowledge in
            let to = receivers(socket, arguments)
            Task {
                let found = await to.fetchSockets()
                acknowledge?(.array(found.map { ["id": .string($0.id), "rooms": .array($0.rooms.map { .string($0) })] }))
            }
        }
        main.on("servers") { socket, arguments, acknowledge in
            let timeout = Duration.milliseconds(arguments.first?.integerValue ?? 5_000)
            Task {
                do throws(IncompleteAnswers) {
                    acknowledge?(.array(try await socket.namespace.serverSideEmitWithAck("name", timeout: timeout)), 0)
                } catch {
                    acknowledge?(.array(error.answers), .integer(Int64(error.missing)))
                }
            }
        }
        main.on("move") { socket, arguments, acknowledge in
            guard let from = arguments.first?.stringValue, let to = arguments.last?.stringValue else { return }
            socket.namespace.to(from).socketsJoin(to)
            socket.namespace.to(from).socketsLeave(from)
            acknowledge?()
        }
    }

    private static func receivers(_ socket: Socket, _ arguments: [JSONValue]) -> BroadcastOperator {
        let timeout = Duration.milliseconds(arguments.dropFirst().first?.integerValue ?? 5_000)
        let room = arguments.first?.stringValue ?? ""
        return (room.isEmpty ? socket.namespace.everyone : socket.namespace.to(room)).timeout(timeout)
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
        serveCluster(main)
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
