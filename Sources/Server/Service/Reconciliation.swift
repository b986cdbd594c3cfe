internal import Accounting
internal import AccountingSQLite
internal import Foundation

/// Compares what the counters of an org say with what the ledger says, and rebuilds the counters where they differ.
struct Reconciliation: Sendable {
    /// A window whose count is not the sum of its charges.
    struct Difference: Sendable {
        let window: WindowKey
        let counted: Int64
        let charged: Int64
    }

    struct Report: Sendable {
        let org: OrgID
        let windows: Int
        let differences: [Difference]
        /// Leases whose holder died without evidence, with what they hold.
        let suspended: [LedgerRow]
        /// Processes that a rebuild waits for.
        let awaited: [LeaseHolder]
    }

    /// How often a window is looked at that changes meanwhile, and how long a rebuild is waited for.
    private static let looks = 40
    private static let rebuildRounds = 100

    let stores: Stores
    let reader: WindowReader

    func report(org: OrgID) async throws -> Report {
        var differences: [Difference] = []
        let budgets = try await budgets(of: org)
        for budget in budgets {
            if let difference = try await compare(budget, org: org) { differences.append(difference) }
        }
        return Report(
            org: org, windows: budgets.count, differences: differences, suspended: try await stores.ledger.suspended(org: org),
            awaited: try await awaited(org))
    }

    private func awaited(_ org: OrgID) async throws -> [LeaseHolder] {
        guard reader.counters != nil else { return [] }
        var found: [LeaseHolder] = []
        for slot in try await reader.slots(org) {
            for holder in try await stores.root.awaited(org: slot) where !found.contains(holder) { found.append(holder) }
        }
        return found
    }

    private func budgets(of org: OrgID) async throws -> [Budget] {
        var found: [Budget] = []
        for budget in try await stores.budgets.list(scope: nil) where try await reader.org(of: budget.scope) == org { found.append(budget) }
        return found
    }

    /// Streams may run: it is looked at until the looks agree on an answer.
    ///
    /// Where charges come faster than they can be read, the count is right to within what the luckiest looks saw pass.
    private func compare(_ budget: Budget, org: OrgID) async throws -> Difference? {
        var comparison = CountComparison()
        var compared: WindowKey?
        for _ in 0..<Self.looks where comparison.verdict == .open {
            let window = budget.window(at: WallClock.now())
            if compared != window.key { comparison = CountComparison() }
            compared = window.key
            guard let before = try await counted(window, budget) else { return nil }
            try await reader.flush(org: org)
            let charged = try await stores.ledger.sum(
                window.key.scope, model: window.key.model, from: window.start, to: window.end
            ).amounts[window.key.unit]
            guard let after = try await counted(window, budget) else { return nil }
            comparison.look(before: before, charged: charged, after: after)
        }
        guard let compared, comparison.differs else { return nil }
        return Difference(window: compared, counted: comparison.counted, charged: comparison.charged)
    }

    /// Nil for a window that the counters do not have: it will be loaded from the ledger.
    private func counted(_ window: WindowRef, _ budget: Budget) async throws -> Int64? {
        try await reader.windows(of: [budget]).first { $0.key == window.key }?.used
    }

    /// Rebuilds the org's counters from the ledger.
    ///
    /// - Returns: the processes that have not answered in ten seconds; what they may hold stays locked until they do.
    func repair(_ report: Report) async throws -> [LeaseHolder] {
        if case .embedded(let database) = stores.durable, reader.counters == nil {
            let used = Dictionary(report.differences.map { ($0.window, $0.charged) }) { first, _ in first }
            try await SQLiteCounterStore.repair(database, used: used)
            return []
        }
        guard let counters = reader.counters else { return [] }
        let holder = LeaseHolder(node: "reconcile-\(RandomText.urlSafe(bytes: 6))", fence: WallClock.now().rawValue)
        let rebuild = CounterRebuild(root: stores.root, store: counters, holder: holder)
        var lives: [(org: CounterSlot, life: Epoch)] = []
        for slot in try await reader.slots(report.org) where try await stores.root.life(org: slot) != nil {
            lives.append((slot, try await rebuild.begin(org: slot)))
        }
        var awaited: [LeaseHolder] = []
        for _ in 0..<Self.rebuildRounds {
            awaited = []
            for (org, life) in lives { awaited += try await rebuild.proceed(org: org, life).filter { !awaited.contains($0) } }
            if awaited.isEmpty { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        return awaited
    }
}
