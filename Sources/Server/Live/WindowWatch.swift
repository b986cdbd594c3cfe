internal import Accounting
internal import JSON

/// The windows of one organisation's budgets as a console watches them: read from the counters every second, and once from the ledger what
/// no counters have loaded.
///
/// An actor; at most ``LiveLimits/windows`` of them, the widest scopes first.
actor WindowWatch {
    /// How long the list of budgets is believed: a new budget is seen within it.
    private static let listAge = Duration.seconds(5)
    /// Budgets of an organisation among which the widest are looked for.
    private static let budgetsMax = 5_000

    private let org: OrgID
    private let stores: Stores
    private let accountant: Accountant
    private var budgets: (at: ContinuousClock.Instant, list: [Budget])?
    /// What the ledger said of windows without counters. They count as soon as they are used, and are read there from then on.
    private var summed: [WindowKey: WindowSnapshot] = [:]
    private var told: [String: JSONValue] = [:]

    init(_ org: OrgID, stores: Stores, accountant: Accountant) {
        self.org = org
        self.stores = stores
        self.accountant = accountant
    }

    /// Everything that was told, for a console that has just come.
    var snapshot: [JSONValue] { told.sorted { $0.key < $1.key }.map(\.value) }

    /// - Returns: the rows that have changed; a row of a budget that was removed is told no more.
    func look() async -> [JSONValue] {
        guard let budgets = await list(), let loaded = await accountant.windows(of: budgets, org: org, sums: false) else { return [] }
        let now = WallClock.now()
        var windows: [WindowKey: WindowSnapshot] = Dictionary(loaded.map { ($0.key, $0) }, uniquingKeysWith: { one, _ in one })
        var unknown: [Budget] = []
        for budget in budgets {
            let key = budget.window(at: now).key
            guard windows[key] == nil else { continue }
            if let sum = summed[key], sum.cap == budget.limit { windows[key] = sum } else { unknown.append(budget) }
        }
        if !unknown.isEmpty, let sums = await accountant.windows(of: Array(unknown.prefix(LiveLimits.sums)), org: org) {
            for window in sums { windows[window.key] = window }
        }
        // Windows that are over go with this.
        let keys = Set(loaded.map(\.key))
        summed = windows.filter { !keys.contains($0.key) }
        return changes(
            budgets.compactMap { budget in windows[budget.window(at: now).key].map { (budget, $0) } })
    }

    private func changes(_ windows: [(Budget, WindowSnapshot)]) -> [JSONValue] {
        var (new, changed): ([String: JSONValue], [JSONValue]) = ([:], [])
        for (budget, window) in windows {
            // A budget is one row, whichever of its windows runs.
            let name = "\(window.key.scope.text) \(window.key.model ?? "") \(window.key.unit.rawValue) \(window.key.period.rawValue)"
            let row = JSONValue.object(window.row(of: budget))
            if told[name] != row { changed.append(row) }
            new[name] = row
        }
        told = new
        return changed
    }

    private func list() async -> [Budget]? {
        if let budgets, ContinuousClock.now - budgets.at < Self.listAge { return budgets.list }
        var (found, after): ([Budget], BudgetName?) = ([], nil)
        while found.count < Self.budgetsMax {
            guard let page = try? await stores.budgets.page(org: org, after: after, limit: StoreLimits.page) else { return budgets?.list }
            found += page
            guard page.count == StoreLimits.page, let last = page.last else { break }
            after = BudgetName(last)
        }
        let list = Array(found.sorted { Scope.areInOrder($0.scope, $1.scope) }.prefix(LiveLimits.windows))
        budgets = (.now, list)
        return list
    }
}
