import JSON
import NIOCore
import Synchronization
import Transport
import TransportWire

/// A clock that stands until a test moves it. A short `Mutex` guards it.
final class StandingClock: Sendable {
    private let microseconds = Mutex<UInt64>(1_700_000_000_000_000)

    var now: UInt64 { microseconds.withLock { $0 } }
    func advance(seconds: UInt64) { microseconds.withLock { $0 += seconds * 1_000_000 } }
}

/// What a stock client does about recovery: it remembers its `pid`, and of every event the last argument as its offset if
/// that is a string.
actor RecoveringClient {
    static let announcement = "kdcube_offset"

    private var server: TestServer
    private let namespace: String
    private var auth: JSONValue
    private var connection: TestConnection?
    private(set) var pid: JSONValue?
    private(set) var offset: JSONValue?
    private(set) var id = ""
    /// True when the last CONNECT gave the old `pid` again.
    private(set) var recovered = false
    /// The packets up to and with the last CONNECT, as they came.
    private(set) var greeting: [String] = []
    /// Offsets in the order of their coming.
    private(set) var offsets: [String] = []

    init(_ server: TestServer, namespace: String = "/", auth: JSONValue = [:]) {
        self.server = server
        self.namespace = namespace
        self.auth = auth
    }

    private var prefix: String { namespace == "/" ? "" : namespace + "," }

    func forge(pid: JSONValue? = nil, offset: JSONValue? = nil) {
        if let pid { self.pid = pid }
        if let offset { self.offset = offset }
    }

    func forgetOffset() { offset = nil }

    /// Where it connects next, and as whom.
    func turn(to server: TestServer, auth: JSONValue? = nil) {
        self.server = server
        if let auth { self.auth = auth }
    }

    /// Connects, and gives the events that came before the CONNECT packet, each as its name and arguments without the offset.
    @discardableResult
    func connect() async throws -> [JSONValue] {
        let connection = try await server.openWebSocket()
        self.connection = connection
        _ = try await connection.text()
        var payload = JSONObject()
        if let pid { payload["pid"] = pid }
        if let offset { payload["offset"] = offset }
        for member in auth.objectValue?.members ?? [] { payload[member.key] = member.value }
        connection.say("40\(prefix)\(String(decoding: JSONValue.object(payload).jsonBytes, as: UTF8.self))")
        var missed: [JSONValue] = []
        greeting = []
        while true {
            let text: String
            switch try await connection.event() {
            case .text(let message)?: text = String(buffer: message)
            case .binary?: continue
            default: throw TestConnection.Ended()
            }
            greeting.append(text)
            if text.hasPrefix("44\(prefix)") { throw TestConnection.Ended() }
            if text.hasPrefix("40\(prefix)") {
                let answer = try JSONValue(parsing: String(text.dropFirst(2 + prefix.utf8.count)))
                id = answer["sid"]?.stringValue ?? ""
                recovered = pid != nil && answer["pid"] == pid
                pid = answer["pid"]
                return missed
            }
            if let event = try take(text) { missed.append(event) }
        }
    }

    /// The connection ends without a word.
    func drop() async {
        guard let connection else { return }
        self.connection = nil
        // The server may have been faster.
        try? await connection.reset()
    }

    /// The next connection is another one; this one stays open, and is heard no more.
    func abandon() -> TestConnection? {
        defer { connection = nil }
        return connection
    }

    func say(_ text: String) { connection?.say(text) }
    func emit(_ json: String) { say("42\(prefix)\(json)") }

    /// The next event: its name and its arguments, without the offset. Announcements are taken in silence.
    func event() async throws -> JSONValue {
        while true {
            guard let connection else { throw TestConnection.Ended() }
            if let event = try take(try await connection.text()) { return event }
        }
    }

    /// The next packet as it came; announcements too.
    func packet() async throws -> String {
        guard let connection else { throw TestConnection.Ended() }
        let text = try await connection.text()
        _ = try take(text)
        return text
    }

    private func take(_ text: String) throws -> JSONValue? {
        guard text.hasPrefix("42\(prefix)"), let start = text.firstIndex(of: "[") else { return nil }
        guard var arguments = try JSONValue(parsing: String(text[start...])).arrayValue else { return nil }
        // An event that asks for an answer has a function as its last argument: never an offset.
        guard text[..<start] == "42\(prefix)" else { return .array(arguments) }
        if case .string(let last)? = arguments.last {
            offset = .string(last)
            offsets.append(last)
            arguments.removeLast()
        }
        return arguments.first == .string(Self.announcement) ? nil : .array(arguments)
    }
}

extension TestServer {
    /// A server whose clients may come back, and whose heartbeat does not come in between.
    static func recovering(
        loops: Int = 1, duration: Duration = .seconds(120), skipMiddlewares: Bool = true, eventsMax: Int = 1_000, bytesMax: Int = 1 << 20,
        socketsMax: Int = 100, queueBytesMax: Int = 1 << 20, clock: StandingClock = StandingClock(), logger: LogCapture? = nil,
        _ setUp: @escaping @Sendable (SocketIOServer) -> Void, _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let policy = try RecoveryPolicy(
            maxDisconnectionDuration: duration, skipMiddlewares: skipMiddlewares, eventsMax: eventsMax, bytesMax: bytesMax,
            socketsMax: socketsMax
        ) { clock.now }
        let configuration = try TransportConfiguration(
            pingInterval: .seconds(30), pingTimeout: .seconds(20), ackTimeout: .seconds(20), queueBytesMax: queueBytesMax, origins: .any,
            recovery: policy)
        try await socketIO(configuration, loops: loops, logger: logger?.logger, setUp: setUp, body)
    }

    func recoveries(_ outcome: String, _ count: Int) async throws -> Bool {
        try await shows("kdcube_recoveries_total{outcome=\"\(outcome)\"} \(count)")
    }
}
