import Accounting

/// A deliberately broken counter store, to prove that the simulation sees what it is there to see.
public enum Defect: String, Sendable, CaseIterable {
    /// The reaper frees what a silent node held (metering.md §9, trap 3).
    case refundOnTimer = "refund-on-timer"
    /// A step that arrives again is charged again.
    case nonIdempotentStep = "non-idempotent-step"
    /// With less headroom than asked, what is left is held and the whole wish admitted.
    case shrinkAndAdmit = "shrink-and-admit"
    /// The store comes back with older data, or with none, and says that it is the same.
    case unnoticedLoss = "unnoticed-loss"
    /// The durable root clears a life when the first process has answered for it.
    case clearAlone = "clear-alone"
    /// What leases spend that lack a new window is not counted there.
    case lateUncounted = "late-uncounted"
    /// A window is loaded with a sum that something was committed after.
    case loadUnmarked = "load-unmarked"
}

extension Defect {
    /// What is decided in place of a command.
    fileprivate func distort(_ command: CounterCommand) -> CounterCommand {
        switch (self, command) {
        case (.lateUncounted, .open(let open)):
            .open(
                OpenLease(
                    lease: open.lease, holder: open.holder, attribution: open.attribution, path: open.path, fixed: open.fixed,
                    offers: open.offers, shareFloor: open.shareFloor, continues: open.continues, known: .max, ttl: open.ttl))
        case (.loadUnmarked, .load(let org, let window, let used, let released, _)):
            .load(org: org, window: window, used: used, released: released)
        default: command
        }
    }
}

/// ``CounterMachine``, with or without a defect around it. A value.
struct DefectiveCounters {
    let defect: Defect?
    private(set) var machine = CounterMachine()
    /// What the last step of each lease charged.
    private var charged: [LeaseKey: [LedgerRow]] = [:]

    init(_ defect: Defect?) { self.defect = defect }

    mutating func apply(
        _ command: CounterCommand, incarnation: String, now: Milliseconds
    ) -> (CounterReply, CounterChanges) {
        // A machine that is made anew below has had one life only.
        if defect == .nonIdempotentStep, machine.epochs.isEmpty, case .step(let step) = command, let lease = machine.leases[step.lease],
            lease.phase == .live,
            lease.sequence == step.sequence, lease.holder == step.holder
        {
            return chargeAgain(lease, command, now: now)
        }
        var reply = machine.apply(defect?.distort(command) ?? command, incarnation: incarnation, now: now)
        switch (defect, command, reply) {
        case (.refundOnTimer, .reap, _):
            for lease in machine.leases.values where lease.phase == .suspended {
                _ = machine.apply(.resolve(lease.key, evidence: lease.spent), incarnation: incarnation, now: now)
            }
        case (.shrinkAndAdmit, .open, .granted(_, let windows, let now)), (.shrinkAndAdmit, .step, .granted(_, let windows, let now)):
            reply = .granted(offer: 0, windows: windows, now: now)
        default: break
        }
        let changes = machine.drainChanges()
        if defect == .nonIdempotentStep, case .step(let step) = command { charged[step.lease] = changes.rows }
        return (reply, changes)
    }

    private mutating func chargeAgain(_ found: LeaseState, _ command: CounterCommand, now: Milliseconds) -> (CounterReply, CounterChanges) {
        var lease = found
        var windows = machine.windows
        var changes = CounterChanges()
        for row in charged[lease.key] ?? [] where row.kind == .commit {
            let again = LedgerRow(
                chargeID: "\(row.chargeID):again", kind: row.kind, lease: row.lease, attribution: row.attribution, nanoUSD: row.nanoUSD,
                usage: row.usage, requests: row.requests, estimated: row.estimated, at: row.at)
            changes.rows.append(again)
            for unit in MeterUnit.allCases {
                let fromHold = min(row.amounts[unit], lease.held[unit])
                lease.held[unit] -= fromHold
                for key in lease.path where key.unit == unit {
                    windows[key]?.used += row.amounts[unit]
                    windows[key]?.held -= fromHold
                    changes.windows.insert(key)
                }
            }
        }
        var leases = machine.leases
        leases[lease.key] = lease
        machine = CounterMachine(windows: Array(windows.values), leases: Array(leases.values))
        return (machine.apply(command, now: now), changes)
    }
}
