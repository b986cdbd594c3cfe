internal import JSON
internal import Transport

/// The transport's own: in `Configuration` its module's name is that of a section.
typealias RealtimeLimits = Transport.RateLimits

extension Configuration {
    /// How fast clients of the realtime server may ask (`transport.rate_limits`); 0 is no limit.
    ///
    /// The defaults are far above what people do, and what a company behind one address does: they are for programs that
    /// have gone wrong, and for those who mean harm.
    struct RateLimits: Sendable, Hashable {
        /// Packets of a session a second. A person types one in some seconds; a cursor that is followed sends thirty.
        var events = 200
        var eventsBurst = 1_000
        /// Bytes of a session's packets a second: four of the largest messages.
        var bytes = 4 << 20
        var bytesBurst = 16 << 20
        var onExceeded = RealtimeLimits.Response.drop
        /// Sessions of an address a second. After a break of the network two thousand clients behind one come at once, and more follow
        /// as they try again.
        var sessions = 100
        var sessionsBurst = 2_000
        /// Each session may become a WebSocket.
        var upgrades = 100
        var upgradesBurst = 2_000
        /// Sessions of an address at one time: half of the connections that a server takes.
        var openSessions = 10_000
        /// Addresses that are told apart, of about 100 bytes each.
        var addresses = 65_536
        var exemptsLoopback = true
    }
}

extension Configuration.RateLimits {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        events = try section.integer("events", default: events, in: 0...1_000_000)
        eventsBurst = try section.integer("events_burst", default: max(eventsBurst, events), in: 1...10_000_000)
        bytes = try section.bytes("bytes", default: bytes, in: 0...(1 << 30))
        bytesBurst = try section.bytes("bytes_burst", default: max(bytesBurst, bytes), in: 1_024...(1 << 30))
        if let value = try section.value("on_exceeded") {
            guard let response = RealtimeLimits.Response(rawValue: value.text) else {
                throw value.failure("must be one of drop, disconnect")
            }
            onExceeded = response
        }
        sessions = try section.integer("sessions", default: sessions, in: 0...1_000_000)
        sessionsBurst = try section.integer("sessions_burst", default: max(sessionsBurst, sessions), in: 1...10_000_000)
        upgrades = try section.integer("upgrades", default: upgrades, in: 0...1_000_000)
        upgradesBurst = try section.integer("upgrades_burst", default: max(upgradesBurst, upgrades), in: 1...10_000_000)
        openSessions = try section.integer("open_sessions", default: openSessions, in: 0...10_000_000)
        addresses = try section.integer("addresses", default: addresses, in: 1...10_000_000)
        exemptsLoopback = try section.flag("exempt_loopback", default: exemptsLoopback)
        try section.refuseUnknownKeys()
    }

    /// As the transport takes them.
    func limits() throws(TransportConfigurationError) -> RealtimeLimits {
        var limits = RealtimeLimits()
        limits.events = try Self.rate(events, eventsBurst)
        limits.bytes = try Self.rate(bytes, bytesBurst)
        limits.onExceeded = onExceeded
        limits.sessions = try Self.rate(sessions, sessionsBurst)
        limits.upgrades = try Self.rate(upgrades, upgradesBurst)
        limits.openSessionsMax = openSessions == 0 ? nil : openSessions
        limits.addressesMax = addresses
        limits.exemptsLoopback = exemptsLoopback
        return limits
    }

    private static func rate(_ perSecond: Int, _ burst: Int) throws(TransportConfigurationError) -> RealtimeLimits.Rate? {
        perSecond == 0 ? nil : try RealtimeLimits.Rate(perSecond, burst: burst)
    }

    var masked: JSONValue {
        [
            "events": .integer(Int64(events)), "events_burst": .integer(Int64(eventsBurst)), "bytes": .integer(Int64(bytes)),
            "bytes_burst": .integer(Int64(bytesBurst)), "on_exceeded": .string(onExceeded.rawValue),
            "sessions": .integer(Int64(sessions)), "sessions_burst": .integer(Int64(sessionsBurst)),
            "upgrades": .integer(Int64(upgrades)), "upgrades_burst": .integer(Int64(upgradesBurst)),
            "open_sessions": .integer(Int64(openSessions)), "addresses": .integer(Int64(addresses)),
            "exempt_loopback": .bool(exemptsLoopback),
        ]
    }
}

extension Configuration.Server {
    func drainPolicy() throws(TransportConfigurationError) -> DrainPolicy { try DrainPolicy(perSecond: drainRate, window: drain) }
}
