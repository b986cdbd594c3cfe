internal import JSON

/// Decides when a job ends and what its end is called: `(event, time) → [action]`, without a clock of its own.
///
/// Times count from the moment the sandbox got its code. The time during which a call of a tool is in flight is not the
/// code's own, up to ``SandboxLimits/toolWaitMax`` together.
struct JobMachine: Sendable {
    enum Event: Sendable {
        /// Bytes on stdout or stderr.
        case output(Int)
        case called(Int64)
        case answered(Int64)
        case result(JSONValue)
        /// The channel's frames broke a rule, or nobody reads its replies.
        case violated(ChannelViolation)
        case channelEnded
        /// The outermost process is gone.
        case exited
        case cancelled
        /// Time has passed; `cpu` in nanoseconds since the sandbox's start, nil without a cgroup.
        case tick(cpu: Int64?)
    }

    enum Action: Sendable, Hashable {
        /// End every process; afterwards ask for ``outcome(of:)``. Said once.
        case kill
        /// Nobody can receive the answers of the calls in flight.
        case cancelCalls
    }

    struct Outcome: Sendable, Hashable {
        let exit: SandboxExit
        let detail: String?
    }

    private let limits: SandboxLimits
    private let cpuMax: Int64
    /// What ended the job, if not the code.
    private var verdict: Outcome?
    private(set) var isOver = false
    /// The code's own time and the time of its calls, up to `mark`.
    private var own: Duration = .zero
    private var waited: Duration = .zero
    private var mark: Duration = .zero
    private var calls: Set<Int64> = []
    private var output: Int64 = 0
    private var cpuPoll = SessionLimits.cpuPoll
    private var exitBy: Duration?
    private(set) var value: JSONValue?

    init(_ limits: SandboxLimits) {
        self.limits = limits
        cpuMax = limits.cpu.nanoseconds
    }

    /// When a tick is due at the latest; nil when the job is over.
    var wake: Duration? {
        guard !isOver else { return nil }
        let excluded = calls.isEmpty ? .zero : limits.toolWaitMax - waited
        let end = mark + excluded + (limits.wall - own)
        return min(end, cpuPoll, exitBy ?? end)
    }

    mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        advance(to: now)
        var actions: [Action] = []
        switch event {
        case .output(let count):
            output += Int64(count)
            if output > limits.outputMax { return end(.outputLimit, "output") }
        case .called(let id):
            if !isOver { calls.insert(id) }
        case .answered(let id):
            calls.remove(id)
        case .result(let json):
            // Also after the process is gone: it writes its result, then leaves, and both are seen in either order.
            if value == nil { value = json }
            if !isOver, exitBy == nil { exitBy = now + SessionLimits.exitGrace }
            actions = dropCalls()
        case .violated(let violation):
            return end(violation.exit, violation.code)
        case .channelEnded:
            // The code may do without: it has the same limits.
            actions = dropCalls()
        case .exited:
            return end(nil)
        case .cancelled:
            return end(.killed, "cancelled")
        case .tick(let cpu):
            if let cpu, cpu >= cpuMax { return end(.cpuLimit, "cpu") }
            if now >= cpuPoll { cpuPoll = now + SessionLimits.cpuPoll }
        }
        if own >= limits.wall { return end(.timeout, "wall") }
        if let exitBy, now >= exitBy { return end(nil) }
        return isOver ? [] : actions
    }

    /// What the end is called, with what the kernel says.
    func outcome(of remains: SandboxRemains) -> Outcome {
        if let verdict { return verdict }
        // A result is the code's end, whatever became of its processes afterwards.
        let isDone = value != nil && exitBy != nil
        switch remains.status {
        case .exited(0): return Outcome(exit: .ok, detail: nil)
        case .exited(let status):
            // bubblewrap leaves with 128 + signal for its child.
            if status > 128 { return ending(by: status - 128, remains, isDone: isDone) }
            return Outcome(exit: .error, detail: "status \(status)")
        case .signalled(let signal): return ending(by: signal, remains, isDone: isDone)
        case nil: return isDone ? Outcome(exit: .ok, detail: nil) : Outcome(exit: .error, detail: "no_status")
        }
    }

    private func ending(by signal: Int32, _ remains: SandboxRemains, isDone: Bool) -> Outcome {
        if remains.wasOutOfMemory { return Outcome(exit: .outOfMemory, detail: "memory") }
        switch signal {
        case 31: return Outcome(exit: .forbiddenSyscall, detail: "SIGSYS")
        case 24: return Outcome(exit: .cpuLimit, detail: "cpu")
        case 9 where (remains.cpuNanoseconds ?? 0) >= cpuMax: return Outcome(exit: .cpuLimit, detail: "cpu")
        case 9 where isDone: return Outcome(exit: .ok, detail: nil)
        default: return Outcome(exit: .error, detail: "signal \(signal)")
        }
    }

    private mutating func advance(to now: Duration) {
        let passed = max(now - mark, .zero)
        let excluded = calls.isEmpty ? .zero : min(passed, limits.toolWaitMax - waited)
        waited += excluded
        own += passed - excluded
        mark = max(mark, now)
    }

    private mutating func dropCalls() -> [Action] {
        guard !calls.isEmpty else { return [] }
        calls = []
        return [.cancelCalls]
    }

    /// The first end counts; later ones change nothing. `nil` is the code's own.
    private mutating func end(_ exit: SandboxExit?, _ detail: String? = nil) -> [Action] {
        guard !isOver else { return [] }
        isOver = true
        // After a result nothing is the code's fault any more: what is left of it is just ended.
        if let exit, value == nil || exit == .killed { verdict = Outcome(exit: exit, detail: detail) }
        return dropCalls() + [.kill]
    }
}

extension Duration {
    /// Whole nanoseconds; a duration beyond 292 years is the largest number.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product + attoseconds / 1_000_000_000
    }
}
