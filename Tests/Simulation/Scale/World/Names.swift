import Accounting

/// The names of the world as the product spells them: tenancy paths, budgets, windows, leases.
struct Names {
    private let population: Population
    private let windows: ContiguousArray<WindowRef>
    private let paths: ContiguousArray<TenancyPath>
    private let offset: Budgets

    init(_ settings: ScaleSettings, _ population: Population, _ budgets: Budgets) {
        self.population = population
        offset = budgets
        var scopes: [Scope] = population.orgs.map { .org($0.name) }
        var orgOfProject = [Int](repeating: 0, count: population.projectStreams.count)
        for user in population.users { orgOfProject[user.project] = user.org }
        scopes += orgOfProject.enumerated().map { .project(org: population.orgs[$1].name, project: "p\($0)") }
        scopes += population.users.enumerated().map {
            .user(org: population.orgs[$1.org].name, project: "p\($1.project)", user: "u\($0)")
        }
        scopes += population.users.indices.map { .key("k\($0)") }
        var windows: ContiguousArray<WindowRef> = []
        windows.reserveCapacity(scopes.count * 2)
        for (index, scope) in scopes.enumerated() {
            for (unit, word) in Budgets.units.enumerated() {
                // No cap is outside of what a budget may have: they come from at most a few million streams.
                guard let budget = try? Budget(scope: scope, unit: word, period: .day, limit: budgets.caps[index * 2 + unit]) else {
                    preconditionFailure("a cap that no budget may have")
                }
                windows.append(budget.window(at: Milliseconds(World.noon)))
            }
        }
        self.windows = windows
        paths = ContiguousArray(
            population.users.enumerated().map { index, user in
                guard
                    let path = try? TenancyPath(
                        org: population.orgs[user.org].name, project: "p\(user.project)", user: "u\(index)", key: "k\(index)")
                else { preconditionFailure("a name that no path may have") }
                return path
            })
    }

    func key(_ window: Int) -> WindowKey { windows[window].key }

    func ref(_ window: Int) -> WindowRef { windows[window] }

    func refs(of user: Int) -> [WindowRef] { offset.path(of: user, population).map { windows[$0] } }

    func attribution(of user: Int, run: Int) -> Attribution {
        Attribution(path: paths[user], run: "r\(run)", model: "m", priceVersion: "1")
    }

    /// The counters of a lease.
    func org(of user: Int) -> CounterSlot {
        let found = population.users[user]
        let org = population.orgs[found.org]
        return CounterSlot(org: org.name, index: org.sets.count > 1 ? found.set - org.sets.lowerBound + 1 : 0)
    }

    func holder(_ node: Int) -> LeaseHolder { LeaseHolder(node: "n\(node)", fence: 1) }
}
