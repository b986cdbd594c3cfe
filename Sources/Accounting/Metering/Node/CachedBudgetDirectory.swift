internal import Synchronization

/// Remembers the budgets of paths for a moment, so that a refill does not ask the database each time.
///
/// State is in a `Mutex`. A change elsewhere is seen after ``AccountingLimits/budgetAge``.
public final class CachedBudgetDirectory: BudgetDirectory {
    private struct Entry {
        let budgets: [Budget]
        let readAt: Milliseconds
    }

    private let source: any BudgetDirectory
    private let clock: any AccountingClock
    private let entries = Mutex<[TenancyPath: Entry]>([:])

    public init(_ source: any BudgetDirectory, clock: any AccountingClock) {
        self.source = source
        self.clock = clock
    }

    public func budgets(for path: TenancyPath) async throws(BudgetDirectoryError) -> [Budget] {
        let now = clock.monotonic()
        if let entry = entries.withLock({ $0[path] }), now - entry.readAt < AccountingLimits.budgetAge { return entry.budgets }
        let budgets = try await source.budgets(for: path)
        entries.withLock { entries in
            // Dropping all is the cheapest bound, and costs each path one read.
            if entries.count >= AccountingLimits.budgetPaths { entries.removeAll() }
            entries[path] = Entry(budgets: budgets, readAt: now)
        }
        return budgets
    }

    /// Forgets everything: the next question is answered afresh.
    public func invalidate() { entries.withLock { $0.removeAll() } }
}
