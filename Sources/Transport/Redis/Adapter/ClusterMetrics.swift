internal import Telemetry

/// What can go wrong between servers, counted.
struct ClusterMetrics: Sendable {
    let connected: Metric
    let gaps: Metric
    let received: Metric
    let sent: Metric
    let partialAnswers: Metric
    private let unsent: [Unsent: Metric]
    private let refused: [ClusterRefusal: Metric]

    /// Why a message did not leave.
    enum Unsent: String, CaseIterable, Sendable {
        case unreachable, overloaded
        case tooLong = "too_long"
    }

    init(_ registry: MetricRegistry) {
        connected = registry.gauge("kdcube_cluster_connected", "1 while this server hears the others.")
        gaps = registry.counter(
            "kdcube_cluster_gaps_total", "Times that the connection came back: what the others sent meanwhile has been lost.")
        received = registry.counter("kdcube_cluster_received_total", "Messages from other servers and publishers, and this server's own.")
        sent = registry.counter("kdcube_cluster_sent_total", "Messages to other servers that Redis has taken.")
        partialAnswers = registry.counter(
            "kdcube_cluster_partial_answers_total", "Questions to other servers that not all had answered when their time was over.")
        unsent = Dictionary(
            uniqueKeysWithValues: Unsent.allCases.map { reason in
                (
                    reason,
                    registry.counter(
                        "kdcube_cluster_unsent_total", "Messages to other servers that Redis did not take.", [("reason", reason.rawValue)])
                )
            })
        refused = Dictionary(
            uniqueKeysWithValues: ClusterRefusal.allCases.map { reason in
                (
                    reason,
                    registry.counter(
                        "kdcube_cluster_refused_total", "Messages on the cluster's channels that were not acted on.",
                        [("reason", reason.rawValue)])
                )
            })
    }

    func miss(_ reason: Unsent) { unsent[reason]?.add() }
    func refuse(_ reason: ClusterRefusal) { refused[reason]?.add() }
}
