internal import NIOCore

/// The time that recovery reckons with: the system's when the server was started, and from then on that of a clock that
/// nobody sets.
enum RecoveryClock {
    /// Microseconds since 1970.
    static func system() -> @Sendable () -> UInt64 {
        let start = UInt64(clamping: WallClock.milliseconds) * 1_000
        let begun = NIODeadline.now()
        return { start + UInt64(clamping: (NIODeadline.now() - begun).nanoseconds / 1_000) }
    }
}

extension Duration {
    var wholeMicroseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(clamping: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}
