/// How long a run's tools have worked, and how long people have been waited for. Pure; times are ``EngineClock``'s.
///
/// Two clocks of which one runs: a person may take an hour, and a tool that hangs may not. While any call waits for an approval
/// it is the people's.
struct ToolClock: Sendable, Hashable {
    private let toolTimeMax: Int64
    private let approvalTimeMax: Int64
    private var toolTime: Int64 = 0
    private var approvalTime: Int64 = 0
    private var approvals = 0
    /// Since when the running one was not read; nil while no tool runs.
    private var since: Int64?

    init(_ limits: EngineLimits) {
        toolTimeMax = limits.toolTimeMax.wholeNanoseconds
        approvalTimeMax = limits.approvalTimeMax.wholeNanoseconds
    }

    /// The tools of a round begin.
    mutating func begin(_ now: Int64) { since = now }

    /// So many more approvals are waited for, or fewer.
    mutating func approvals(changedBy change: Int, _ now: Int64) {
        read(now)
        approvals = max(0, approvals + change)
    }

    /// The tools of a round have ended.
    mutating func end(_ now: Int64) {
        read(now)
        since = nil
        approvals = 0
    }

    /// When the running clock reaches its limit; nil while none runs.
    var due: Int64? {
        guard let since else { return nil }
        let (due, overflow) = since.addingReportingOverflow(approvals > 0 ? approvalTimeMax - approvalTime : toolTimeMax - toolTime)
        return overflow ? .max : due
    }

    /// Whether a limit is reached.
    var isOver: Bool { toolTime >= toolTimeMax || approvalTime >= approvalTimeMax }

    private mutating func read(_ now: Int64) {
        guard let since else { return }
        let passed = max(0, now - since)
        if approvals > 0 { approvalTime += passed } else { toolTime += passed }
        self.since = now
    }
}
