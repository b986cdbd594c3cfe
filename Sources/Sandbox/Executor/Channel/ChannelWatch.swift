/// The deadlines and the backlog of one channel: half a frame and then silence, and replies that nobody reads.
///
/// Pure: the driver tells it what happened and when, as time since any fixed moment, and asks it when ``due`` has come.
struct ChannelWatch: Sendable {
    private let limits: ChannelLimits
    private var frame: (number: Int, since: Duration)?
    private var unreadSince: Duration?
    /// Bytes that were queued and not yet written.
    private(set) var unreadBytes = 0

    init(limits: ChannelLimits = ChannelLimits()) { self.limits = limits }

    /// Bytes were received; `partialFrame` is ``ChannelMachine/partialFrame`` after them.
    mutating func received(partialFrame: Int?, at now: Duration) {
        if frame?.number != partialFrame { frame = partialFrame.map { ($0, now) } }
    }

    /// Bytes wait to be written. The violation comes back when they are too many; then they must be dropped.
    mutating func queued(_ count: Int, at now: Duration) -> ChannelViolation? {
        guard unreadBytes == 0 || unreadBytes + count <= limits.unreadBytes else {
            return ChannelViolation(.unreadReplies, "more than \(limits.unreadBytes) bytes wait to be read")
        }
        if unreadBytes == 0 { unreadSince = now }
        unreadBytes += count
        return nil
    }

    /// The descriptor took bytes.
    mutating func wrote(_ count: Int, at now: Duration) {
        guard count > 0 else { return }
        unreadBytes = max(unreadBytes - count, 0)
        unreadSince = unreadBytes == 0 ? nil : now
    }

    /// When ``check(at:)`` may have something to say; nil when nothing is awaited.
    var due: Duration? {
        [frame.map { $0.since + limits.frame }, unreadSince.map { $0 + limits.unread }].compactMap { $0 }.min()
    }

    /// The deadline that has passed at `now`, if one has.
    func check(at now: Duration) -> ChannelViolation? {
        if let frame, now >= frame.since + limits.frame { return ChannelViolation(.timeout, "half a frame, and then silence") }
        if let unreadSince, now >= unreadSince + limits.unread {
            return ChannelViolation(.unreadReplies, "replies are not read")
        }
        return nil
    }
}
