import Accounting

/// The budgets as they are, whoever knows it. A value of its world.
struct BudgetTruth {
    private var slots: [Budget?]
    private let originals: [Budget]
    private(set) var edition: Int64 = 1
    /// By ``name(_:)``: the highest cap that ever held.
    private(set) var highest: [String: Int64] = [:]
    /// Those that were not there all the time. Runs may have spent before them what is above their caps.
    private(set) var unsteady: Set<String> = []

    init(_ budgets: [Budget]) {
        slots = budgets
        originals = budgets
        for budget in budgets { highest[Self.name(budget)] = budget.limit }
    }

    var list: [Budget] { slots.compactMap { $0 } }

    /// The generation of a budget that is there now.
    func generation(_ key: WindowKey) -> Int64? {
        list.first { $0.scope == key.scope && $0.unit == key.unit && $0.period == key.period }?.generation
    }

    static func name(_ budget: Budget) -> String { name(budget.scope, budget.unit, budget.period) }

    static func name(_ scope: Scope, _ unit: MeterUnit, _ period: Period) -> String {
        "\(scope.text):\(unit.rawValue):\(period.rawValue)"
    }

    mutating func setCap(_ index: Int, permille: Int64) {
        guard let budget = slots[index] else { return }
        put(budget, limit: originals[index].limit * permille / 1_000, generation: budget.generation, at: index)
    }

    mutating func add(_ budget: Budget) {
        let name = Self.name(budget)
        guard !list.contains(where: { Self.name($0) == name }), !originals.contains(where: { Self.name($0) == name }) else { return }
        unsteady.insert(name)
        slots.append(nil)
        put(budget, limit: budget.limit, generation: edition + 1, at: slots.count - 1)
    }

    mutating func remove(_ index: Int) {
        guard let budget = slots[index] else { return }
        unsteady.insert(Self.name(budget))
        slots[index] = nil
        edition += 1
    }

    mutating func restore(_ index: Int) {
        guard slots[index] == nil else { return }
        put(originals[index], limit: originals[index].limit, generation: edition + 1, at: index)
    }

    private mutating func put(_ budget: Budget, limit: Int64, generation: Int64, at index: Int) {
        edition += 1
        slots[index] = try? Budget(
            scope: budget.scope, unit: budget.unit, period: budget.period, limit: limit, version: edition, generation: generation)
        highest[Self.name(budget)] = max(highest[Self.name(budget)] ?? 0, limit)
    }
}
