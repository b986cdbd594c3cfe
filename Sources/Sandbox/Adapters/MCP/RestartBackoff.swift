/// When a server that ended may be started again: at once the first time, then after half a second, doubled each time, at most thirty.
///
/// One that answered anything starts over. Pure: the moments are given.
struct RestartBackoff: Sendable {
    private var failures = 0
    private var notBefore: ContinuousClock.Instant?

    static let first = Duration.milliseconds(500)
    static let longest = Duration.seconds(30)

    /// Whether it may be started now.
    func allowsStart(at now: ContinuousClock.Instant) -> Bool { notBefore.map { $0 <= now } ?? true }

    /// It ended, or could not be started.
    mutating func ended(at now: ContinuousClock.Instant, didWork: Bool) {
        failures = didWork ? 0 : failures + 1
        guard failures > 1 else {
            notBefore = nil
            return
        }
        notBefore = now + min(Self.first * (1 << min(failures - 2, 10)), Self.longest)
    }
}
