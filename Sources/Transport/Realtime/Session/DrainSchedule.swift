internal import NIOCore

/// How a server that ends lets its clients go (attack 29).
public struct DrainPolicy: Sendable, Hashable {
    /// Sessions that are closed a second, as long as ``window`` lets it.
    public let perSecond: Int
    /// How long it may take. When there are more sessions than the rate would close in it, they are closed faster: a supervisor waits for no
    /// longer than it was told.
    public let window: Duration

    /// - Throws: ``TransportConfigurationError`` naming the setting that is out of range.
    public init(perSecond: Int = 500, window: Duration = .seconds(10)) throws(TransportConfigurationError) {
        guard (1...1_000_000).contains(perSecond) else {
            throw TransportConfigurationError(setting: "perSecond", reason: "must lie between 1 and 1,000,000")
        }
        guard window >= .zero, window <= .seconds(3_600) else {
            throw TransportConfigurationError(setting: "window", reason: "must lie between 0 and an hour")
        }
        self.perSecond = perSecond
        self.window = window
    }
}

/// How many sessions a drain closes, and when. Pure; the clock comes with each question.
struct DrainSchedule {
    private let policy: DrainPolicy
    private let end: NIODeadline
    private var last: NIODeadline
    /// Sessions that may be closed, in thousand millionths. The first one at once: a server with few clients need not wait.
    private var credit = Self.whole

    /// Between two looks. A client's own jitter is far more.
    static let tick = TimeAmount.milliseconds(10)
    /// What was said last is being written to those who read it: a client on a slow line takes it in this time, and one that has stopped reading
    /// does not hold the server up.
    static let lastRead = TimeAmount.seconds(2)
    private static let whole: Int64 = 1_000_000_000

    init(_ policy: DrainPolicy, at now: NIODeadline) {
        self.policy = policy
        end = now + policy.window.timeAmount
        last = now
    }

    /// - Parameter waiting: sessions that are to be closed still.
    /// - Returns: how many of them to close now.
    mutating func due(at now: NIODeadline, waiting: Int) -> Int {
        let passed = min(max(0, (now - last).nanoseconds), Self.whole)
        let left = (end - last).nanoseconds
        last = max(last, now)
        guard waiting > 0 else { return 0 }
        guard now < end else { return waiting }
        let rate = max(Int64(policy.perSecond), (Int64(waiting) * Self.whole + left - 1) / left)
        credit += rate * passed
        let due = min(Int64(waiting), credit / Self.whole)
        credit = min(credit - due * Self.whole, Self.whole)
        return Int(due)
    }
}
