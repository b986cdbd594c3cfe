import NIOCore
import Testing

@testable import Transport

@Suite("Attack 26: what a session may send") struct PacketLimiterTests {
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func limits(_ change: (inout RateLimits) throws -> Void) rethrows -> RateLimits {
        var limits = RateLimits()
        try change(&limits)
        return limits
    }

    @Test("attack 26: packets and bytes are limited each by itself, and what is dropped is not paid for") func both() throws {
        let limits = try limits {
            $0.events = try .init(10, burst: 2)
            $0.bytes = try .init(1_000, burst: 1_000)
        }
        var limiter = PacketLimiter()
        func packet(_ bytes: Int, cost: Int = 1, at milliseconds: Int64) -> PacketLimiter.Verdict {
            limiter.received(bytes)
            return limiter.judge(cost: cost, limits, at: now + .milliseconds(milliseconds))
        }
        #expect(packet(10, at: 0) == .admit)
        // With its attachments over the burst: it passes once.
        limiter.received(1_500)
        #expect(packet(500, at: 0) == .admit)
        #expect(packet(10, at: 0) == .drop(.events, retryAfter: .milliseconds(100)))
        #expect(packet(10, at: 500) == .drop(.bytes, retryAfter: .milliseconds(511)))
        // Free of events, not of bytes.
        #expect(packet(10, cost: 0, at: 500) == .drop(.bytes, retryAfter: .milliseconds(511)))
        #expect(packet(10, at: 1_011) == .admit)
    }

    @Test("attack 26: an event may count for several, or for none") func costs() throws {
        let limits = try limits { $0.events = try .init(10, burst: 4) }
        var limiter = PacketLimiter()
        for _ in 0..<100 { #expect(limiter.judge(cost: 0, limits, at: now) == .admit) }
        #expect(limiter.judge(cost: 4, limits, at: now) == .admit)
        #expect(limiter.judge(cost: 1, limits, at: now) == .drop(.events, retryAfter: .milliseconds(100)))
    }

    @Test("attack 26: whoever goes on after a thousand refusals is disconnected, and whoever pauses is not") func persistent() throws {
        let limits = try limits { $0.events = try .init(1, burst: 1) }
        var limiter = PacketLimiter()
        #expect(limiter.judge(cost: 1, limits, at: now) == .admit)
        for _ in 0..<TransportLimits.droppedPacketsMax {
            #expect(limiter.judge(cost: 1, limits, at: now) == .drop(.events, retryAfter: .seconds(1)))
        }
        var patient = limiter
        #expect(patient.judge(cost: 1, limits, at: now + .seconds(1)) == .admit)
        #expect(patient.judge(cost: 1, limits, at: now + .seconds(1)) == .drop(.events, retryAfter: .seconds(1)))
        #expect(limiter.judge(cost: 1, limits, at: now) == .disconnect(.events))
    }

    @Test("attack 26: the first packet too many ends the session where that is asked for") func strict() throws {
        let limits = try limits {
            $0.events = try .init(1, burst: 1)
            $0.onExceeded = .disconnect
        }
        var limiter = PacketLimiter()
        #expect(limiter.judge(cost: 1, limits, at: now) == .admit)
        #expect(limiter.judge(cost: 1, limits, at: now) == .disconnect(.events))
    }
}
