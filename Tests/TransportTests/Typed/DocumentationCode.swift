import Hummingbird
import JSON
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Transport
import UnixSignals

// The code of the articles in Transport.docc, an enumeration each. `DocumentationTests` holds the two together; `static` is not shown.

enum TransportCode {
    struct Message: Codable {
        var room: String
        var text: String
    }

    static let message = Event<Message>("message")

    static func serveMessages() async throws {
        let server = try SocketIOServer()
        server.namespace("/").on(message) { socket, sent in
            socket.join(sent.room)
            socket.to(sent.room).emit(message, sent)
        }
        try await server.serve(port: 3000)
    }
}

enum GettingStartedCode {
    static let add = Event<Int>("add")
    static let total = Event<Int>("total")

    static func serveCounter() async throws {
        let server = try SocketIOServer()
        let main = server.namespace("/")
        let counter = Counter()
        main.onConnect { socket in Task { socket.emit(total, await counter.value) } }
        main.on(add) { socket, amount in
            let sum = await counter.add(amount)
            socket.broadcast.emit(total, sum)
            return sum
        }
        try await server.serve(port: 3000, page: page)
    }

    actor Counter {
        var value = 0

        func add(_ amount: Int) -> Int {
            value += amount
            return value
        }
    }

    static func serveBesideRoutes(_ sockets: SocketIOServer) async throws {
        let router = Router()
        router.get("health") { _, _ in "fine" }
        var front = FrontConfiguration()
        front.hosts = ["0.0.0.0"]
        front.port = 8080
        let server = RealtimeServer(configuration: front, sockets: sockets, responder: router.buildResponder())
        try await ServiceGroup(services: [server], gracefulShutdownSignals: [.sigterm], logger: Logger(label: "app")).run()
    }

    static func configured() throws -> SocketIOServer {
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(25), origins: .sameHost(and: ["https://app.example"]), allowEIO3: true)
        return try SocketIOServer(configuration: configuration)
    }
}

enum TypedEventsCode {
    enum Board {
        static let draw = Event<Line, String?>("draw")
        static let clear = Signal("clear")
        static let upload = Event<String, [UInt8]>("upload")
        static let ready = Event<Int>("ready?").answered(by: Bool.self)
    }

    struct Line: Codable {
        var from: [Double]
        var to: [Double]
        var width: Int?
    }

    static func handleBoard(_ board: Namespace) {
        board.on(Board.draw) { socket, line, colour in
            socket.broadcast.emit(Board.draw, line, colour ?? "black")
        }
        board.on(Board.upload) { socket, name, bytes in
            guard bytes.count < 100_000 else { throw EventRefusal(message: "too large", data: 100_000) }
            return try await store(name, bytes)
        }
    }

    static func hearOfFaults(_ board: Namespace, _ logger: Logger) {
        board.onEventFault { socket, event, fault in
            logger.notice("event fault", metadata: ["event": "\(event)", "socket": "\(socket?.id ?? "-")", "fault": "\(fault)"])
        }
    }

    static func sendBoard(_ board: Namespace, _ line: Line) {
        board.to("team").emit(Board.draw, line, nil)
        board.emit(Board.clear)
    }
}

enum RoomsAndBroadcastsCode {
    static func rooms(_ socket: Socket) async {
        socket.join("team")
        socket.leave("lobby")
        let names = await socket.rooms()  // its own first
        socket.emit(Event<[String]>("rooms"), names)
    }

    static func operators(_ chat: Namespace, _ socket: Socket, _ news: Event<String>) {
        chat.emit(news, "everybody")
        chat.to("team", "guests").except("muted").emit(news, "these rooms, each socket once")
        socket.broadcast.emit(news, "everybody but this socket")
        socket.to("team").emit(news, "the room, but not this socket")
        chat.to(socket.id).emit(news, "one socket, on whichever server it is")
        chat.local.emit(news, "the sockets of this server, in a cluster")
        socket.volatile.emit(news, "left out if the client cannot take it now")
    }

    static func move(_ chat: Namespace) async throws {
        for found in await chat.to("lobby").fetchSockets() where found.data["role"] == "guest" {
            found.leave("lobby")
            found.join("guests")
        }
        chat.to("guests").disconnectSockets()
    }

    static func boards(_ server: SocketIOServer) throws {
        let boards = try server.namespaces(matching: "/board-*")
        boards.onConnect { socket in
            socket.broadcast.emit(Event<String>("joined"), socket.id)
            socket.onDisconnecting { _, _ in socket.broadcast.emit(Event<String>("left"), socket.id) }
        }
    }
}

enum AcknowledgementsCode {
    static let confirm = Event<String>("confirm").answered(by: Bool.self)

    static func delete(_ socket: Socket, _ document: String) async {
        do throws(AcknowledgementError) {
            guard try await socket.emitWithAck(confirm, "Delete \(document)?", timeout: .seconds(60)) else { return }
            socket.emit(Event<String>("deleted"), document)
        } catch {
            // .timedOut, .disconnected, .undecodable and others: nothing is deleted.
        }
    }

    static func vote(_ chat: Namespace) async -> (yes: Int, missing: Int) {
        do throws(IncompleteAnswers) {
            let answers = try await chat.to("team").timeout(.seconds(5)).emitWithAck(confirm, "Lunch?")
            return (answers.count { $0 }, 0)
        } catch {
            return (error.answers.count { $0 == true }, error.missing)
        }
    }

    static func answerLater(_ chat: Namespace) {
        chat.on("slow") { socket, arguments, acknowledge in
            Task {
                try? await Task.sleep(for: .seconds(1))
                acknowledge?("done", .integer(Int64(arguments.count)))
            }
        }
    }
}

enum MiddlewaresAndAuthenticationCode {
    struct Account: RecoveryIdentity {
        var name: String
        var recoveryIdentity: String { name }
    }

    static func authenticate(_ chat: Namespace, _ accounts: @escaping @Sendable (String) async -> Account?) {
        chat.use { handshake throws(ConnectRefusal) in
            guard let token = handshake.auth["token"]?.stringValue, let account = await accounts(token) else {
                throw ConnectRefusal(message: "Who are you?", data: ["code": "unauthorized"])
            }
            return account
        }
        chat.onConnect { socket in
            guard let account = socket.context as? Account else { return }
            try? socket.setData("name", .string(account.name))
            socket.join("user:\(account.name)")
        }
    }

    static func guardEvents(_ chat: Namespace) {
        chat.useEvents { socket, event throws(EventRefusal) in
            if event.name.hasPrefix("admin:"), socket.data["role"] != "admin" { throw EventRefusal(message: "not for you") }
        }
        chat.onRefusedEvent { _, event, refusal in
            event.acknowledgement?(["ok": false, "error": .string(refusal.message)])
        }
    }
}

enum RecoveryCode {
    static func recovering() throws -> SocketIOServer {
        let configuration = try TransportConfiguration(
            recovery: try RecoveryPolicy(maxDisconnectionDuration: .seconds(120), skipMiddlewares: false))
        let server = try SocketIOServer(configuration: configuration)
        server.namespace("/").onConnect { socket in
            if !socket.recovered { socket.emit(Event<String>("hello"), socket.id) }
        }
        return server
    }
}

enum ClustersCode {
    static func connected(_ cluster: any ClusterPort, _ peers: any PeerDirectory, node: UInt32) throws -> SocketIOServer {
        SocketIOServer(
            configuration: try TransportConfiguration(nodeID: node), eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            cluster: cluster,
            peers: peers, metrics: MetricRegistry(), logger: Logger(label: "app"))
    }

    static func servers(_ chat: Namespace) async throws {
        chat.onServerSide("load") { _ in .integer(17) }
        let loads = try await chat.serverSideEmitWithAck("load", timeout: .seconds(1))
        try chat.serverSideEmit("highest", [loads.max { ($0.integerValue ?? 0) < ($1.integerValue ?? 0) } ?? .null])
    }
}

enum LimitsCode {
    static func metered() throws -> (SocketIOServer, @Sendable () -> String) {
        let metrics = MetricRegistry()
        return (try SocketIOServer(metrics: metrics), { metrics.prometheusText() })
    }
}

// What the articles leave to the reader.
extension GettingStartedCode {
    static let page = "<title>counter</title>"
}

extension TypedEventsCode {
    static func store(_ name: String, _ bytes: [UInt8]) async throws -> Int { name.utf8.count + bytes.count }
}
