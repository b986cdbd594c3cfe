/// How long to wait before the next attempt: doubles from the first pause to the longest, and half of each is random.
struct RedisBackoff: Sendable, Equatable {
    var first: Int64 = RedisLimits.backoffFirstMilliseconds
    var longest: Int64 = RedisLimits.backoffLongestMilliseconds

    /// Milliseconds before attempt number `attempt` (0 is the first after a loss).
    func pause(attempt: Int, random: inout some RandomNumberGenerator) -> Int64 {
        var pause = first
        for _ in 0..<max(attempt, 0) where pause < longest { pause *= 2 }
        pause = min(pause, longest)
        return pause / 2 + Int64.random(in: 0...(pause - pause / 2), using: &random)
    }
}
