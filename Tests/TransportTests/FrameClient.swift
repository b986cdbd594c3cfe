import NIOCore
import NIOHPACK
import NIOHTTP1
import Synchronization

@testable import Transport

/// One HTTP/2 frame as it came over the wire (RFC 9113 §4.1).
struct Frame: Sendable {
    enum Kind: UInt8 { case data, headers, priority, reset, settings, push, ping, goAway, window, continuation }

    var kind: Kind?
    var flags: UInt8
    var stream: Int
    var payload: [UInt8]

    var endsStream: Bool { flags & 1 != 0 && (kind == .data || kind == .headers) }
    /// The code of a reset or a GOAWAY.
    var code: Int { payload.dropFirst(kind == .goAway ? 4 : 0).prefix(4).reduce(0) { $0 << 8 | Int($1) } }

    static func parse(_ bytes: [UInt8]) -> [Frame] {
        var (frames, index) = ([Frame](), 0)
        while bytes.count >= index + 9 {
            let length = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            guard bytes.count >= index + 9 + length else { break }
            let stream = bytes[index + 5..<index + 9].reduce(0) { $0 << 8 | Int($1) }
            frames.append(
                Frame(
                    kind: Kind(rawValue: bytes[index + 3]), flags: bytes[index + 4], stream: stream,
                    payload: Array(bytes[index + 9..<index + 9 + length])))
            index += 9 + length
        }
        return frames
    }

    static func bytes(_ kind: Kind, flags: UInt8 = 0, stream: Int = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), kind.rawValue, flags] + four(stream) + payload
    }

    static func four(_ number: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(number >> $0 & 255) } }

    /// A header block of literals without an index (RFC 7541 §6.2.2).
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0] + text($0.0) + text($0.1) }
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var (length, rest) = ([UInt8](arrayLiteral: 127), bytes.count - 127)
        while rest >= 128 {
            length.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }
}

/// A client of HTTP/2 over TLS that sends exactly the frames that a test says, and keeps what comes back. It opens windows only at the start.
final class FrameClient: Sendable {
    struct Answer: Sendable {
        var status = 0
        var headers: [String: String] = [:]
        var body = ""
        var isWhole = false
        /// The code of the reset, if there was one.
        var reset: Int?
    }

    let wire: RawClient
    private let next = Mutex(1)

    private init(_ wire: RawClient) { self.wire = wire }

    /// - Parameters:
    ///   - window: what the server may send on one stream before the test allows more.
    ///   - first: frames that go out at once with the preface.
    static func connect(
        _ server: FrontTestServer, window: Int = 1 << 24, protocols: [String] = ["h2"], receiveBuffer: Int? = nil, first: [UInt8] = []
    ) async throws -> FrameClient {
        try await begin(server.secureClient(protocols, receiveBuffer: receiveBuffer), window: window, first: first)
    }

    static func connect(port: Int) async throws -> FrameClient {
        try await begin(RawClient.connect(port, tls: TestCertificate.client(["h2"])), window: 1 << 24, first: [])
    }

    private static func begin(_ wire: RawClient, window: Int, first: [UInt8]) async throws -> FrameClient {
        let client = FrameClient(wire)
        let settings = Frame.bytes(.settings, [0, 4] + Frame.four(window))
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        try await client.wire.send(bytes: preface + settings + Frame.bytes(.window, Frame.four(1 << 26)) + first)
        try await client.wait { $0.contains { $0.kind == .settings && $0.flags == 0 } }
        try await client.send(Frame.bytes(.settings, flags: 1))
        return client
    }

    func send(_ frames: [UInt8]...) async throws { try await wire.send(bytes: frames.flatMap(\.self)) }

    func wait(_ wants: @escaping @Sendable ([Frame]) -> Bool) async throws {
        try await wire.wait { bytes, isEnded in isEnded || wants(Frame.parse(bytes)) }
        guard wants(frames) else { throw RawClient.TimedOut(received: "\(frames.map { ($0.kind, $0.flags, $0.stream) })") }
    }

    var frames: [Frame] { Frame.parse(wire.bytes) }

    func nextStream() -> Int {
        next.withLock { next in
            defer { next += 2 }
            return next
        }
    }

    static func fields(_ method: String, _ path: String) -> [(String, String)] {
        [(":method", method), (":scheme", "https"), (":path", path), (":authority", "test")]
    }

    /// The frames of a request. Without a body its head ends it, unless it is to stay open.
    static func request(
        _ stream: Int, _ method: String, _ path: String, _ more: [(String, String)] = [], body: [UInt8]? = nil, staysOpen: Bool = false
    ) -> [UInt8] {
        let ends: UInt8 = body == nil && !staysOpen ? 1 : 0
        var bytes = Frame.bytes(.headers, flags: 4 | ends, stream: stream, Frame.block(fields(method, path) + more))
        guard let body else { return bytes }
        var rest = body[...]
        repeat {
            let part = rest.prefix(16_384)
            rest = rest.dropFirst(16_384)
            bytes += Frame.bytes(.data, flags: rest.isEmpty && !staysOpen ? 1 : 0, stream: stream, Array(part))
        } while !rest.isEmpty
        return bytes
    }

    func get(_ path: String, _ method: String = "GET") async throws -> Answer {
        let stream = nextStream()
        try await send(Self.request(stream, method, path))
        return try await answer(stream)
    }

    func post(_ path: String, _ body: String) async throws -> Answer {
        let stream = nextStream()
        try await send(Self.request(stream, "POST", path, body: Array(body.utf8)))
        return try await answer(stream)
    }

    /// Waits until the stream has ended, one way or the other.
    func answer(_ stream: Int) async throws -> Answer {
        try await wait { $0.contains { $0.stream == stream && ($0.endsStream || $0.kind == .reset) } }
        return try sofar(stream)
    }

    /// What has come of a stream. Reads all heads of the connection in order, as their compression needs it.
    func sofar(_ stream: Int) throws -> Answer {
        var answer = Answer()
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        for frame in frames {
            if frame.kind == .headers {
                var block = ByteBuffer(bytes: frame.payload)
                let fields = try decoder.decodeHeaders(from: &block)
                guard frame.stream == stream else { continue }
                for (name, value, _) in fields { answer.headers[name] = value }
                answer.status = Int(fields.first(name: ":status") ?? "") ?? answer.status
            }
            guard frame.stream == stream else { continue }
            if frame.kind == .data { answer.body += String(decoding: frame.payload, as: UTF8.self) }
            if frame.kind == .reset { answer.reset = frame.code }
            if frame.endsStream { answer.isWhole = true }
        }
        return answer
    }

    /// Waits for a GOAWAY with this code and the end of the connection.
    func ended(_ code: Int) async throws {
        try await wire.wait { _, isEnded in isEnded }
        let codes = frames.filter { $0.kind == .goAway }.map(\.code)
        guard codes.last == code else { throw RawClient.TimedOut(received: "\(frames.suffix(5))") }
    }

    func close() async { await wire.close() }
}
