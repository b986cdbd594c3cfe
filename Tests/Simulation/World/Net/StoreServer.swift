import Accounting

/// The counter store of a world: the real ``CounterMachine`` behind the network, with its own clock and its outbox. Confined
/// to the loop's thread.
final class StoreServer: @unchecked Sendable {
    private typealias Snapshot = (counters: DefectiveCounters, outbox: [LedgerRow])

    private let loop: SimulationLoop
    private let ledger: LedgerServer
    private(set) var counters: DefectiveCounters
    /// Rows that are not known to be in the ledger; they live and die with the counters.
    private(set) var outbox: [LedgerRow] = []
    private(set) var leasesOfRun: [String: [LeaseKey]] = [:]
    private var isPumping = false
    private var snapshots: [Snapshot] = []
    /// How often the store has lost data.
    private(set) var losses = 0
    /// Names what holds the data now; empty where no data can be lost.
    private(set) var incarnation: String
    /// Against true time.
    var offset: Int64
    var isAway = false
    /// Looks at every command that was decided.
    var observe: (CounterCommand, CounterReply, CounterChanges, CounterMachine) -> Void = { _, _, _, _ in }
    private let keepsSnapshots: Bool
    private static let kept = 60

    init(_ loop: SimulationLoop, ledger: LedgerServer, offset: Int64, defect: Defect?, isRooted: Bool, keepsSnapshots: Bool) {
        self.loop = loop
        self.ledger = ledger
        self.offset = offset
        self.keepsSnapshots = keepsSnapshots
        incarnation = isRooted ? "i0" : ""
        counters = DefectiveCounters(defect)
    }

    var leases: [LeaseState] { counters.leases(in: incarnation) }
    /// By slot.
    var windows: [(slot: Int, window: WindowState)] { counters.windows(in: incarnation) }

    var now: Milliseconds { Milliseconds(loop.now + offset) }

    /// - Parameters:
    ///   - incarnation: the one that the sender took for present; in another one its message decides nothing.
    ///   - life: the only one in which it may be carried out, nil for any.
    func apply(_ command: CounterCommand, for incarnation: String, life: Int64? = nil) -> CounterReply {
        guard incarnation == self.incarnation else { return .lost(now: now) }
        if keepsSnapshots { keep((counters, outbox)) }
        // Redis' counters are reaped org by org, each in its own life.
        guard !incarnation.isEmpty, case .reap(nil, let grace) = command else { return decide(command, life) }
        var reaped = 0
        for org in counters.names {
            if case .reaped(let leases, _) = decide(.reap(org: org, grace: grace)) { reaped += leases }
        }
        return .reaped(leases: reaped, now: now)
    }

    private func decide(_ command: CounterCommand, _ life: Int64? = nil) -> CounterReply {
        let (reply, changes) = counters.apply(command, incarnation: incarnation, life: life, now: now)
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
    func flush(org: CounterSlot) -> Bool {
        guard ledger.append(outbox.lazy.filter { $0.counters == org }) else { return false }
        outbox.removeAll { $0.counters == org }
        return true
    }

    /// The consumer of the outbox, which is never in a hurry. Now and then it appends and cannot say so: then it appends again. What it
    /// has read it appends also when the store has lost it meanwhile.
    private func pump(after delay: ClosedRange<Int64>) {
        guard !isPumping else { return }
        isPumping = true
        loop.after(loop.random.integer(delay)) { [self] in
            let batch = isAway ? [] : Array(outbox.prefix(Int(loop.random.integer(1...64))))
            loop.after(loop.random.chance(permille: 500) ? 0 : loop.random.integer(0...100)) { [self] in
                isPumping = false
                if ledger.append(batch), !loop.random.chance(permille: 100) { forget(batch) }
                if !outbox.isEmpty { pump(after: 20...400) }
            }
        }
    }

    private func forget(_ batch: [LedgerRow]) {
        guard !isAway, !batch.isEmpty else { return }
        if batch.count <= outbox.count, outbox.starts(with: batch) { return outbox.removeFirst(batch.count) }
        // Somebody flushed meanwhile, or the store has lost some of it.
        let rows = Set(batch)
        outbox.removeAll { rows.contains($0) }
    }

    // MARK: Loss

    private func keep(_ snapshot: Snapshot) {
        if snapshots.count >= 2 * Self.kept { snapshots.removeFirst(Self.kept) }
        snapshots.append(snapshot)
    }

    /// The fault of a store that was restarted with an old state or with none.
    ///
    /// - Parameter back: how many commands the old state is old; nil for none.
    func lose(back: Int64?) {
        let old = back.flatMap { back in snapshots.isEmpty ? nil : snapshots[max(0, snapshots.count - 1 - Int(back))] }
        counters = old?.counters ?? DefectiveCounters(counters.defect)
        outbox = old?.outbox ?? []
        snapshots = []
        losses += 1
        if counters.defect != .unnoticedLoss { incarnation = "i\(losses)" }
        if !outbox.isEmpty { pump(after: 1...400) }
    }
}
