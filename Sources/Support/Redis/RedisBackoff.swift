/// How long to wait before the next attempt: doubles from the first pause to the longest, and half of each is random.
package struct RedisBackoff: Sendable, Equatable {
    package var first: Int64
    package var longest: Int64 = RedisLimits.backoffLongestMilliseconds

    package init(
        first: Int64 = RedisLimits.backoffFirstMilliseconds, longest: Int64 = RedisLimits.backoffLongestMilliseconds
    ) {
        self.first = first
        self.longest = longest
    }

    /// Milliseconds before attempt number `attempt` (0 is the first after a loss).
    func pause(attempt: Int, random: inout some RandomNumberGenerator) -> Int64 {
        var pause = first
        for _ in 0..<max(attempt, 0) where pause < longest { pause *= 2 }
        pause = min(pause, longest)
        return pause / 2 + Int64.random(in: 0...(pause - pause / 2), using: &random)
    }
}
