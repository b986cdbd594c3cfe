internal import Executor
internal import JSON
internal import Logging
internal import Supervisor
internal import Telemetry

/// What tools and sandboxes do, counted; names are the contract's, *Metrics*. Registered where there are tools.
struct ToolMetrics: SupervisorMetrics {
    private let registry: MetricRegistry
    let decisionsNotLogged: Metric

    init(_ registry: MetricRegistry) {
        self.registry = registry
        decisionsNotLogged = Self.decisionsNotLogged(registry)
        _ = abandoned()
    }

    static func decisionsNotLogged(_ registry: MetricRegistry) -> Metric {
        registry.counter(
            "kdcube_decisions_not_logged_total",
            "Decisions and outcomes that could not be written; what needed them was denied, or is unknown")
    }

    func decided(_ decision: DecisionRecord.Decision, tool: String) {
        registry.counter(
            "kdcube_decisions_total", "Decisions about calls of tools; names that are no tool's count as unknown",
            [("decision", decision.rawValue), ("tool", tool)]
        ).add()
    }

    func called(tool: String, status: DecisionOutcome.Status, elapsed: Duration) {
        registry.histogram("kdcube_tool_seconds", "Calls of tools, from the dispatch to the answer", [("status", status.rawValue)])
            .observe(elapsed)
    }

    func abandoned(tool: String) { abandoned().add() }

    func approval(_ state: Approval.State) {
        registry.counter(
            "kdcube_approvals_total", "Approvals that this server has asked for (pending) or has seen end, by what became of them",
            [("state", state.rawValue)]
        ).add()
    }

    func unlogged(tool: String) {
        registry.counter(
            "kdcube_unlogged_reads_total", "Calls that change nothing and were made although their decision could not be recorded",
            [("tool", tool)]
        ).add()
    }

    private func abandoned() -> Metric {
        registry.counter("kdcube_tools_abandoned_total", "Tools that went on after their call was over")
    }
}

/// What the executor tells about itself, counted.
struct SandboxMetrics: SandboxObserver {
    private let registry: MetricRegistry
    private let level: Metric
    private let undeadSandboxes: Metric
    /// By whether a sandbox waited for the job.
    private let starts: [(kind: String, metric: Metric)]
    private let kills: [(exit: SandboxExit, metric: Metric)]
    private let logger: Logger

    init(_ registry: MetricRegistry, logger: Logger) {
        self.registry = registry
        self.logger = logger
        level = registry.gauge(
            "kdcube_isolation_level",
            "How well a sandbox is shut in: 3 full, 2 limited, 1 basic, 0 none: code is not run below sandbox.minimum")
        starts = ["warm", "cold"].map { kind in
            (kind, registry.counter("kdcube_sandbox_starts_total", "Jobs by whether a sandbox waited for them", [("kind", kind)]))
        }
        // What ends by itself is not killed.
        kills = SandboxExit.allCases.filter { $0 != .ok && $0 != .error }.map { exit in
            (exit, registry.counter("kdcube_sandbox_kills_total", "Sandboxes that were killed, by why", [("reason", exit.rawValue)]))
        }
        undeadSandboxes = registry.counter(
            "kdcube_sandbox_undead_total", "Sandboxes of which something is left after every attempt to kill or to remove it")
    }

    func started(warm: Bool) {
        starts[warm ? 0 : 1].metric.add()
    }

    func killed(_ exit: SandboxExit) {
        kills.first { $0.exit == exit }?.metric.add()
    }

    func probed(_ report: IsolationReport) { level.set(report.level.number) }

    /// Of this process since its start; kills that never happened are left out.
    var json: (starts: JSONValue, kills: JSONValue) {
        (
            .object(JSONObject(starts.map { ($0.kind, .integer($0.metric.value)) })),
            .object(JSONObject(kills.filter { $0.metric.value > 0 }.map { ($0.exit.rawValue, .integer($0.metric.value)) }))
        )
    }

    func undead(sandbox: String) {
        undeadSandboxes.add()
        logger.error("something of a sandbox cannot be removed", metadata: ["sandbox": "\(sandbox)"])
    }
}

extension IsolationLevel {
    var number: Int64 {
        switch self {
        case .none: 0
        case .basic: 1
        case .limited: 2
        case .full: 3
        }
    }
}
