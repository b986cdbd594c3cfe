internal import Glibc
internal import Synchronization

/// Runs code of agents, each piece in a sandbox of its own, and refuses to where the machine cannot shut it in.
///
/// Made once by the server; every function may be called from any task. Stored state: a mutex, held for a few lines; what
/// works belongs to the pool (an actor), the lane (a thread) and the jobs' tasks.
public final class SandboxHost: Sendable {
    private struct Parts: Sendable {
        let launcher: Launcher
        let prober: Prober
        let lane: DescriptorLane
        let pool: SandboxPool
        let files: Lane
    }

    private enum Phase: Sendable {
        case new
        case started(Parts)
        case stopped
    }

    private struct State {
        var phase = Phase.new
        var report: IsolationReport?
        /// Of the jobs at work, by slot.
        var jobs: [PoolMachine.Slot: SandboxInbox] = [:]
    }

    /// Further files of the interpreter, beside its first.
    private static let modules = [
        "agent_tools.py": PackageResources.agent_tools_py, "agent_asyncio.py": PackageResources.agent_asyncio_py,
    ]

    private let settings: SandboxSettings
    private let observer: any SandboxObserver
    private let state = Mutex(State())

    public init(_ settings: SandboxSettings, observer: any SandboxObserver) {
        self.settings = settings
        self.observer = observer
    }

    /// What the last probe found; nil before the first.
    public var report: IsolationReport? { state.withLock { $0.report } }

    /// Removes what an earlier process left, probes the machine, and fills the pool in the background.
    ///
    /// Throws `belowMinimum` when the machine is not safe enough (jobs are refused until a later probe says otherwise), and
    /// `launch` when nothing can be started here at all. Once: a second call, and one after a shutdown, throws `stopping`.
    public func start() async throws(SandboxRefusal) {
        guard case .new = state.withLock({ $0.phase }) else { throw .stopping }
        let launcher: Launcher
        do {
            launcher = try Launcher(settings, bootstrap: PackageResources.bootstrap_py, modules: Self.modules)
        } catch {
            // Nothing can be launched; the probes say what is missing, and to whoever asks for a job the report does.
            let report = await Prober(settings).probe()
            state.withLock { $0.report = report }
            observer.probed(report)
            guard report.level >= settings.minimum else { throw .belowMinimum(report, minimum: settings.minimum) }
            throw .launch("\(error)")
        }
        let lane = try DescriptorLane()
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let pool = SandboxPool(
            PoolMachine.Settings(warm: settings.warm, most: settings.most, startsAtOnce: max(cores - 1, 1)),
            boot: SandboxBoot(launcher: launcher, lane: lane), observer: observer)
        let parts = Parts(
            launcher: launcher, prober: Prober(settings), lane: lane, pool: pool, files: Lane(threads: 2))
        state.withLock { $0.phase = .started(parts) }
        for left in await launcher.sweep().left { observer.undead(sandbox: left) }
        let report = await probe(parts)
        guard report.level >= settings.minimum else { throw .belowMinimum(report, minimum: settings.minimum) }
    }

    /// The sandboxes as they are now; nil while none can be started.
    public func census() async -> SandboxCensus? {
        guard case .started(let parts) = state.withLock({ $0.phase }) else { return nil }
        return await parts.pool.census
    }

    /// Probes again and acts on it: below the minimum jobs are refused from now on and the pool is emptied; at it or above they
    /// are accepted. Takes a second or two.
    @discardableResult public func probe() async -> IsolationReport {
        guard case .started(let parts) = state.withLock({ $0.phase }) else {
            return report ?? IsolationReport(level: .none, probes: [], landlockABI: 0, cgroups: .none)
        }
        return await probe(parts)
    }

    /// What a host with these settings would find: for a look at a machine without serving.
    public static func examine(_ settings: SandboxSettings) async -> IsolationReport { await Prober(settings).probe() }

    private func probe(_ parts: Parts) async -> IsolationReport {
        let report = await parts.prober.probe()
        state.withLock { $0.report = report }
        parts.launcher.use(report.level == .basic ? .bare : .namespaces)
        await parts.pool.fill(report.level >= settings.minimum)
        observer.probed(report)
        return report
    }

    /// Runs the code to its end or to a limit, and returns when nothing of it is left but what the result holds.
    ///
    /// Isolation: any task. When that task is cancelled the sandbox is killed and the exit is `killed`.
    public func run(_ job: SandboxJob, handler: any SandboxJobHandler) async throws(SandboxRefusal) -> SandboxResult {
        let (phase, report) = state.withLock { ($0.phase, $0.report) }
        if let report, report.level < settings.minimum { throw .belowMinimum(report, minimum: settings.minimum) }
        guard case .started(let parts) = phase, let report else { throw .stopping }
        guard let loan = try await parts.pool.take() else { return .cancelled(level: report.level) }
        observer.started(warm: loan.wasWarm)
        enter(loan)
        defer { leave(loan) }
        let session = JobSession(
            sandbox: loan.sandbox, limits: settings.limits, launcher: parts.launcher, lane: parts.lane, handler: handler)
        let end = await session.perform(job)
        let (work, limits) = (loan.sandbox.launched.work, settings.limits)
        // After death only: what still writes could change a file between the look and the digest.
        let isDead = !end.remains.isUndead
        let artefacts = await parts.files.run { isDead ? ArtefactCollector.collect(work, limits) : [] }
        await parts.pool.giveBack(loan)
        if !isDead { observer.undead(sandbox: loan.sandbox.launched.id) }
        if end.outcome.exit != .ok, end.outcome.exit != .error { observer.killed(end.outcome.exit) }
        return SandboxResult(end, artefacts: artefacts, level: report.level, wasWarm: loan.wasWarm)
    }

    /// Refuses new jobs, kills those at work (their exit is `killed`), and removes every sandbox.
    public func shutdown() async {
        let (parts, jobs) = state.withLock { state -> (Parts?, [SandboxInbox]) in
            defer { state.phase = .stopped }
            guard case .started(let parts) = state.phase else { return (nil, []) }
            return (parts, Array(state.jobs.values))
        }
        guard let parts else { return }
        for inbox in jobs { inbox.post(.cancelled) }
        await parts.pool.stop()
        await parts.launcher.shutdown()
        parts.lane.perform(.stop)
        parts.files.stop()
    }

    /// What ended jobs left is removed. For tests: nobody else needs to wait for it.
    func settle() async {
        if case .started(let parts) = state.withLock({ $0.phase }) { await parts.pool.settle() }
    }

    /// Sandboxes that wait for a job; for tests and benchmarks.
    var idle: Int {
        get async {
            guard case .started(let parts) = state.withLock({ $0.phase }) else { return 0 }
            return await parts.pool.idle
        }
    }

    /// Which of the process's launchers is this host's; for tests.
    var launcher: Int? {
        guard case .started(let parts) = state.withLock({ $0.phase }) else { return nil }
        return parts.launcher.launcher
    }

    private func enter(_ loan: SandboxPool.Loan) {
        let inbox = loan.sandbox.inbox
        let isStopped = state.withLock { state in
            state.jobs[loan.slot] = inbox
            if case .stopped = state.phase { return true }
            return false
        }
        if isStopped { inbox.post(.cancelled) }
    }

    private func leave(_ loan: SandboxPool.Loan) {
        state.withLock { $0.jobs[loan.slot] = nil }
    }
}
