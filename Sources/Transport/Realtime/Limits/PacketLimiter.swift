internal import JSON
internal import NIOCore
internal import Telemetry
internal import TransportWire

/// What one session may send (attack 26). Pure; confined to the session's loop with its owner.
struct PacketLimiter {
    enum Limit: String, CaseIterable { case events, bytes }

    enum Verdict: Equatable {
        case admit
        case drop(Limit, retryAfter: TimeAmount)
        case disconnect(Limit)
    }

    private var events = TokenBucket()
    private var bytes = TokenBucket()
    /// Of the packet whose messages are coming.
    private var gathered = 0
    /// Since the session last kept quiet for long enough to have everything again.
    private var dropped = 0

    /// A message has come: a packet, the head of one, or an attachment.
    mutating func received(_ byteCount: Int) { gathered += byteCount }

    /// Judges a whole packet. What is dropped is not paid for: otherwise a client that is too fast would never be heard again.
    ///
    /// - Parameter cost: 0 is not counted as an event, and its bytes are.
    mutating func judge(cost: Int, _ limits: RateLimits, at now: NIODeadline) -> Verdict {
        let size = gathered
        gathered = 0
        if dropped > 0, events.isFull(at: now), bytes.isFull(at: now) { dropped = 0 }
        if cost > 0, let rate = limits.events, let wait = events.wait(rate, at: now) { return exceed(.events, wait, limits) }
        if let rate = limits.bytes {
            if let wait = bytes.wait(rate, at: now) { return exceed(.bytes, wait, limits) }
            bytes.take(size, rate, at: now)
        }
        if cost > 0, let rate = limits.events { events.take(cost, rate, at: now) }
        return .admit
    }

    private mutating func exceed(_ limit: Limit, _ wait: TimeAmount, _ limits: RateLimits) -> Verdict {
        dropped += 1
        let isOver = limits.onExceeded == .disconnect || dropped > TransportLimits.droppedPacketsMax
        return isOver ? .disconnect(limit) : .drop(limit, retryAfter: wait)
    }
}

/// The series of what was sent too fast. Atomic counters.
struct PacketLimitMetrics: Sendable {
    private let dropped: [PacketLimiter.Limit: Metric]
    private let disconnected: [PacketLimiter.Limit: Metric]

    init(_ registry: MetricRegistry) {
        func series(_ outcome: String) -> [PacketLimiter.Limit: Metric] {
            var series: [PacketLimiter.Limit: Metric] = [:]
            for limit in PacketLimiter.Limit.allCases {
                series[limit] = registry.counter(
                    "kdcube_packets_limited_total", "Packets of sessions that sent too much, and sessions closed for it.",
                    [("limit", limit.rawValue), ("outcome", outcome)])
            }
            return series
        }
        dropped = series("dropped")
        disconnected = series("disconnected")
    }

    func count(_ verdict: PacketLimiter.Verdict) {
        switch verdict {
        case .admit: break
        case .drop(let limit, _): dropped[limit]?.add()
        case .disconnect(let limit): disconnected[limit]?.add()
        }
    }
}

/// What a client is told of a packet that was dropped.
enum RateLimitNotice {
    static let code = "rate_limited"
    static let message = "Too many packets. Wait and try again."

    /// `{code, retry_after}`, the latter in seconds, beside a message that stands elsewhere.
    static func data(_ retryAfter: TimeAmount) -> JSONValue {
        ["code": .string(code), "retry_after": .number(retryAfter.retryAfterText)]
    }

    /// The only argument of the acknowledgement: `{ok: false, error: {message, type, code, retry_after}}`.
    static func answer(_ retryAfter: TimeAmount) -> JSONValue {
        [
            "ok": false,
            "error": [
                "message": .string(message), "type": "rate_limit_error", "code": .string(code),
                "retry_after": .number(retryAfter.retryAfterText),
            ],
        ]
    }
}
