/// How fast clients may ask for things (attack 26). Everything is unlimited unless it is set, as in the reference.
///
/// Two of the limits are of one session, whoever it is; the others are of one address, so that a stranger cannot take all
/// places. IPv6 is counted by its /64, which is the least that one customer of a provider has.
public struct RateLimits: Sendable {
    /// So much in a period on average, and so much at once after a pause.
    public struct Rate: Sendable, Hashable {
        /// How many in a ``period`` on average.
        public let count: Int
        /// A second unless it was said.
        public let period: Duration
        /// How many at once.
        public let burst: Int

        /// - Throws: ``TransportConfigurationError`` for numbers that are not from 1 to 1,000,000,000, and periods not from a millisecond to
        ///   a day.
        public init(_ count: Int, per period: Duration = .seconds(1), burst: Int) throws(TransportConfigurationError) {
            guard (1...1_000_000_000).contains(count), (1...1_000_000_000).contains(burst) else {
                throw TransportConfigurationError(setting: "rateLimits", reason: "must have rates and bursts from 1 to 1,000,000,000")
            }
            guard period >= .milliseconds(1), period <= .seconds(86_400) else {
                throw TransportConfigurationError(setting: "rateLimits", reason: "must have periods from 1 ms to a day")
            }
            self.count = count
            self.period = period
            self.burst = burst
        }
    }

    /// What becomes of a packet that comes too soon.
    public enum Response: String, Sendable, CaseIterable {
        /// It is not handled, and whoever waits for its acknowledgement is told so. A session that goes on like that is
        /// closed after ``TransportLimits/droppedPacketsMax``.
        case drop
        /// The session is closed with ``DisconnectReason/rateLimited``.
        case disconnect
    }

    /// Packets of one session: events, attempts to join a namespace, and acknowledgements that nobody waits for.
    public var events: Rate?
    /// Bytes of one session's packets, attachments included. One packet may exceed the burst: it is paid for afterwards.
    public var bytes: Rate?
    /// Of packets and bytes; addresses are refused by HTTP.
    public var onExceeded = Response.drop
    /// How many packets an event counts for, by its namespace and name; 0 is free. Nil: each counts for one. Called on
    /// the session's loop, so it must be quick.
    public var eventCost: (@Sendable (_ namespace: String, _ event: String) -> Int)?

    /// New sessions of one address.
    public var sessions: Rate?
    /// WebSocket upgrades of one address, of new sessions and of those on polling.
    public var upgrades: Rate?
    /// Sessions of one address that are open at one time.
    public var openSessionsMax: Int?
    /// Addresses that are told apart. Those beyond it share one place, and so its limits, until others are forgotten: an
    /// address is when it has no session and its rates are full again.
    public var addressesMax = 65_536
    /// The machine's own addresses have no limits of addresses. Whoever is there is the operator, or a proxy that
    /// ``TransportConfiguration/trustedProxies`` does not name: then all its clients would be one.
    public var exemptsLoopback = true

    /// No limits.
    public init() {}

    var limitsPackets: Bool { events != nil || bytes != nil }
    var limitsAddresses: Bool { sessions != nil || upgrades != nil || openSessionsMax != nil }

    func check() throws(TransportConfigurationError) {
        if let openSessionsMax, openSessionsMax < 1 {
            throw TransportConfigurationError(setting: "rateLimits.openSessionsMax", reason: "must be at least 1")
        }
        guard (1...10_000_000).contains(addressesMax) else {
            throw TransportConfigurationError(setting: "rateLimits.addressesMax", reason: "must lie between 1 and 10,000,000")
        }
    }
}
