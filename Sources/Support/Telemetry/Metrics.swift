internal import Synchronization

/// A value that only grows, or one that goes up and down. Atomic: any thread may touch it.
public final class Metric: Sendable {
    private let storage = Atomic<Int64>(0)

    init() {}

    public func add(_ amount: Int64 = 1) { storage.add(amount, ordering: .relaxed) }
    public func subtract(_ amount: Int64 = 1) { storage.subtract(amount, ordering: .relaxed) }
    public func set(_ amount: Int64) { storage.store(amount, ordering: .relaxed) }
    public var value: Int64 { storage.load(ordering: .relaxed) }
}

/// Observations in fixed buckets. A short `Mutex` guards the counts.
public final class Histogram: Sendable {
    /// Upper bounds in seconds: from a tenth of a millisecond, a local hop, to a minute, a slow model's first token.
    public static let secondsBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    struct State: Sendable {
        var counts: [Int64]
        var sum: Double = 0
    }

    let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    public func observe(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        observe(Double(seconds) + Double(attoseconds) * 1e-18)
    }

    public func observe(_ value: Double) {
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[index] += 1
            $0.sum += value
        }
    }

    var snapshot: State { state.withLock { $0 } }
}
