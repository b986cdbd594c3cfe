internal import NIOCore
public import TransportWire

/// What an operator or an application decides about the transport. The defaults are the reference server's
/// (reference implementation 4.8, *Server options*), with a bounded queue and a stricter origin policy.
public struct TransportConfiguration: Sendable {
    /// Begins and ends with a slash.
    public let path: String
    /// From a pong, or the open packet, to the next ping (E12).
    public let pingInterval: Duration
    /// From a ping to the close of a session that did not answer (E12).
    public let pingTimeout: Duration
    /// Bytes of a polling body and of a WebSocket message (E22).
    public let maxPayload: Int
    /// From the candidate's connection to its upgrade packet (E30).
    public let upgradeTimeout: Duration
    /// From the open packet to the first joined namespace (S10).
    public let connectTimeout: Duration
    /// The longest that an acknowledgement is waited for when the caller names no time (S22).
    public let ackTimeout: Duration
    /// Bytes that wait for a slow reader before it is disconnected.
    public let queueBytesMax: Int
    /// Which pages may talk to the server.
    public let origins: OriginPolicy
    /// Whether a polling session may go on over a WebSocket (E18).
    public let allowUpgrades: Bool
    /// The name of the affinity cookie (E37); nil sends none.
    public let cookie: String?
    /// The first three bytes of every session id, so that a cluster can route by it; nil takes a random one.
    public let nodeID: UInt32?
    /// Sent to every session right after the open packet, in the same poll's body (E10).
    public let initialPacket: InitialPacket?
    /// Adds fields to the answer that opens a session, once a session: a polling answer or a 101 (E34, `initial_headers`).
    public let initialHeaders: HeaderHook?
    /// Adds fields to every answer under the path, polling and upgrades, refusals too (E34, `headers`).
    public let headers: HeaderHook?
    /// Compresses polling answers of ``TransportLimits/compressionBytesMin`` and more for clients that accept it (E24).
    public let httpCompression: Bool
    /// What WebSockets may agree on of permessage-deflate (RFC 7692); nil: they do not compress.
    public let deflate: DeflatePolicy?
    /// How Socket.IO packets are written (S9): one for all clients of a server.
    public let parser: PacketParser
    /// Serves clients of Engine.IO 3 and Socket.IO 2 too (L1–L6). Every `EIO` but 4, and none, then means revision 3. The
    /// id of such a client's socket is its session's id, which is a secret elsewhere: see docs/protocol.md.
    public let allowEIO3: Bool
    /// Whether clients that lost their connection find their sockets again; nil: they do not (R1).
    public let recovery: RecoveryPolicy?
    /// How fast clients may ask (attack 26); unlimited unless it says so.
    public let rateLimits: RateLimits
    /// Proxies whose `X-Forwarded-For` is believed: of their requests the client's address is the one that they name, for the limits
    /// of addresses and in ``Handshake/address``. None: whoever is connected is the client.
    public let trustedProxies: [AddressBlock]
    /// How long a session lives at most; nil: as long as its client likes. With it the middlewares are asked also for sockets that come back, whatever
    /// ``RecoveryPolicy/skipMiddlewares`` says: that is what it is for.
    public let connectionLifetime: ConnectionLifetime?

    /// - Throws: ``TransportConfigurationError`` naming the setting that is out of range.
    public init(
        path: String = "/socket.io/", pingInterval: Duration = .seconds(25), pingTimeout: Duration = .seconds(20),
        maxPayload: Int = 1_000_000, upgradeTimeout: Duration = .seconds(10), connectTimeout: Duration = .seconds(45),
        ackTimeout: Duration = .seconds(10), queueBytesMax: Int = 1 << 20, origins: OriginPolicy = .sameHost(),
        allowUpgrades: Bool = true, cookie: String? = nil, nodeID: UInt32? = nil, initialPacket: InitialPacket? = nil,
        initialHeaders: HeaderHook? = nil, headers: HeaderHook? = nil, httpCompression: Bool = true,
        deflate: DeflatePolicy? = nil, parser: PacketParser = .json, allowEIO3: Bool = false, recovery: RecoveryPolicy? = nil,
        rateLimits: RateLimits = RateLimits(), trustedProxies: [AddressBlock] = [], connectionLifetime: ConnectionLifetime? = nil
    ) throws(TransportConfigurationError) {
        guard path.hasPrefix("/"), path.hasSuffix("/"), path.utf8.count > 1 else {
            throw TransportConfigurationError(setting: "path", reason: "must begin and end with a slash and not be empty")
        }
        for (setting, value) in [
            ("pingInterval", pingInterval), ("pingTimeout", pingTimeout), ("upgradeTimeout", upgradeTimeout),
            ("connectTimeout", connectTimeout), ("ackTimeout", ackTimeout),
        ] where value < .milliseconds(10) || value > .seconds(86_400) {
            throw TransportConfigurationError(setting: setting, reason: "must lie between 10 ms and a day")
        }
        guard (1_024...(64 << 20)).contains(maxPayload) else {
            throw TransportConfigurationError(setting: "maxPayload", reason: "must lie between 1 KiB and 64 MiB")
        }
        guard (1_024...(1 << 30)).contains(queueBytesMax) else {
            throw TransportConfigurationError(setting: "queueBytesMax", reason: "must lie between 1 KiB and 1 GiB")
        }
        if let nodeID, nodeID >= 1 << 24 {
            throw TransportConfigurationError(setting: "nodeID", reason: "must be less than 2^24")
        }
        if let cookie, !Self.isToken(cookie) {
            throw TransportConfigurationError(setting: "cookie", reason: "must be a cookie name (RFC 6265 §4.1.1)")
        }
        try rateLimits.check()
        if let initialPacket { try Self.check(initialPacket, maxPayload: maxPayload, queueBytesMax: queueBytesMax) }
        self.path = path
        self.pingInterval = pingInterval
        self.pingTimeout = pingTimeout
        self.maxPayload = maxPayload
        self.upgradeTimeout = upgradeTimeout
        self.connectTimeout = connectTimeout
        self.ackTimeout = ackTimeout
        self.queueBytesMax = queueBytesMax
        self.origins = origins
        self.allowUpgrades = allowUpgrades
        self.cookie = cookie
        self.nodeID = nodeID
        self.initialPacket = initialPacket
        self.initialHeaders = initialHeaders
        self.headers = headers
        self.httpCompression = httpCompression
        self.deflate = deflate
        self.parser = parser
        self.allowEIO3 = allowEIO3
        self.recovery = connectionLifetime == nil ? recovery : recovery?.withMiddlewares
        self.rateLimits = rateLimits
        self.trustedProxies = trustedProxies
        self.connectionLifetime = connectionLifetime
    }

    /// It must fit in one polling body behind the open packet, and in the queue of a session.
    private static func check(
        _ packet: InitialPacket, maxPayload: Int, queueBytesMax: Int
    ) throws(TransportConfigurationError) {
        let room = min(maxPayload, queueBytesMax) - TransportLimits.openPacketBytesMax
        guard packet.encodedLength <= min(room, TransportLimits.initialPacketBytesMax) else {
            throw TransportConfigurationError(
                setting: "initialPacket", reason: "must be at most 64 KiB, and 256 bytes less than maxPayload and queueBytesMax")
        }
        if case .text(let text) = packet, text.utf8.contains(PollingPayload.separator) {
            throw TransportConfigurationError(setting: "initialPacket", reason: "must not hold U+001E")
        }
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                let character = Unicode.Scalar(byte)
                return byte < 0x80 && character.properties.isAlphabetic || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F
            }
    }
}

/// A setting that is out of range, and what it must be.
public struct TransportConfigurationError: Error, Hashable, CustomStringConvertible {
    /// The parameter of the initialiser.
    public let setting: String
    /// What it must be: the end of a sentence that begins with its name.
    public let reason: String

    /// The setting and what it must be, in one line.
    public var description: String { "\(setting) \(reason)" }
}

extension Duration {
    /// Rounded down to nanoseconds. Configured durations are bounded, so this cannot overflow.
    var timeAmount: TimeAmount {
        let (seconds, attoseconds) = components
        return .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
    }
}
