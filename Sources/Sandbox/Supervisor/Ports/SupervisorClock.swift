#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The supervisor's view of time, injected so that tests need no sleep.
public protocol SupervisorClock: Sendable {
    /// Nanoseconds since an arbitrary instant; never goes back.
    var nowNanoseconds: Int64 { get }
    /// Milliseconds since 1970-01-01T00:00Z, for records.
    var unixMilliseconds: Int64 { get }
    /// Returns at or after `nanoseconds` of ``nowNanoseconds``, or early when the task is cancelled.
    func sleep(until nanoseconds: Int64) async
}

/// The operating system's clocks.
public struct SystemSupervisorClock: SupervisorClock {
    public init() {}

    public var nowNanoseconds: Int64 { Self.read(CLOCK_MONOTONIC) }
    public var unixMilliseconds: Int64 { Self.read(CLOCK_REALTIME) / 1_000_000 }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    public func sleep(until nanoseconds: Int64) async {
        let remaining = nanoseconds - nowNanoseconds
        guard remaining > 0 else { return }
        // Throws only when the task is cancelled, which the caller sees for itself.
        try? await Task.sleep(for: .nanoseconds(remaining))
    }
}

extension Duration {
    /// Whole nanoseconds of a duration of the limits, which are hours at most.
    var boundedNanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
