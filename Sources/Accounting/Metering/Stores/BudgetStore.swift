/// The budgets, for those who change them. Every change raises a version that never falls, so that a counter store can
/// tell old from new.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator.
public protocol BudgetStore: BudgetDirectory {
    /// Makes or changes a budget. The same limit and zone again change nothing. Another zone is the same budget
    /// with other windows, and begins a generation (see ``WindowRef/generation``).
    ///
    /// - Parameter author: on whose word. An organisation changes nothing that is the operator's, and makes nothing that is.
    /// - Returns: the budget with its version; nil when it is not the author's to change.
    func set(_ budget: Budget, by author: Budget.Owner) async throws -> Budget?
    func remove(scope: Scope, model: String?, unit: MeterUnit, period: Period, by author: Budget.Owner) async throws -> BudgetRemoval
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
    /// True of the scopes of an org, whose name stands at `place` of the statement: with what holds no name of a key in the table of keys, the keys of tokens.
    package static func isOf(_ place: String) -> String {
        """
        (scope = 'org:' || \(place) OR (scope >= 'project:' || \(place) || '/' AND scope < 'project:' || \(place) || '0')
            OR (scope >= 'user:' || \(place) || '/' AND scope < 'user:' || \(place) || '0')
            OR (scope >= 'key:jwt:' || \(place) || ':' AND scope < 'key:jwt:' || \(place) || ';')
            OR scope IN (SELECT 'key:' || id FROM keys WHERE org = \(place)))
        """
    }
}

/// What became of a budget that was to be removed.
public enum BudgetRemoval: Sendable, Hashable {
    case removed
    /// There was none.
    case absent
    /// It is the operator's, and somebody else's word was not enough.
    case kept
}

extension Budget {
    /// Whether `author` may put another in its place, or take it away.
    package func mayChange(by author: Owner) -> Bool { author == .operator || owner == .org }

    /// What is kept of it on the word of `author`.
    package func owner(by author: Owner) -> Owner { author == .operator ? owner : .org }
}

extension BudgetStore {
    /// On the operator's word, which is enough for every budget.
    @discardableResult
    public func set(_ budget: Budget) async throws -> Budget {
        guard let set = try await set(budget, by: .operator) else { preconditionFailure("a budget that its operator may not change") }
        return set
    }

    /// On the operator's word.
    ///
    /// - Returns: false when there was none.
    public func remove(scope: Scope, model: String?, unit: MeterUnit, period: Period) async throws -> Bool {
        try await remove(scope: scope, model: model, unit: unit, period: period, by: .operator) == .removed
    }

    /// Removes a budget for all models.
    public func remove(scope: Scope, unit: MeterUnit, period: Period) async throws -> Bool {
        try await remove(scope: scope, model: nil, unit: unit, period: period)
    }
}
