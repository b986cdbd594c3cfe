internal import Telemetry

/// The front's series. Atomic counters: any loop may touch them.
struct FrontMetrics: Sendable {
    let connections: Metric
    let streams: Metric
    let memoryReturns: Metric
    private let refused: [RefusalReason: Metric]
    private let relayed: [RelayStateMachine.Outcome: Metric]
    private let handshakes: [HandshakeFailure: Metric]

    init(_ registry: MetricRegistry) {
        connections = registry.gauge("kdcube_tcp_connections", "Open TCP connections")
        streams = registry.gauge("kdcube_http2_streams", "Open streams of all HTTP/2 connections")
        memoryReturns = registry.counter(
            "kdcube_memory_returns_total", "Times that memory which connections had left was given back to the kernel")
        var refused: [RefusalReason: Metric] = [:]
        for reason in RefusalReason.allCases {
            refused[reason] = registry.counter(
                "kdcube_http_refused_total", "Requests and connections refused or cut by the HTTP front", [("reason", reason.rawValue)])
        }
        self.refused = refused
        var relayed: [RelayStateMachine.Outcome: Metric] = [:]
        for outcome in RelayStateMachine.Outcome.allCases {
            relayed[outcome] = registry.counter(
                "kdcube_relayed_requests_total", "Requests sent on to the node of their session, by how they ended",
                [("outcome", outcome.rawValue)])
        }
        self.relayed = relayed
        var handshakes: [HandshakeFailure: Metric] = [:]
        for reason in HandshakeFailure.allCases {
            handshakes[reason] = registry.counter(
                "kdcube_tls_handshake_failures_total", "Connections that ended before TLS was agreed on", [("reason", reason.rawValue)])
        }
        self.handshakes = handshakes
    }

    func count(_ outcome: RelayStateMachine.Outcome) {
        relayed[outcome]?.add()
    }

    func count(_ reason: HandshakeFailure) {
        handshakes[reason]?.add()
    }

    func count(_ reason: RefusalReason) {
        refused[reason]?.add()
    }
}
