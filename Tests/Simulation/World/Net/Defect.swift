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
    /// Counters obey a release that comes after the recall that took it back.
    case lateRelease = "late-release"
    /// What leases spend that lack a new window is not counted there.
    case lateUncounted = "late-uncounted"
    /// A window is loaded with a sum that something was committed after.
    case loadUnmarked = "load-unmarked"
}

extension Defect {
    /// The kind of trouble that shows it; nil where any world may.
    public var profile: Profile? {
        switch self {
        case .lateRelease: Profile.named("slot-caps")
        case .loadUnmarked: Profile.named("added")
        default: nil
        }
    }

    /// What is decided in place of a command.
    fileprivate func distort(_ command: CounterCommand) -> CounterCommand {
        switch (self, command) {
        case (.lateUncounted, .open(let open)):
            .open(
                OpenLease(
                    lease: open.lease, holder: open.holder, attribution: open.attribution, path: open.path, fixed: open.fixed,
                    offers: open.offers, shareFloor: open.shareFloor, continues: open.continues, known: .max, ttl: open.ttl))
        case (.loadUnmarked, .load(let org, let window, let used, let released, let turn, _)):
            .load(org: org, window: window, used: used, released: released, turn: turn)
        default: command
        }
    }
}

/// A ``CounterMachine`` for each slot of split orgs, with or without a defect around it. A value.
struct DefectiveCounters {
    let defect: Defect?
    private var machines = [CounterMachine()]
    /// That of the slot whose command is decided.
    private var slot = 0
    private(set) var machine: CounterMachine {
        get { machines[slot] }
        set { machines[slot] = newValue }
    }
    /// What the last step of each lease charged.
    private var charged: [LeaseKey: [LedgerRow]] = [:]

    init(_ defect: Defect?) { self.defect = defect }

    /// The machine of a slot, by ``CounterSlot/index``.
    func machine(of slot: Int) -> CounterMachine { slot < machines.count ? machines[slot] : CounterMachine() }

    /// In order: a report must not depend on how a dictionary is laid out. In the lives that what holds the data is in; what earlier ones have left is not there.
    func leases(in incarnation: String) -> [LeaseState] {
        machines.flatMap { machine in
            machine.leases.values.filter { machine.isIn(incarnation, $0.key.org) }.sorted { $0.key.id < $1.key.id }
        }
    }

    func lease(_ key: LeaseKey) -> LeaseState? { machine(of: key.org.index).leases[key] }

    /// In every slot where it is, by slot.
    func windows(in incarnation: String) -> [(slot: Int, window: WindowState)] {
        machines.enumerated().flatMap { index, machine in
            machine.windows.values.filter { machine.isIn(incarnation, $0.org) }.sorted { $0.key.text < $1.key.text }.map { (index, $0) }
        }
    }

    var names: [CounterSlot] { machines.flatMap(\.epochs.keys).sorted() }

    mutating func apply(
        _ command: CounterCommand, incarnation: String, life: Int64? = nil, now: Milliseconds
    ) -> (CounterReply, CounterChanges) {
        slot = command.org?.index ?? 0
        while machines.count <= slot { machines.append(CounterMachine()) }
        // A machine that is made anew below has had one life only.
        if defect == .nonIdempotentStep, machine.epochs.isEmpty, case .step(let step) = command, let lease = machine.leases[step.lease],
            lease.phase == .live,
            lease.sequence == step.sequence, lease.holder == step.holder
        {
            return chargeAgain(lease, command, now: now)
        }
        var command = defect?.distort(command) ?? command
        if defect == .lateRelease, case .release(let org, let key, let released, _) = command, let window = machine.windows[key] {
            command = .release(org: org, window: key, released: released, turn: window.turn + 1)
        }
        var reply = machine.apply(command, incarnation: incarnation, life: life, now: now)
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

extension CounterMachine {
    fileprivate func isIn(_ incarnation: String, _ org: CounterSlot) -> Bool {
        (epochs[org]?.epoch ?? .embedded).incarnation == incarnation
    }
}
