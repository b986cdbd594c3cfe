internal import Executor
internal import Logging
internal import Supervisor
internal import Synchronization
internal import Telemetry

/// Where code of agents runs: made with the first tool that runs code, which may come while the server runs.
///
/// Safe to use from any task; what is there stands in a `Mutex` held for a look.
final class CodeRoom: Sendable {
    /// How often the isolation is probed again: what an update or an administrator took away is noticed within it.
    private static let probing = Duration.seconds(3_600)

    private struct Parts: Sendable {
        let host: SandboxHost
        let metrics: SandboxMetrics
    }

    private struct State {
        var parts: Parts?
        var isStarted = false
    }

    private let settings: SandboxSettings
    private let registry: MetricRegistry
    private let logger: Logger
    private let gate = StartGate()
    private let state = Mutex(State())

    init(_ settings: SandboxSettings, registry: MetricRegistry, logger: Logger) {
        self.settings = settings
        self.registry = registry
        self.logger = logger
    }

    /// Nil where no tool has ever run code.
    var host: SandboxHost? { state.withLock { $0.parts?.host } }
    var metrics: SandboxMetrics? { state.withLock { $0.parts?.metrics } }
    /// Below it no code is run.
    var minimum: IsolationLevel { settings.minimum }

    /// As of the last probe; nil before it.
    var standing: IsolationStanding? {
        guard let report = host?.report else { return nil }
        return IsolationStanding(level: report.level.rawValue, minimum: minimum.rawValue, isEnough: report.level >= minimum)
    }

    /// From now on there is a tool that runs code.
    func prepare() {
        state.withLock { state in
            guard state.parts == nil else { return }
            let metrics = SandboxMetrics(registry, logger: logger)
            state.parts = Parts(host: SandboxHost(settings, observer: metrics), metrics: metrics)
        }
    }

    /// Probes the machine and fills the pool, once. Code is refused until then, and after it when the machine is too weak.
    func start() async {
        let host = state.withLock { state -> SandboxHost? in
            guard !state.isStarted, let parts = state.parts else { return nil }
            state.isStarted = true
            return parts.host
        }
        guard let host else { return }
        defer { gate.open() }
        do {
            try await host.start()
            if let report = host.report { logger.notice("code runs in sandboxes", metadata: ["isolation": "\(report.level.rawValue)"]) }
        } catch {
            logger.error("code is not run; kdcube doctor says what is missing", metadata: ["fault": "\(error)"])
        }
    }

    /// Returns once the machine has been probed, or when the task is cancelled.
    func pass() async { await gate.pass() }

    /// Until the task is cancelled.
    func probeForEver() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.probing)
            if !Task.isCancelled, state.withLock({ $0.isStarted }) { _ = await host?.probe() }
        }
    }

    func shutdown() async { await host?.shutdown() }
}
