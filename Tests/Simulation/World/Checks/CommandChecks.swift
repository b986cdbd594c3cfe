import Accounting

/// What must hold after every single command to the store. A value of its world.
struct CommandChecks {
    private struct Shadow {
        var total: Int64
        let generation: Int64
        /// What was used when the window was loaded, and what its leases' rows have charged since.
        let loaded: Int64
        var charged: Int64 = 0
        var unaccounted: Int64
    }

    private let mayOverrun: Bool

    /// - Parameter mayOverrun: an upstream may report more than was held.
    init(mayOverrun: Bool) { self.mayOverrun = mayOverrun }

    private var shadows: [WindowKey: Shadow] = [:]
    /// Of leases that are in the present life: what the ledger had of them when it began, and their rows since.
    private var chargedByLease: [LeaseKey: Amounts] = [:]
    private var lives: [CounterSlot: Int64] = [:]
    private var commands = 0
    /// The full count over windows and leases is dear: it is made every so many commands.
    private static let every = 8

    /// - Returns: the rule that was broken, and how.
    mutating func check(
        _ command: CounterCommand, _ reply: CounterReply, _ changes: CounterChanges, _ machine: CounterMachine, _ budgets: BudgetTruth
    ) -> Violation? {
        // What a store that has lost data shows until its next life begins is of no life.
        if case .lost = reply { return changes.isEmpty ? nil : Violation("lost", "counters without a life have changed") }
        var overrun: [WindowKey: Int64] = [:]
        if let violation = noteLease(of: command, reply, budgets, &overrun) { return violation }
        for row in changes.rows where row.kind != .suspense {
            let key = LeaseKey(org: row.counters, id: row.lease)
            guard let lease = machine.leases[key] else { return Violation("rows", "row \(row.chargeID) of no lease") }
            guard row.epoch == machine.epochs[key.org]?.epoch.number ?? 0 else {
                return Violation("rows", "row \(row.chargeID) of life \(row.epoch)")
            }
            if row.kind == .overrun {
                if case .step = command { return Violation("I4", "\(row.chargeID): a step spent more than was held") }
                guard mayOverrun else { return Violation("I4", "\(row.chargeID): an honest run overran by \(row.amounts)") }
                for key in lease.path { overrun[key, default: 0] += row.amounts[key.unit] }
            } else {
                chargedByLease[key] = (chargedByLease[key] ?? .zero) + row.amounts
                for key in lease.path { shadows[key]?.charged += row.amounts[key.unit] }
                // What a lease spends that lacks a window was not asked of it: it raises the window beyond its cap.
                for window in machine.windows.values where lease.known < window.generation && window.counts(row, of: lease) {
                    shadows[window.key]?.charged += row.amounts[window.key.unit]
                    overrun[window.key, default: 0] += max(0, row.amounts[window.key.unit])
                }
            }
        }
        if let violation = checkLease(of: command, machine) { return violation }
        for key in changes.windows {
            if let violation = checkWindow(key, machine, overrun: overrun[key] ?? 0) { return violation }
        }
        commands += 1
        return commands % Self.every == 0 ? checkAll(machine) : nil
    }

    /// The store has lost data: nothing is known of its windows until they are loaded again.
    mutating func lost() {
        shadows = [:]
        chargedByLease = [:]
    }

    /// What a lease counts from: nothing when it is opened, what the ledger has of it when it is brought in.
    private mutating func noteLease(
        of command: CounterCommand, _ reply: CounterReply, _ budgets: BudgetTruth, _ overrun: inout [WindowKey: Int64]
    ) -> Violation? {
        switch (command, reply) {
        case (.begin(let org, let epoch), .done) where lives[org] != epoch.number:
            lives[org] = epoch.number
            chargedByLease = chargedByLease.filter { $0.key.org != org }
        case (.open(let open), .granted): chargedByLease[open.lease] = chargedByLease[open.lease] ?? .zero
        case (.assert(let claim), .done) where chargedByLease[claim.lease] == nil:
            chargedByLease[claim.lease] = claim.spent.amounts
            for key in claim.path.map(\.key) {
                let more = claim.held[key.unit] - (shadows[key]?.unaccounted ?? 0)
                guard more > 0 else { continue }
                overrun[key, default: 0] += more
                // What was granted in an earlier life was released, and what was released is accounted for to the end.
                if !mayOverrun, !budgets.unsteady.contains(BudgetTruth.name(key.scope, key.unit, key.period)) {
                    return Violation("unaccounted", "\(claim.lease.id) brings \(more) more into \(key.text) than was missing")
                }
            }
        default: break
        }
        return nil
    }

    func checkAll(_ machine: CounterMachine) -> Violation? {
        do { try machine.checkInvariants() } catch { return Violation("I2/I3", "\(error.rule.rawValue) in \(error.window.text)") }
        return nil
    }

    /// A lease's rows add up to what it spent.
    private func checkLease(of command: CounterCommand, _ machine: CounterMachine) -> Violation? {
        let key: LeaseKey
        switch command {
        case .step(let step): key = step.lease
        case .settle(let settle): key = settle.lease
        case .resolve(let lease, _): key = lease
        default: return nil
        }
        guard let lease = machine.leases[key] else { return nil }
        let charged = chargedByLease[key] ?? .zero
        guard charged == lease.spent.amounts else {
            return Violation("conservation", "\(key.id) spent \(lease.spent.amounts), its rows say \(charged)")
        }
        guard lease.held.isValid else { return Violation("I3", "\(key.id) holds \(lease.held)") }
        return nil
    }

    private mutating func checkWindow(_ key: WindowKey, _ machine: CounterMachine, overrun: Int64) -> Violation? {
        guard let window = machine.windows[key] else {
            shadows[key] = nil
            return nil
        }
        let total = window.taken
        guard var shadow = shadows[key], shadow.generation == window.generation else {
            shadows[key] = Shadow(total: total, generation: window.generation, loaded: window.used, unaccounted: window.unaccounted)
            return nil
        }
        let most = max(shadow.total, min(window.cap, window.released)) + overrun
        guard total <= most else {
            let parts = "used \(window.used) + held \(window.held) + suspense \(window.suspense) + unaccounted \(window.unaccounted)"
            return Violation("I2", "\(key.text): \(parts) > \(most)")
        }
        guard window.used == shadow.loaded + shadow.charged else {
            return Violation("conservation", "\(key.text): used \(window.used), loaded \(shadow.loaded) + rows \(shadow.charged)")
        }
        shadow.total = total
        shadow.unaccounted = window.unaccounted
        shadows[key] = shadow
        return nil
    }
}

extension WindowState {
    /// True when a row counts in the window though it is not in the path of the row's lease.
    fileprivate func counts(_ row: LedgerRow, of lease: LeaseState) -> Bool {
        start <= row.at && row.at < end && row.attribution.path.scopes.contains(key.scope) && !lease.path.contains(key)
    }
}

/// A broken invariant.
public struct Violation: Sendable {
    public let rule: String
    public let detail: String

    init(_ rule: String, _ detail: String) {
        self.rule = rule
        self.detail = detail
    }
}
