internal import Telemetry

/// What happens between this server and the stream, counted.
struct StreamMetrics: Sendable {
    let ready: Metric
    let read: Metric
    let sent: Metric
    let sessionsFailed: Metric
    let sessionsDropped: Metric

    init(_ registry: MetricRegistry) {
        ready = registry.gauge("kdcube_recovery_stream_ready", "1 while this server reads the cluster's stream along.")
        read = registry.counter(
            "kdcube_recovery_stream_read_total", "Entries of the cluster's stream that were read, this server's among them.")
        sent = registry.counter("kdcube_recovery_stream_sent_total", "Entries that Redis has taken from this server.")
        sessionsFailed = registry.counter(
            "kdcube_recovery_sessions_unkept_total", "Times that a socket could not be kept in Redis; tried again unless too many wait.",
            [("reason", "fault")])
        sessionsDropped = registry.counter(
            "kdcube_recovery_sessions_unkept_total", "Times that a socket could not be kept in Redis; tried again unless too many wait.",
            [("reason", "overloaded")])
    }
}
