internal import Glibc
internal import Hummingbird
internal import JSON
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Telemetry
internal import Transport

/// A real server on one event loop, and a room of a hundred members on real connections: what is counted is the whole way of a
/// broadcast through this process, from `emit` to the last member's `write`. The kernel's part is not: valgrind does not see it.
struct Room {
    static let members = 100
    private static let request =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    /// `40`, masked with zeros.
    private static let connect: [UInt8] = [0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30]

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Sends so many broadcasts, one after the other; gives the bytes that the last member got.
    func deliver(_ count: Int) throws -> Int {
        let server = SocketIOServer(
            configuration: try TransportConfiguration(pingInterval: .seconds(3_600)), eventLoopGroup: group, metrics: MetricRegistry(),
            logger: Logger(label: "bench"))
        let main = server.namespace("/")
        main.onConnect { socket in
            socket.join("room")
            socket.emit("joined")
        }
        let port = try listen(server)
        let connections = try (0..<Self.members).map { _ in try member(port) }
        let text = String(repeating: "x", count: 32)
        let frame = "??42[\"tick\",\"\(text)\"]".utf8.count
        var bytes = 0
        for _ in 0..<count {
            main.emit("tick", [.string(text)], to: ["room"])
            // The last to join is the last to be written to: then the turn is over, and the next broadcast is a turn of its own.
            bytes += try read(connections[Self.members - 1], count: frame)
        }
        return bytes
    }

    private func listen(_ server: SocketIOServer) throws -> Int {
        var front = FrontConfiguration()
        front.port = 0
        // No sweep while it is counted.
        front.sweepInterval = .seconds(3_600)
        let bound = group.any().makePromise(of: Int.self)
        let realtime = RealtimeServer(
            configuration: front, ingress: server, responder: Router().buildResponder(), eventLoopGroup: group,
            metrics: MetricRegistry(), logger: Logger(label: "bench")
        ) { addresses in bound.succeed(addresses.first?.port ?? 0) }
        // It serves until the process ends.
        Task.detached { try await realtime.run() }
        return try bound.futureResult.wait()
    }

    /// A blocking connection that has joined the room.
    private func member(_ port: Int) throws -> CInt {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, isConnected == 0 else { throw Failure() }
        try write(descriptor, Array(Self.request.utf8))
        // The open packet comes behind the head.
        try read(descriptor, until: "}")
        try write(descriptor, Self.connect)
        try read(descriptor, until: "[\"joined\"]")
        return descriptor
    }

    private func write(_ descriptor: CInt, _ bytes: [UInt8]) throws {
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Failure() }
    }

    /// Reads on until `mark` has come, which is where an answer ends.
    private func read(_ descriptor: CInt, until mark: String) throws {
        var seen: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1_024)
        while !String(decoding: seen, as: UTF8.self).hasSuffix(mark) {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { throw Failure() }
            seen += chunk[..<count]
        }
    }

    private func read(_ descriptor: CInt, count: Int) throws -> Int {
        var chunk: InlineArray<64, UInt8> = .init(repeating: 0)
        var seen = 0
        while seen < count {
            let size = Glibc.read(descriptor, &chunk, count - seen)
            guard size > 0 else { throw Failure() }
            seen += size
        }
        return seen
    }

    private struct Failure: Error {}
}
