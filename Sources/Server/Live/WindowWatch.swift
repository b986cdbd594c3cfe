internal import Accounting
internal import JSON

/// The windows of one organisation's budgets as a console watches them: read from the counters every second, and once from the ledger what
/// no counters have loaded.
///
/// An actor; at most ``LiveLimits/windows`` of them, the widest scopes first.
actor WindowWatch {
    /// How long the list of budgets is believed: a new budget is seen within it.
    private static let listAge = Duration.seconds(5)
    /// Keys of an organisation of which budgets are looked for.
    private static let keysMax = 2_000

    private let org: String
    private let stores: Stores
    private let accountant: Accountant
    private var budgets: (at: ContinuousClock.Instant, list: [Budget])?
    /// What the ledger said of windows without counters. They count as soon as they are used, and are read there from then on.
    private var summed: [WindowKey: WindowSnapshot] = [:]
    private var told: [String: JSONValue] = [:]

    init(_ org: String, stores: Stores, accountant: Accountant) {
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
        return changes(budgets.compactMap { windows[$0.window(at: now).key] })
    }

    private func changes(_ windows: [WindowSnapshot]) -> [JSONValue] {
        var (new, changed): ([String: JSONValue], [JSONValue]) = ([:], [])
        for window in windows {
            // A budget is one row, whichever of its windows runs.
            let name = "\(window.key.scope.text) \(window.key.model ?? "") \(window.key.unit.rawValue) \(window.key.period.rawValue)"
            let row = window.budgetRow
            if told[name] != row { changed.append(row) }
            new[name] = row
        }
        told = new
        return changed
    }

    private func list() async -> [Budget]? {
        if let budgets, ContinuousClock.now - budgets.at < Self.listAge { return budgets.list }
        guard let all = try? await stores.budgets.list(scope: nil), let keys = try? await keys(all) else { return budgets?.list }
        let own = all.filter { budget in
            switch budget.scope {
            case .org(let org), .project(let org, _), .user(let org, _, _): org == self.org
            case .key(let id): keys.contains(id)
            }
        }
        let list = own.sorted { Scope.areInOrder($0.scope, $1.scope) }.prefix(LiveLimits.windows)
        budgets = (.now, Array(list))
        return Array(list)
    }

    /// The organisation's keys, if any key has a budget.
    private func keys(_ budgets: [Budget]) async throws -> Set<String> {
        guard budgets.contains(where: { $0.scope.kind == .key }) else { return [] }
        var (keys, cursor): (Set<String>, String?) = ([], nil)
        repeat {
            let page = try await stores.keys.list(org: org, after: cursor, limit: StoreLimits.page)
            keys.formUnion(page.map(\.id))
            cursor = page.count == StoreLimits.page ? page.last?.id : nil
        } while cursor != nil && keys.count < Self.keysMax
        return keys
    }
}

extension WindowSnapshot {
    /// A row of `/api/admin/budgets`: what is used of it and what is free.
    var budgetRow: JSONValue {
        guard case .object(var object) = json else { return json }
        let (taken, overflow) = used.addingReportingOverflow(held)
        object["free"] = key.unit.json(overflow ? 0 : max(0, cap - taken - suspense))
        return .object(object)
    }
}
