import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A TCP client that sends exactly what a test says and keeps what comes back. Never blocks a thread.
final class RawClient: Sendable {
    struct TimedOut: Error { let received: String }

    /// What has arrived, and who waits for more.
    private struct State {
        var bytes: [UInt8] = []
        var isEnded = false
        var endedAt: ContinuousClock.Instant?
        var waiters: [(id: Int, wants: @Sendable ([UInt8], Bool) -> Bool, promise: EventLoopPromise<Void>)] = []
        var nextID = 0
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let client: RawClient
        init(_ client: RawClient) { self.client = client }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { client.received(Array(unwrapInboundIn(data).readableBytesView)) }
        func channelInactive(context: ChannelHandlerContext) { client.ended() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { client.ended() }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed? = event as? ChannelEvent { client.ended() }
        }
    }

    private let state = Mutex(State())
    private let box = Mutex<(any Channel)?>(nil)
    var channel: any Channel {
        get throws {
            guard let channel = box.withLock({ $0 }) else { throw ChannelError.ioOnClosedChannel }
            return channel
        }
    }

    static func connect(
        _ port: Int, host: String = "127.0.0.1", receiveBuffer: Int? = nil, tls: NIOSSLContext? = nil
    ) async throws -> RawClient {
        let client = RawClient()
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: nil)) }
                    try channel.pipeline.syncOperations.addHandler(Collector(client))
                }
            }
        if let receiveBuffer { bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: receiveBuffer) }
        let channel = try await bootstrap.connect(host: host, port: port).get()
        client.box.withLock { $0 = channel }
        return client
    }

    private func received(_ bytes: [UInt8]) {
        settle { $0.bytes += bytes }
    }

    private func ended() {
        settle {
            $0.isEnded = true
            $0.endedAt = $0.endedAt ?? .now
        }
    }

    private func settle(_ change: (inout State) -> Void) {
        let ready = state.withLock { state in
            change(&state)
            let ready = state.waiters.filter { $0.wants(state.bytes, state.isEnded) }
            state.waiters.removeAll { waiter in ready.contains { $0.id == waiter.id } }
            return ready
        }
        for waiter in ready { waiter.promise.succeed() }
    }

    /// Waits until `wants` is true of what has arrived; fails after `timeout`.
    func wait(timeout: TimeAmount = .seconds(20), _ wants: @escaping @Sendable ([UInt8], _ isEnded: Bool) -> Bool) async throws {
        let loop = try channel.eventLoop
        let promise = loop.makePromise(of: Void.self)
        let id = state.withLock { state -> Int? in
            if wants(state.bytes, state.isEnded) { return nil }
            state.nextID += 1
            state.waiters.append((state.nextID, wants, promise))
            return state.nextID
        }
        guard let id else { return promise.succeed() }
        let alarm = loop.scheduleTask(in: timeout) {
            let late = self.state.withLock { state in
                let late = state.waiters.contains { $0.id == id }
                state.waiters.removeAll { $0.id == id }
                return late
            }
            if late { promise.fail(TimedOut(received: String(self.text.prefix(2000)))) }
        }
        try await promise.futureResult.get()
        alarm.cancel()
    }

    var text: String { state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var byteCount: Int { state.withLock { $0.bytes.count } }
    var isEnded: Bool { state.withLock { $0.isEnded } }
    var endedAt: ContinuousClock.Instant? { state.withLock { $0.endedAt } }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func send(bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    func wait(for text: String, timeout: TimeAmount = .seconds(20)) async throws {
        let wanted = Array(text.utf8)
        try await wait(timeout: timeout) { bytes, _ in bytes.contains(subsequence: wanted) }
    }

    /// Everything until the server's FIN or reset.
    func readToEnd(timeout: TimeAmount = .seconds(20)) async throws -> String {
        try await wait(timeout: timeout) { _, isEnded in isEnded }
        return text
    }

    /// Takes the next whole response off what has arrived.
    func response(isHead: Bool = false, timeout: TimeAmount = .seconds(20)) async throws -> RawResponse {
        try await wait(timeout: timeout) { bytes, isEnded in RawResponse.parse(bytes, isHead: isHead, isEnded: isEnded) != nil || isEnded }
        return try state.withLock { state in
            guard let (response, used) = RawResponse.parse(state.bytes, isHead: isHead, isEnded: state.isEnded) else {
                throw TimedOut(received: String(decoding: state.bytes.prefix(2000), as: UTF8.self))
            }
            state.bytes.removeFirst(used)
            return response
        }
    }

    /// Takes as many responses that are all as long as the first, and only looks how they begin: to read many takes a debug build long.
    ///
    /// - Returns: how many begin so.
    func responses(_ count: Int, beginning text: String, timeout: TimeAmount = .seconds(60)) async throws -> Int {
        try await wait(timeout: timeout) { bytes, isEnded in RawResponse.parse(bytes, isHead: false, isEnded: isEnded) != nil || isEnded }
        let length = state.withLock { RawResponse.parse($0.bytes, isHead: false, isEnded: $0.isEnded)?.used } ?? 1
        try await wait(timeout: timeout) { bytes, isEnded in bytes.count >= count * length || isEnded }
        let wanted = Array(text.utf8)
        return state.withLock { state in
            let taken = Array(state.bytes.prefix(count * length))
            state.bytes.removeFirst(taken.count)
            return stride(from: 0, to: taken.count, by: length).count { taken[$0...].starts(with: wanted) }
        }
    }

    func request(_ method: String, _ path: String, headers: [String] = [], body: String? = nil) async throws -> RawResponse {
        try await send(Self.request(method, path, headers: headers, body: body))
        return try await response(isHead: method == "HEAD")
    }

    static func request(_ method: String, _ path: String, headers: [String] = [], body: String? = nil) -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: test"] + headers
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
    }

    func halfClose() async throws { try await channel.close(mode: .output).get() }
    func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }
    func close() async { try? await channel.close().get() }

    /// Closes with a reset instead of a FIN.
    func reset() async throws {
        let options = try #require(try channel as? any SocketOptionProvider)
        try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try await channel.close().get()
    }
}

/// One HTTP response as it came over the wire.
struct RawResponse: Sendable {
    var status: Int
    var headers: [(name: String, value: String)]
    var body: String

    subscript(name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }

    /// - Returns: nil while the response is not whole. Names are in lower case.
    static func parse(_ bytes: [UInt8], isHead: Bool, isEnded: Bool) -> (RawResponse, used: Int)? {
        guard let headEnd = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<headEnd.lowerBound], as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let status = Int(first.split(separator: " ").dropFirst().first ?? "") else { return nil }
        let headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (name: parts[0].lowercased(), value: parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        var response = RawResponse(status: status, headers: headers, body: "")
        let start = headEnd.upperBound
        if isHead || status < 200 || status == 204 || status == 304 { return (response, start) }
        if let length = response["content-length"].flatMap({ Int($0) }) {
            guard bytes.count >= start + length else { return nil }
            response.body = String(decoding: bytes[start..<start + length], as: UTF8.self)
            return (response, start + length)
        }
        if response["transfer-encoding"] == "chunked" {
            guard let (body, end) = unchunk(bytes, start) else { return nil }
            response.body = String(decoding: body, as: UTF8.self)
            return (response, end)
        }
        guard isEnded else { return nil }
        response.body = String(decoding: bytes[start...], as: UTF8.self)
        return (response, bytes.count)
    }

    private static func unchunk(_ bytes: [UInt8], _ start: Int) -> (body: [UInt8], end: Int)? {
        var body: [UInt8] = []
        var index = start
        while true {
            guard let line = bytes[index...].firstRange(of: [13, 10]),
                let size = Int(String(decoding: bytes[index..<line.lowerBound], as: UTF8.self), radix: 16),
                bytes.count >= line.upperBound + size + 2
            else { return nil }
            body += bytes[line.upperBound..<line.upperBound + size]
            index = line.upperBound + size + 2
            if size == 0 { return (body, index) }
        }
    }
}

extension RandomAccessCollection<UInt8> where Index == Int {
    func contains(subsequence: [UInt8]) -> Bool { firstRange(of: subsequence) != nil }

    func firstRange(of wanted: [UInt8]) -> Range<Int>? {
        guard count >= wanted.count else { return nil }
        var index = startIndex
        let last = endIndex - wanted.count
        while index <= last {
            if self[index] == wanted[0], self[index..<index + wanted.count].elementsEqual(wanted) { return index..<index + wanted.count }
            index += 1
        }
        return nil
    }
}
