internal import Accounting
internal import AccountingPostgres
internal import Engine
internal import Telemetry

/// What the engine tells about itself, counted.
struct EngineMetricsBinding: EngineMetrics {
    let metrics: ServerMetrics
    let ends: RunEndRecorder
    let board: LiveBoard
    let upstreams: UpstreamBook

    func runStarted(model: String) { metrics.runsActive.add() }

    func runConcluded(_ run: RunHandle, _ ending: RunEnding, _ settled: SettledUsage, at time: Int64) {
        ends.record(run, ending, at: time)
        board.concluded(run, ending, settled)
    }

    func budgetWarning(level: Int) { metrics.budgetWarnings(level: level).add() }

    func runEnded(model: String, outcome: RunOutcome, cutReason: Engine.CutReason?) {
        metrics.runsActive.subtract()
        metrics.runs(outcome: outcome.rawValue).add()
        if let cutReason { metrics.cuts(reason: cutReason.rawValue).add() }
    }

    func attemptEnded(model: String, outcome: AttemptOutcome) {
        metrics.attempts(outcome: outcome.rawValue, model: model).add()
        upstreams.ended(model: model, isFailure: outcome != .answered)
    }

    func reservationForced(model: String, reason: ReserveReason) { metrics.reservationsForced(reason: reason.rawValue, model: model).add() }

    func usageBeyondReservation(model: String, tokens: Int) { metrics.tokensBeyondReservation(model: model).add(Int64(tokens)) }

    func tokensSettled(model: String, input: Int, output: Int) {
        metrics.tokens(kind: "input", model: model).add(Int64(input))
        metrics.tokens(kind: "output", model: model).add(Int64(output))
    }

    func firstToken(model: String, after duration: Duration) { metrics.timeToFirstToken.observe(duration) }

    func runRefused() { metrics.runsRefused.add() }

    func deltaLatency(nanoseconds: Int64) { metrics.deltaLatency.observe(nanoseconds: nanoseconds) }

    func cutLatency(_ latency: Duration) { metrics.cutLatency.observe(latency) }

    func conversationNotSaved() { metrics.conversationsNotSaved.add() }
}

/// What Accounting tells about itself, counted.
struct AccountingMetricsBinding: AccountingMetrics {
    let metrics: ServerMetrics

    func counterOperation(_ name: String, failed: Bool) {
        metrics.counterOperations(name).add()
        if failed { metrics.counterFailures.add() }
    }

    func charged(model: String, usage: UsageClasses, cost: NanoUSD, estimated: Bool) {
        metrics.costNanoUSD.add(cost.rawValue)
        if estimated { metrics.estimatedCharges.add() }
    }

    func settlementsPending(_ count: Int) { metrics.settlementsPending.set(Int64(count)) }
}

/// What the Postgres client tells about itself, counted; registered where there is a Postgres.
struct PostgresMetricsBinding: PostgresMetrics {
    private let connected: Metric
    private let reconnects: Metric
    private let waiting: Metric
    private let seconds: [PostgresCall: Histogram]

    init(_ registry: MetricRegistry) {
        connected = registry.gauge("kdcube_postgres_connected", "Open connections to Postgres; none when it cannot be reached")
        reconnects = registry.counter("kdcube_postgres_reconnects_total", "Connections to Postgres that were lost and made again")
        waiting = registry.gauge("kdcube_postgres_waiting", "Calls that wait for a connection to Postgres")
        let kinds = PostgresCall.allCases.map { kind in
            let help = "Calls of Postgres by kind, their wait for a connection included"
            return (kind, registry.histogram("kdcube_postgres_seconds", help, [("kind", kind.rawValue)]))
        }
        seconds = Dictionary(uniqueKeysWithValues: kinds)
    }

    func connectionsChanged(open: Int) { connected.set(Int64(open)) }
    func reconnected() { reconnects.add() }
    func waitingChanged(_ count: Int) { waiting.set(Int64(count)) }
    func ended(_ call: PostgresCall, after duration: Duration) { seconds[call]?.observe(duration) }
}
