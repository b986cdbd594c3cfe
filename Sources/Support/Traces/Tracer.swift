internal import Glibc

/// Begins traces, and decides which are recorded. One for a process; immutable.
public final class Tracer: Sendable {
    let queue: SpanQueue
    let now: @Sendable () -> Int64
    /// Of 2⁵⁶: a trace whose lowest 56 bits are below it is not recorded.
    private let rejected: UInt64
    private let recordsNothing: Bool

    /// - Parameters:
    ///   - share: of the traces that begin here, from 0 to 1. A caller's trace follows the caller, unless this is 0: then nothing is recorded.
    ///   - now: nanoseconds since 1970.
    public init(share: Double, queue: SpanQueue, now: @escaping @Sendable () -> Int64 = Tracer.wallClock) {
        self.queue = queue
        self.now = now
        let bounded = min(max(share, 0), 1)
        rejected = UInt64((1 - bounded) * Double(1 << 56))
        recordsNothing = bounded == 0
    }

    /// The first span of this process in a trace.
    ///
    /// - Parameter parent: the caller's, where there is one.
    /// - Returns: nil when it is not recorded.
    public func begin(_ name: String, _ kind: Span.Kind, parent: TraceContext?) -> Span? {
        guard !recordsNothing else { return nil }
        if let parent { return parent.isSampled ? child(of: parent, name, kind) : nil }
        let (high, low) = (UInt64.random(in: 1...UInt64.max), UInt64.random(in: 0...UInt64.max))
        guard low & ((1 << 56) - 1) >= rejected else { return nil }
        let context = TraceContext(traceHigh: high, traceLow: low, spanID: Self.spanID(), isSampled: true)
        return Span(name, kind, context: context, parent: nil, tracer: self)
    }

    func child(of parent: TraceContext, _ name: String, _ kind: Span.Kind) -> Span {
        let context = TraceContext(
            traceHigh: parent.traceHigh, traceLow: parent.traceLow, spanID: Self.spanID(), isSampled: true, state: parent.state)
        return Span(name, kind, context: context, parent: parent.spanID, tracer: self)
    }

    private static func spanID() -> UInt64 { UInt64.random(in: 1...UInt64.max) }

    /// Nanoseconds since 1970.
    public static func wallClock() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
