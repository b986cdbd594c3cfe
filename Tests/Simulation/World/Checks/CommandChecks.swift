import Accounting

/// What must hold after every single command to the store. A value of its world.
struct CommandChecks {
    private struct Shadow {
        var total: Int64
        let generation: Int64
        /// What was used when the window was loaded, and what its leases' rows have charged since.
        let loaded: Int64
        var charged: Int64 = 0
    }

    private var shadows: [WindowKey: Shadow] = [:]
    private var chargedByLease: [String: Amounts] = [:]
    private var commands = 0
    /// The full count over windows and leases is dear: it is made every so many commands.
    private static let every = 8

    /// - Returns: the rule that was broken, and how.
    mutating func check(_ command: CounterCommand, _ changes: CounterChanges, _ machine: CounterMachine, mayOverrun: Bool) -> Violation? {
        var overrun: [WindowKey: Int64] = [:]
        for row in changes.rows where row.kind != .suspense {
            guard let lease = machine.leases[LeaseKey(org: row.attribution.path.org, id: row.lease)] else {
                return Violation("rows", "row \(row.chargeID) of no lease")
            }
            if row.kind == .overrun {
                if case .step = command { return Violation("I4", "\(row.chargeID): a step spent more than was held") }
                guard mayOverrun else { return Violation("I4", "\(row.chargeID): an honest run overran by \(row.amounts)") }
                for key in lease.path { overrun[key, default: 0] += row.amounts[key.unit] }
            } else {
                chargedByLease[row.lease] = (chargedByLease[row.lease] ?? .zero) + row.amounts
                for key in lease.path { shadows[key]?.charged += row.amounts[key.unit] }
            }
        }
        if let violation = checkLease(of: command, machine) { return violation }
        for key in changes.windows {
            if let violation = checkWindow(key, machine, overrun: overrun[key] ?? 0) { return violation }
        }
        commands += 1
        return commands % Self.every == 0 ? checkAll(machine) : nil
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
        let charged = chargedByLease[key.id] ?? .zero
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
        let total = window.used + window.held + window.suspense
        guard var shadow = shadows[key], shadow.generation == window.generation else {
            shadows[key] = Shadow(total: total, generation: window.generation, loaded: window.used)
            return nil
        }
        let most = max(shadow.total, window.cap) + overrun
        guard total <= most else {
            return Violation("I2", "\(key.text): used \(window.used) + held \(window.held) + suspense \(window.suspense) > \(most)")
        }
        guard window.used == shadow.loaded + shadow.charged else {
            return Violation("conservation", "\(key.text): used \(window.used), loaded \(shadow.loaded) + rows \(shadow.charged)")
        }
        shadow.total = total
        shadows[key] = shadow
        return nil
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
