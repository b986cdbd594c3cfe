import Testing
import Transport

@testable import kdcube

@Suite("Settings of rate limits and of the drain") struct RateLimitSettingsTests {
    private func load(_ yaml: String? = nil, environment: [String: String] = [:]) throws -> Configuration {
        try Configuration(tree: SettingsTree(yaml: yaml, flags: [:], environment: environment))
    }

    @Test("attack 26: limits are on unless they are turned off, and far above what people do") func defaults() throws {
        let limits = try load().transport.rateLimits.limits()
        #expect(try limits.events == .init(200, burst: 1_000) && limits.bytes == .init(4 << 20, burst: 16 << 20))
        #expect(try limits.sessions == .init(100, burst: 2_000) && limits.upgrades == .init(100, burst: 2_000))
        #expect(limits.openSessionsMax == 10_000 && limits.addressesMax == 65_536)
        #expect(limits.onExceeded == .drop && limits.exemptsLoopback)
        #expect(try load().server.trustedProxies.isEmpty)
    }

    @Test("each limit is set or turned off by itself, from the file or the environment") func parsing() throws {
        let yaml = """
            server: { trusted_proxies: [127.0.0.1, "fd00::/8"] }
            transport:
              rate_limits: { events: 0, bytes: 0, sessions: 5, sessions_burst: 6, upgrades: 0, open_sessions: 0, on_exceeded: disconnect, exempt_loopback: false }
            """
        let configuration = try load(yaml, environment: ["KDCUBE_TRANSPORT_RATE_LIMITS_ADDRESSES": "10"])
        let limits = try configuration.transport.rateLimits.limits()
        #expect(limits.events == nil && limits.bytes == nil && limits.upgrades == nil && limits.openSessionsMax == nil)
        #expect(try limits.sessions == .init(5, burst: 6))
        #expect(limits.onExceeded == .disconnect && limits.addressesMax == 10 && !limits.exemptsLoopback)
        #expect(configuration.server.trustedProxies == ["127.0.0.1", "fd00::/8"])
        // Whoever raises a rate does not have to think of the burst.
        #expect(try load("transport: { rate_limits: { events: 5000 } }").transport.rateLimits.limits().events == .init(5_000, burst: 5_000))
    }

    @Test(
        "what cannot be meant is refused",
        arguments: [
            ("transport: { rate_limits: { event: 5 } }", "transport.rate_limits.event"),
            ("transport: { rate_limits: { events: -1 } }", "transport.rate_limits.events"),
            ("transport: { rate_limits: { events_burst: 0 } }", "transport.rate_limits.events_burst"),
            ("transport: { rate_limits: { on_exceeded: wait } }", "transport.rate_limits.on_exceeded"),
            ("server: { trusted_proxies: [nginx] }", "server.trusted_proxies"),
            ("server: { trusted_proxies: [10.0.0.0/40] }", "server.trusted_proxies"),
        ]) func refused(_ yaml: String, _ setting: String)
    {
        #expect { try load(yaml) } throws: { ($0 as? ConfigurationError)?.setting == setting }
    }

    @Test("check-config shows what is in force") func masked() throws {
        let shown = try load("transport: { rate_limits: { events: 7 } }").masked
        #expect(shown["transport"]?["rate_limits"]?["events"] == 7)
        #expect(shown["server"]?["trusted_proxies"] == [])
    }
}
