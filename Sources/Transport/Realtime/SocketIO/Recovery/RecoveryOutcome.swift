internal import Telemetry

/// What became of a wish to come back, as `kdcube_recoveries_total` counts it (R8).
enum RecoveryOutcome: String, CaseIterable, Sendable {
    case recovered
    /// The socket was away for too long.
    case expired
    /// No socket has this `pid` here: none ever had, or it was forgotten to save room, or the server was started anew.
    case unknownSocket = "unknown_socket"
    /// The socket is there, but not all events since this offset.
    case offsetUnknown = "offset_unknown"
    /// More was missed than a session's queue may hold.
    case tooMuch = "too_much"
    /// Another credential.
    case identity
    /// The stream of the cluster does not answer.
    case unavailable
}

struct RecoveryMetrics: Sendable {
    /// Events and sockets that were let go before their time.
    let eventsEvicted: Metric
    let socketsEvicted: Metric
    let bytes: Metric
    /// Of a cluster's stream.
    let unstored: Metric
    let gaps: Metric
    private let outcomes: [RecoveryOutcome: Metric]

    init(_ registry: MetricRegistry) {
        eventsEvicted = registry.counter(
            "kdcube_recovery_evicted_total", "What was kept for recovery and let go before its time.", [("kind", "event")])
        socketsEvicted = registry.counter(
            "kdcube_recovery_evicted_total", "What was kept for recovery and let go before its time.", [("kind", "socket")])
        bytes = registry.gauge("kdcube_recovery_bytes", "Bytes of events kept for sockets that may come back.")
        unstored = registry.counter(
            "kdcube_recovery_unstored_total", "Events that the cluster's stream has not taken: for those who were connected here alone.")
        gaps = registry.counter(
            "kdcube_recovery_gaps_total", "Times that the cluster's stream was read to have lost something: who was away then is refused.")
        outcomes = Dictionary(
            uniqueKeysWithValues: RecoveryOutcome.allCases.map {
                ($0, registry.counter("kdcube_recoveries_total", "Sockets that wanted to come back.", [("outcome", $0.rawValue)]))
            })
    }

    func count(_ outcome: RecoveryOutcome) { outcomes[outcome]?.add() }
}
