import Accounting

/// The counter store of a world: the real ``CounterMachine`` behind the network, with its own clock and its outbox. Confined
/// to the loop's thread.
final class StoreServer: @unchecked Sendable {
    private let loop: SimulationLoop
    private let ledger: LedgerServer
    private(set) var counters: DefectiveCounters
    /// Rows that are not known to be in the ledger; they live and die with the counters.
    private(set) var outbox: [LedgerRow] = []
    private(set) var leasesOfRun: [String: [LeaseKey]] = [:]
    private var isPumping = false
    private var snapshots: [(counters: DefectiveCounters, outbox: [LedgerRow])] = []
    /// Against true time.
    var offset: Int64
    var isAway = false
    /// Looks at every command that was decided.
    var observe: (CounterCommand, CounterReply, CounterChanges, CounterMachine) -> Void = { _, _, _, _ in }
    private let keepsSnapshots: Bool

    init(_ loop: SimulationLoop, ledger: LedgerServer, offset: Int64, defect: Defect?, keepsSnapshots: Bool) {
        self.loop = loop
        self.ledger = ledger
        self.offset = offset
        self.keepsSnapshots = keepsSnapshots
        counters = DefectiveCounters(defect)
    }

    var now: Milliseconds { Milliseconds(loop.now + offset) }

    func apply(_ command: CounterCommand) -> CounterReply {
        if keepsSnapshots { snapshots.append((counters, outbox)) }
        let (reply, changes) = counters.apply(command, now: now)
        // A round of reaping goes over a dictionary: its rows have no order of their own.
        outbox += changes.rows.count > 2 ? changes.rows.sorted { $0.chargeID < $1.chargeID } : changes.rows
        if case .open(let open) = command, case .granted = reply, !leasesOfRun[open.attribution.run, default: []].contains(open.lease) {
            leasesOfRun[open.attribution.run, default: []].append(open.lease)
        }
        observe(command, reply, changes, counters.machine)
        if !outbox.isEmpty { pump(after: 1...400) }
        return reply
    }

    /// Appends all rows of `org` and forgets them.
    func flush(org: String) -> Bool {
        guard ledger.append(outbox.filter { $0.attribution.path.org == org }) else { return false }
        outbox.removeAll { $0.attribution.path.org == org }
        return true
    }

    /// The consumer of the outbox, which is never in a hurry. Now and then it appends and cannot say so: then it appends again.
    private func pump(after delay: ClosedRange<Int64>) {
        guard !isPumping else { return }
        isPumping = true
        loop.after(loop.random.integer(delay)) { [self] in
            isPumping = false
            let batch = isAway ? [] : Array(outbox.prefix(Int(loop.random.integer(1...64))))
            if ledger.append(batch), !loop.random.chance(permille: 100) { outbox.removeFirst(batch.count) }
            if !outbox.isEmpty { pump(after: 20...400) }
        }
    }

    /// The fault of a store that was restarted with an old state or with none.
    func lose(all: Bool) {
        let old = all ? nil : snapshots.suffix(30).first
        counters = old?.counters ?? DefectiveCounters(counters.defect)
        outbox = old?.outbox ?? []
        snapshots = []
    }
}
