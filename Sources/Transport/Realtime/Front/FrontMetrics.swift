internal import Telemetry

/// The front's series. Atomic counters: any loop may touch them.
struct FrontMetrics: Sendable {
    let connections: Metric
    private let refused: [RefusalReason: Metric]

    init(_ registry: MetricRegistry) {
        connections = registry.gauge("kdcube_tcp_connections", "Open TCP connections")
        var refused: [RefusalReason: Metric] = [:]
        for reason in RefusalReason.allCases {
            refused[reason] = registry.counter(
                "kdcube_http_refused_total", "Requests and connections refused or cut by the HTTP front", [("reason", reason.rawValue)])
        }
        self.refused = refused
    }

    func count(_ reason: RefusalReason) {
        refused[reason]?.add()
    }
}
