internal import Synchronization

/// A value that only grows, or one that goes up and down. Atomic: any thread may touch it.
public final class Metric: Sendable {
    private let storage = Atomic<Int64>(0)

    init() {}

    /// Counts up.
    public func add(_ amount: Int64 = 1) { storage.add(amount, ordering: .relaxed) }
    /// Counts down: of a gauge.
    public func subtract(_ amount: Int64 = 1) { storage.subtract(amount, ordering: .relaxed) }
    /// Replaces the value: of a gauge.
    public func set(_ amount: Int64) { storage.store(amount, ordering: .relaxed) }
    /// The value now.
    public var value: Int64 { storage.load(ordering: .relaxed) }
}

/// Durations in fixed buckets. Atomic and without allocation: any thread may observe, at each delta if need be.
///
/// A snapshot is not one moment of all counts; Prometheus asks for none.
public final class Histogram: Sendable {
    /// Upper bounds in seconds: from a tenth of a millisecond, a local hop, to a minute, a slow model's first token.
    public static let secondsBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    /// Upper bounds in seconds for work inside the server: from a microsecond to the second that a far store may take.
    public static let workBounds: [Double] = [
        0.000_001, 0.000_002_5, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
        0.05, 0.1, 0.25, 0.5, 1,
    ]

    /// Buckets are stored in place, so their number is fixed: the longest list above and the one without a bound.
    static let boundsMax = 23

    struct Snapshot: Sendable {
        let counts: [Int64]
        /// Seconds.
        let sum: Double
    }

    let bounds: [Double]
    private let nanosecondBounds: [Int64]
    private let counts = InlineArray<24, Atomic<Int64>> { _ in Atomic(0) }
    private let nanoseconds = Atomic<Int64>(0)

    init(bounds: [Double]) {
        precondition(bounds.count <= Self.boundsMax, "more buckets than a histogram holds")
        self.bounds = bounds
        nanosecondBounds = bounds.map { Int64(($0 * 1e9).rounded()) }
    }

    /// Counts a duration.
    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// Counts a duration in nanoseconds.
    public func observe(nanoseconds value: Int64) {
        var index = 0
        while index < nanosecondBounds.count, value > nanosecondBounds[index] { index += 1 }
        counts[index].add(1, ordering: .relaxed)
        nanoseconds.add(value, ordering: .relaxed)
    }

    var snapshot: Snapshot {
        Snapshot(
            counts: (0...bounds.count).map { counts[$0].load(ordering: .relaxed) },
            sum: Double(nanoseconds.load(ordering: .relaxed)) / 1e9)
    }
}
