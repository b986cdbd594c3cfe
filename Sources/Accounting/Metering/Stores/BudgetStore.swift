/// The budgets, for those who change them. Every change raises a version that never falls, so that a counter store can
/// tell old from new.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator.
public protocol BudgetStore: BudgetDirectory {
    /// Makes or changes a budget. The same limit and zone again change nothing. Another zone is the same budget
    /// with other windows, and begins a generation (see ``WindowRef/generation``).
    ///
    /// - Returns: the budget with its version.
    @discardableResult
    func set(_ budget: Budget) async throws -> Budget
    /// - Returns: false when there was none.
    func remove(scope: Scope, model: String?, unit: MeterUnit, period: Period) async throws -> Bool
    /// All budgets by scope, or those of one scope.
    func list(scope: Scope?) async throws -> [Budget]
}

extension BudgetStore {
    /// Removes a budget for all models.
    public func remove(scope: Scope, unit: MeterUnit, period: Period) async throws -> Bool {
        try await remove(scope: scope, model: nil, unit: unit, period: period)
    }
}
