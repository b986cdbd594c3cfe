import NIOCore
import NIOPosix
import NIOSSL
import TransportWire

/// A TCP connection of a test: sends what it is given, and reads HTTP answers and WebSocket messages one by one.
actor TestConnection {
    struct Answer: Sendable {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: String
        var bytes: [UInt8] = []

        func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
    }

    struct Ended: Error {}

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let arrived: AsyncStream<ByteBuffer>.Continuation

        init(_ arrived: AsyncStream<ByteBuffer>.Continuation) {
            self.arrived = arrived
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { arrived.yield(unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { arrived.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            arrived.finish()
            context.close(promise: nil)
        }
    }

    nonisolated let channel: any Channel
    private var arrived: AsyncStream<ByteBuffer>.Iterator
    private var buffer = ByteBuffer()
    private var parser = WebSocketParser(limits: WebSocketLimits(messageBytes: 32 << 20), role: .client, allowsCompression: true)

    private init(_ channel: any Channel, _ arrived: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.arrived = arrived.makeAsyncIterator()
    }

    static func open(_ port: Int, tls: NIOSSLContext? = nil) async throws -> TestConnection {
        let (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: nil)) }
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return TestConnection(channel, stream)
    }

    nonisolated func send(_ text: String) { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }
    nonisolated func send(_ bytes: ByteBuffer) { channel.writeAndFlush(bytes, promise: nil) }

    /// Returns when what was sent has left this process.
    nonisolated func sent() async throws { try await channel.eventLoop.submit {}.get() }

    /// Ends the connection as a client that goes away does.
    nonisolated func close() { channel.close(promise: nil) }

    /// Ends the connection with a reset.
    nonisolated func reset() async throws {
        guard let options = channel as? any SocketOptionProvider else { throw Ended() }
        try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        channel.close(promise: nil)
    }

    /// False at the end of the connection.
    private func more() async -> Bool {
        var iterator = arrived
        let next = await iterator.next(isolation: self)
        arrived = iterator
        guard var next else { return false }
        buffer.writeBuffer(&next)
        return true
    }

    // MARK: HTTP

    nonisolated func request(_ method: String, _ target: String, _ headers: [String] = [], body: String = "") {
        let length = body.isEmpty && method == "GET" ? [] : ["Content-Length: \(body.utf8.count)"]
        send((["\(method) \(target) HTTP/1.1", "Host: localhost"] + headers + length).joined(separator: "\r\n") + "\r\n\r\n" + body)
    }

    /// The next answer. A body without a length ends with the connection.
    func answer() async throws -> Answer {
        var end: Int?
        while end == nil {
            let bytes = Array(buffer.readableBytesView)
            end = bytes.indices.first { bytes[$0...].starts(with: Array("\r\n\r\n".utf8)) }
            if end == nil, !(await more()) { throw Ended() }
        }
        guard let end, let head = buffer.readString(length: end), buffer.readSlice(length: 4) != nil else { throw Ended() }
        let lines = head.split(separator: "\r\n")
        let headers = lines.dropFirst().map { line -> (name: String, value: String) in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        var answer = Answer(status: Int(lines[0].split(separator: " ")[1]) ?? 0, headers: headers, body: "")
        if let length = answer.header("content-length").flatMap({ Int($0) }) {
            while buffer.readableBytes < length { if !(await more()) { throw Ended() } }
            answer.bytes = buffer.readBytes(length: length) ?? []
            answer.body = String(decoding: answer.bytes, as: UTF8.self)
        } else if answer.status >= 200, answer.status != 204 {
            while await more() {}
            answer.body = buffer.readString(length: buffer.readableBytes) ?? ""
        }
        return answer
    }

    /// True when the peer ends the connection without saying more.
    func ends() async -> Bool {
        while await more() {}
        return true
    }

    // MARK: WebSocket

    /// Sends an upgrade request, and gives the status of its answer.
    func upgrade(_ target: String, _ headers: [String] = []) async throws -> Int {
        request(
            "GET", target,
            ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
                + headers)
        return try await answer().status
    }

    nonisolated func send(frame opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        send(WebSocketFrameWriter.clientFrame(opcode, payload: payload, key: 0x1234_5678))
    }

    nonisolated func say(_ text: String) { send(frame: .text, ByteBuffer(string: text)) }

    /// The next thing the server says; nil at the end of the connection.
    func event() async throws -> WebSocketEvent? {
        while true {
            if let event = try parser.next(&buffer) { return event }
            guard await more() else { return nil }
        }
    }

    /// The next text message.
    func text() async throws -> String {
        guard case .text(let message)? = try await event() else { throw Ended() }
        return String(buffer: message)
    }

    /// True when the server closes, whatever it says before.
    func closes() async throws -> Bool {
        while let event = try await event() {
            if case .close = event { return true }
        }
        return true
    }
}
