#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The engine's view of time, injected so that tests need no sleep.
///
/// Instants are plain integers because the run loop reads the clock at each delta.
public protocol EngineClock: Sendable {
    /// Nanoseconds since an arbitrary instant; never goes back.
    var nowNanoseconds: Int64 { get }
    /// Milliseconds since 1970-01-01T00:00Z, for the `ts` of events.
    var unixMilliseconds: Int64 { get }
    /// Returns at or after `nanoseconds` of ``nowNanoseconds``, or early when the task is cancelled.
    func sleep(until nanoseconds: Int64) async
}

/// The operating system's clocks.
public struct SystemEngineClock: EngineClock {
    public init() {}

    public var nowNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    public var unixMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    public func sleep(until nanoseconds: Int64) async {
        let remaining = nanoseconds - nowNanoseconds
        guard remaining > 0 else { return }
        // Throws only when the task is cancelled, which the caller sees for itself.
        try? await Task.sleep(for: .nanoseconds(remaining))
    }
}

extension Duration {
    /// Whole nanoseconds; saturates after 292 years.
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? .max : sum
    }
}
