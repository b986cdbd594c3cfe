internal import NIOCore

/// A bucket of tokens that fills by itself, kept as one time: when it will be full again. Pure, and 8 bytes.
///
/// Whoever finds one token in it may take more than there is; the rest is owed, and nobody gets anything until it is paid. So a
/// packet of any size passes some time, and the average holds.
struct TokenBucket: Sendable, Hashable {
    private var fullAt: Int64 = 0

    /// - Returns: nil when there is a token; otherwise how long until there is.
    func wait(_ rate: RateLimits.Rate, at now: NIODeadline) -> TimeAmount? {
        let excess = owed(at: now) + Self.nanoseconds(1, rate) - Self.nanoseconds(rate.burst, rate)
        return excess > 0 ? .nanoseconds(excess) : nil
    }

    mutating func take(_ amount: Int, _ rate: RateLimits.Rate, at now: NIODeadline) {
        fullAt = Self.nanoseconds(now) + owed(at: now) + Self.nanoseconds(amount, rate)
    }

    func isFull(at now: NIODeadline) -> Bool { owed(at: now) == 0 }

    private func owed(at now: NIODeadline) -> Int64 { max(0, fullAt - Self.nanoseconds(now)) }

    private static func nanoseconds(_ now: NIODeadline) -> Int64 { Int64(clamping: now.uptimeNanoseconds) }

    /// How long so many tokens take to come. At most 73 years, so that the sum of three of them does not overflow.
    private static func nanoseconds(_ amount: Int, _ rate: RateLimits.Rate) -> Int64 {
        let time = Int128(max(0, amount)) * Int128(rate.period.timeAmount.nanoseconds) / Int128(rate.count)
        return Int64(min(time, 1 << 61))
    }
}

extension TimeAmount {
    /// Whole seconds, rounded up, for `Retry-After`.
    var retryAfterSeconds: Int64 { max(1, (nanoseconds + 999_999_999) / 1_000_000_000) }
    /// Seconds with three decimals, rounded up.
    var retryAfterText: String {
        let milliseconds = max(1, (nanoseconds + 999_999) / 1_000_000)
        let fraction = String(milliseconds % 1_000)
        return "\(milliseconds / 1_000).\(String(repeating: "0", count: 3 - fraction.utf8.count))\(fraction)"
    }
}
