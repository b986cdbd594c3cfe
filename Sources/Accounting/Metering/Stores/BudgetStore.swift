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
    /// Those of an org with its projects, users and keys, or of all, in the order of ``BudgetName``. At most ``StoreLimits/page``.
    func page(org: OrgID?, after: BudgetName?, limit: Int) async throws -> [Budget]
}

/// What tells one budget from another, in the order in which pages list them.
public struct BudgetName: Sendable, Hashable {
    public let scope: String
    /// Empty for all.
    public let model: String
    public let unit: String
    public let period: String

    public init(_ budget: Budget) {
        (scope, model) = (budget.scope.text, budget.model ?? "")
        (unit, period) = (budget.unit.rawValue, budget.period.rawValue)
    }

    /// The four parts in order.
    public init?(parts: [String]) {
        guard parts.count == 4 else { return nil }
        (scope, model, unit, period) = (parts[0], parts[1], parts[2], parts[3])
    }

    public var parts: [String] { [scope, model, unit, period] }
}

package enum BudgetStatement {
    /// True of the scopes of an org, which stands at `org`: with what holds no name of a key in the table of keys, the keys of tokens.
    package static func isOf(org: OrgID) -> String {
        """
        (scope = 'org:' || \(org) OR (scope >= 'project:' || \(org) || '/' AND scope < 'project:' || \(org) || '0')
            OR (scope >= 'user:' || \(org) || '/' AND scope < 'user:' || \(org) || '0')
            OR (scope >= 'key:jwt:' || \(org) || ':' AND scope < 'key:jwt:' || \(org) || ';')
            OR scope IN (SELECT 'key:' || id FROM keys WHERE org = \(org)))
        """
    }
}

extension BudgetStore {
    /// Removes a budget for all models.
    public func remove(scope: Scope, unit: MeterUnit, period: Period) async throws -> Bool {
        try await remove(scope: scope, model: nil, unit: unit, period: period)
    }
}
