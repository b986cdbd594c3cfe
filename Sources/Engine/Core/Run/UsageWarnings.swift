/// Which thresholds a run has told of. A value of its pump.
///
/// A window may pass several thresholds between two looks, and the run may be cut before the next one: each threshold is
/// told once, in order, and none is left out. Those that were reached before the run began were told as one, with its first
/// `chat.usage`.
struct UsageWarnings: Sendable, Hashable {
    /// Per cent of a window's limit (contract §3).
    static let levels = [50, 80, 95]

    private(set) var told: Int

    init(told: Int?) { self.told = told ?? 0 }

    /// The thresholds to tell now, ascending, when the highest that is reached is `level`.
    mutating func due(_ level: Int?) -> [Int] {
        let level = level ?? 0
        // A window that rolled, or a limit that was raised, takes nothing back: a warning is told once a run.
        guard level > told else { return [] }
        defer { told = level }
        return Self.levels.filter { told < $0 && $0 <= level }
    }
}

extension UsageReport {
    /// The same report that says `warning`.
    func warning(_ warning: Int?) -> UsageReport {
        UsageReport(inputTokens: inputTokens, outputTokens: outputTokens, costUSD: costUSD, windows: windows, warning: warning)
    }
}

extension Run {
    /// An event for each threshold that was reached since the last look: none is passed over, none comes twice, and all of
    /// them come before the last event.
    func tellWarnings(_ report: UsageReport, _ warnings: inout UsageWarnings, at time: Int64) -> Bool {
        let due = warnings.due(report.warning)
        for level in due {
            log.append(.usage(report.warning(level)), at: time)
            parts.metrics.budgetWarning(level: level)
        }
        return !due.isEmpty
    }
}
