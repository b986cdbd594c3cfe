import NIOCore
import Testing

@testable import Transport

@Suite("Attack 26: token buckets") struct TokenBucketTests {
    private let rate: RateLimits.Rate

    init() throws { rate = try RateLimits.Rate(10, burst: 5) }

    private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000_000) + .milliseconds(milliseconds) }

    @Test("attack 26: the burst comes at once, then one every tenth of a second, and after a pause the burst again") func average() {
        var bucket = TokenBucket()
        func take(_ milliseconds: Int64) -> TimeAmount? {
            if let wait = bucket.wait(rate, at: at(milliseconds)) { return wait }
            bucket.take(1, rate, at: at(milliseconds))
            return nil
        }
        for _ in 0..<5 { #expect(take(0) == nil) }
        #expect(take(0) == .milliseconds(100))
        #expect(take(99) == .milliseconds(1))
        #expect(take(100) == nil)
        #expect(take(100) == .milliseconds(100))
        #expect(!bucket.isFull(at: at(599)))
        #expect(bucket.isFull(at: at(600)))
        for _ in 0..<5 { #expect(take(60_000) == nil) }
        #expect(take(60_000) == .milliseconds(100))
    }

    @Test("attack 26: an amount over the burst passes when something is there, and is paid for afterwards") func debt() {
        var bucket = TokenBucket()
        #expect(bucket.wait(rate, at: at(0)) == nil)
        bucket.take(25, rate, at: at(0))
        // 25 tokens take 2.5 s; the burst of 5 is half a second; one token is there a tenth later.
        #expect(bucket.wait(rate, at: at(0)) == .milliseconds(2_100))
        #expect(bucket.wait(rate, at: at(2_099)) == .milliseconds(1))
        #expect(bucket.wait(rate, at: at(2_100)) == nil)
    }

    @Test("attack 26: the largest rates and amounts do not overflow, and negative ones give nothing back") func extremes() throws {
        let slow = try RateLimits.Rate(1, per: .seconds(86_400), burst: 1_000_000_000)
        var bucket = TokenBucket()
        bucket.take(.max, slow, at: at(0))
        bucket.take(.max, slow, at: at(0))
        #expect(bucket.wait(slow, at: at(0)) != nil)
        let fast = try RateLimits.Rate(1_000_000_000, burst: 1_000_000_000)
        var quick = TokenBucket()
        quick.take(1_000_000_000, fast, at: at(0))
        #expect(quick.wait(fast, at: at(0)) == .nanoseconds(1))
        var other = TokenBucket()
        other.take(5, rate, at: at(0))
        other.take(-5, rate, at: at(0))
        #expect(other.wait(rate, at: at(0)) == .milliseconds(100))
        for (count, burst) in [(0, 1), (1, 0), (-1, 1), (1_000_000_001, 1)] {
            #expect(throws: TransportConfigurationError.self) { try RateLimits.Rate(count, burst: burst) }
        }
        for period in [Duration.zero, .seconds(86_401)] {
            #expect(throws: TransportConfigurationError.self) { try RateLimits.Rate(1, per: period, burst: 1) }
        }
    }

    @Test("attack 26: waits are told in whole seconds to HTTP, and exactly to Socket.IO; never as nothing") func texts() {
        #expect(TimeAmount.milliseconds(1_001).retryAfterSeconds == 2)
        #expect(TimeAmount.nanoseconds(1).retryAfterSeconds == 1)
        #expect(TimeAmount.nanoseconds(1).retryAfterText == "0.001")
        #expect(TimeAmount.milliseconds(1_050).retryAfterText == "1.050")
    }
}
