import Accounting

/// The durable root as the SQL stores keep it, in memory. A value; the ledger's server owns it, so that a life is sealed and its late rows
/// are refused at one moment.
struct RootTable {
    private struct WindowName: Hashable {
        let window: WindowKey
        let generation: Int64
    }

    private struct Confirmation: Hashable {
        let org: CounterSlot
        let holder: LeaseHolder
    }

    private(set) var lives: [CounterSlot: EpochState] = [:]
    private(set) var holders: Set<LeaseHolder> = []
    private var given: [WindowName: SlotReleases] = [:]
    private var confirmations: Set<Confirmation> = []
    private let clearsAlone: Bool

    init(_ defect: Defect?) { clearsAlone = defect == .clearAlone }

    /// Whether the ledger takes a row: life 0 is that of counters that lose nothing.
    func takes(_ row: LedgerRow) -> Bool { row.epoch == 0 || row.epoch == lives[row.counters]?.epoch.number }

    mutating func seal(_ org: CounterSlot, _ incarnation: String, after known: Int64) -> EpochState {
        let last = lives[org]
        if let last, last.epoch.incarnation == incarnation || last.epoch.number != known { return last }
        let next = EpochState(epoch: Epoch(number: (last?.epoch.number ?? 0) + 1, incarnation: incarnation), isCleared: last == nil)
        lives[org] = next
        confirmations = confirmations.filter { $0.org != org }
        return next
    }

    mutating func release(
        _ window: WindowRef, org: CounterSlot, incarnation: String, upTo target: Int64, shares: [Int: Int64]
    ) -> Release? {
        guard let life = lives[org], life.epoch.incarnation == incarnation else { return nil }
        let name = WindowName(window: window.key, generation: window.generation)
        let slot = org.index
        var releases = given[name] ?? SlotReleases([:])
        let isFirst = releases.entries.isEmpty
        if !releases.raise(slot, to: target, cap: window.cap, shares: shares).isEmpty { given[name] = releases }
        return Release(
            released: releases[slot].released, turn: releases[slot].turn, isCleared: life.isCleared, isFirst: isFirst)
    }

    func releases(_ window: WindowRef) -> [Int: Int64] {
        given[WindowName(window: window.key, generation: window.generation)]?.entries.mapValues(\.released) ?? [:]
    }

    mutating func beginRecall(_ window: WindowRef, org: CounterSlot, incarnation: String) -> Int64? {
        guard lives[org]?.epoch.incarnation == incarnation else { return nil }
        return given[WindowName(window: window.key, generation: window.generation)]?.beginRecall(org.index)
    }

    mutating func endRecall(_ window: WindowRef, org: CounterSlot, turn: Int64, released: Int64) {
        let name = WindowName(window: window.key, generation: window.generation)
        _ = given[name]?.endRecall(org.index, turn: turn, released: released)
    }

    func slots(_ org: OrgID) -> [Int] { lives.keys.filter { $0.org == org }.map(\.index).sorted() }

    /// The most that was released of a window to a slot, and to all of them, whatever became of its budget since.
    func released(_ window: WindowKey, slot: Int) -> (here: Int64, all: Int64) {
        let parts = given.lazy.filter { $0.key.window == window }.map(\.value)
        return (
            parts.map { $0[slot].released }.max() ?? 0, parts.map { $0.entries.values.reduce(0) { $0 + $1.released } }.max() ?? 0
        )
    }

    mutating func beat(_ holder: LeaseHolder) { holders.insert(holder) }

    mutating func leave(_ holder: LeaseHolder) { holders.remove(holder) }

    var pending: [CounterSlot: Epoch] { lives.filter { !$0.value.isCleared }.mapValues(\.epoch) }

    /// Who has not answered for the org's life.
    func awaited(_ org: CounterSlot) -> [LeaseHolder] {
        guard lives[org]?.isCleared == false else { return [] }
        return holders.filter { !confirmations.contains(Confirmation(org: org, holder: $0)) }.sorted {
            ($0.node, $0.fence) < ($1.node, $1.fence)
        }
    }

    mutating func confirm(_ org: CounterSlot, _ epoch: Epoch, _ holder: LeaseHolder) -> Bool {
        guard let current = lives[org], current.epoch == epoch else { return false }
        if current.isCleared { return true }
        confirmations.insert(Confirmation(org: org, holder: holder))
        guard clearsAlone || awaited(org).isEmpty else { return false }
        lives[org]?.isCleared = true
        return true
    }
}
