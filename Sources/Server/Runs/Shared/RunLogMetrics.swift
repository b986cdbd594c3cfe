internal import Telemetry

/// What is counted of run logs in Redis.
struct RunLogMetrics: Sendable {
    let entries: Metric
    let bytes: Metric
    let writeFailures: Metric
    let readFailures: Metric
    let eventsLost: Metric
    let own: Metric
    let followed: Metric
    let nodeLost: Metric
    let notShared: Metric

    init(_ registry: MetricRegistry) {
        entries = registry.counter("kdcube_run_log_entries_total", "Entries of run logs that were written to Redis")
        bytes = registry.counter("kdcube_run_log_bytes_total", "Bytes of events that were written to Redis")
        writeFailures = registry.counter(
            "kdcube_run_log_failures_total", "Times that Redis did not take or give events of a run; tried again", [("op", "write")])
        readFailures = registry.counter(
            "kdcube_run_log_failures_total", "Times that Redis did not take or give events of a run; tried again", [("op", "read")])
        eventsLost = registry.counter(
            "kdcube_run_log_events_lost_total", "Events that readers at other nodes are told of as a gap, because Redis was away too long")
        own = registry.gauge("kdcube_run_log_own", "Runs of this node whose log is written to Redis")
        followed = registry.gauge("kdcube_run_log_followed", "Runs of other nodes that are read here")
        nodeLost = registry.counter("kdcube_run_log_node_lost_total", "Runs of lost nodes that this node has ended")
        notShared = registry.counter("kdcube_run_log_not_shared_total", "Runs that can be read at this node only, because it has too many")
    }
}
