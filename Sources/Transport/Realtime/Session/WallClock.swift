#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The time of day, for what people read. Deadlines use the loop's monotonic clock.
enum WallClock {
    /// Milliseconds since 1970, to the second.
    static var milliseconds: Int64 { Int64(time(nil)) * 1_000 }
}
