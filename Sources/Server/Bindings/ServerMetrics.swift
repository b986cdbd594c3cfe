internal import Telemetry

/// Every metric that the server itself keeps; names are the contract's, *Metrics*. Transport and front register theirs.
struct ServerMetrics: Sendable {
    let registry: MetricRegistry

    let runsActive: Metric
    let timeToFirstToken: Histogram
    let cutLatency: Histogram
    let deltaLatency: Histogram
    let runsRefused: Metric
    let conversationsNotSaved: Metric
    let counterFailures: Metric
    let settlementsPending: Metric
    let costNanoUSD: Metric
    let outboxRows: Metric
    let estimatedCharges: Metric
    let runEndsDropped: Metric
    let revocationFailures: Metric

    init(_ registry: MetricRegistry) {
        self.registry = registry
        runsActive = registry.gauge("kdcube_runs_active", "Runs that have not reached their terminal event")
        timeToFirstToken = registry.histogram("kdcube_time_to_first_token_seconds", "From admission to the first paid delta")
        cutLatency = registry.histogram("kdcube_cut_latency_seconds", "From the decision to cut to the cut event")
        deltaLatency = registry.histogram(
            "kdcube_delta_latency_seconds", "From the arrival of a delta's chunk to the offer of the paid delta to its readers",
            bounds: Histogram.workBounds)
        runsRefused = Self.runs(outcome: "refused", registry)
        conversationsNotSaved = registry.counter("kdcube_conversations_not_saved_total", "Turns that the store did not take")
        counterFailures = registry.counter("kdcube_counter_failures_total", "Commands that the counter store did not answer")
        settlementsPending = registry.gauge("kdcube_settlements_pending", "Settlements that wait for the counter store")
        costNanoUSD = registry.counter("kdcube_cost_nanousd_total", "Charges of settled runs in nano-USD")
        estimatedCharges = registry.counter(
            "kdcube_charges_estimated_total", "Runs charged by our own count, because the upstream reported no usage")
        revocationFailures = registry.counter(
            "kdcube_revocation_read_failures_total", "Times that the store did not say what is to be cut; it is asked again.")
        runEndsDropped = registry.counter(
            "kdcube_run_ends_dropped_total", "Cut or failed runs of which it could not be kept why; their charges are in the ledger")
        outboxRows = registry.gauge("kdcube_outbox_rows", "Ledger rows that are not in the ledger yet")
    }

    func runs(outcome: String) -> Metric { Self.runs(outcome: outcome, registry) }

    private static func runs(outcome: String, _ registry: MetricRegistry) -> Metric {
        registry.counter("kdcube_runs_total", "Runs by how they ended; refused are those that were not started", [("outcome", outcome)])
    }

    /// `model` is an id of the configuration, never what a client sent.
    func tokens(kind: String, model: String) -> Metric {
        registry.counter("kdcube_tokens_total", "Tokens of settled runs", [("kind", kind), ("model", model)])
    }

    func attempts(outcome: String, model: String) -> Metric {
        registry.counter(
            "kdcube_attempts_total", "Physical calls of upstreams, by what came of them", [("outcome", outcome), ("model", model)])
    }

    func reservationsForced(reason: String, model: String) -> Metric {
        registry.counter(
            "kdcube_reservations_forced_total", "Calls that were reserved because their deltas do not show what is billed",
            [("reason", reason), ("model", model)])
    }

    func tokensBeyondReservation(model: String) -> Metric {
        registry.counter(
            "kdcube_tokens_beyond_reservation_total", "Tokens that upstreams reported beyond what was reserved; nobody was charged",
            [("model", model)])
    }

    func cuts(reason: String) -> Metric {
        registry.counter("kdcube_cuts_total", "Runs that were cut, by reason", [("reason", reason)])
    }

    func budgetWarnings(level: Int) -> Metric {
        registry.counter(
            "kdcube_budget_warnings_total", "Runs that were told that a window has reached this many per cent", [("level", String(level))])
    }

    func counterOperations(_ operation: String) -> Metric {
        registry.counter("kdcube_counter_ops_total", "Commands sent to the counter store", [("op", operation)])
    }

    /// `code` is one of ``HTTPFailure``'s.
    func requestsRefused(code: String) -> Metric {
        registry.counter("kdcube_requests_refused_total", "Requests that a route refused, by the code of the answer", [("code", code)])
    }

    /// `outcome` is changed, unchanged (the same content again) or refused (the prices stay as they were).
    func priceReloads(outcome: String) -> Metric {
        registry.counter(
            "kdcube_price_reloads_total", "Times that the price file was read again, by what came of it", [("outcome", outcome)])
    }

    func authFailures(_ reason: String) -> Metric {
        registry.counter("kdcube_auth_failures_total", "Refused credentials", [("reason", reason)])
    }
}
