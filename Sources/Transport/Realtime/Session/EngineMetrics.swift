internal import Telemetry
internal import TransportWire

/// The series of the Engine.IO layer. Atomic counters: any loop may touch them.
struct EngineMetrics: Sendable {
    let sessions: Metric
    let revision3: Metric
    let slowConsumers: Metric
    let parseErrors: Metric
    let refusedHooks: Metric
    let refusedFull: Metric
    let refusedDraining: Metric
    private let refusals: [Metric]
    private let closed: [CloseReason: Metric]
    private let failures: [UInt16: Metric]

    init(_ registry: MetricRegistry) {
        sessions = registry.gauge("kdcube_connections", "Open Engine.IO sessions, on polling and on WebSockets.")
        revision3 = registry.counter("kdcube_engineio3_sessions_total", "Sessions opened by clients of Engine.IO 3 (Socket.IO 2).")
        slowConsumers = registry.counter("kdcube_slow_consumers_total", "Sessions closed because their reader was too slow.")
        parseErrors = registry.counter("kdcube_engineio_parse_errors_total", "Malformed Engine.IO packets and polling bodies.")
        refusedHooks = registry.counter(
            "kdcube_header_hooks_refused_total", "Answers sent without a hook's fields, because they were too many.")
        func refused(_ reason: String) -> Metric {
            registry.counter(
                "kdcube_sessions_refused_total", "Sessions and upgrades refused before they began, by what was full.", [("reason", reason)])
        }
        (refusedFull, refusedDraining) = (refused("full"), refused("draining"))
        refusals = HandshakeRefusal.Code.allCases.map {
            registry.counter("kdcube_handshakes_refused_total", "Refused Engine.IO requests.", [("code", String($0.rawValue))])
        }
        var closed: [CloseReason: Metric] = [:]
        for reason in CloseReason.allCases {
            closed[reason] = registry.counter(
                "kdcube_sessions_closed_total", "Ended Engine.IO sessions, by reason.", [("reason", reason.label)])
        }
        self.closed = closed
        var failures: [UInt16: Metric] = [:]
        for code in WebSocketFailure.closeCodes {
            failures[code] = registry.counter(
                "kdcube_websocket_failures_total", "WebSockets closed for breaking RFC 6455, by close code.", [("code", String(code))])
        }
        self.failures = failures
    }

    func count(_ refusal: HandshakeRefusal) { refusals[refusal.code.rawValue].add() }
    func count(_ reason: CloseReason) { closed[reason]?.add() }
    func count(_ failure: WebSocketFailure) { failures[failure.closeCode]?.add() }
}

extension CloseReason {
    /// The reason as a label: its words with underscores.
    var label: String { String(rawValue.map { $0 == " " ? "_" : $0 }) }
}
