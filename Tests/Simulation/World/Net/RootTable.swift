import Accounting

/// The durable root as the SQL stores keep it, in memory. A value; the ledger's server owns it, so that a life is sealed and its late rows
/// are refused at one moment.
struct RootTable {
    private struct WindowName: Hashable {
        let window: WindowKey
        let generation: Int64
    }

    private struct Confirmation: Hashable {
        let org: String
        let holder: LeaseHolder
    }

    private(set) var lives: [String: EpochState] = [:]
    private(set) var holders: Set<LeaseHolder> = []
    private var releases: [WindowName: Int64] = [:]
    private var confirmations: Set<Confirmation> = []
    private let clearsAlone: Bool

    init(_ defect: Defect?) { clearsAlone = defect == .clearAlone }

    /// Whether the ledger takes a row: life 0 is that of counters that lose nothing.
    func takes(_ row: LedgerRow) -> Bool { row.epoch == 0 || row.epoch == lives[row.attribution.path.org]?.epoch.number }

    mutating func seal(_ org: String, _ incarnation: String, after known: Int64) -> EpochState {
        let last = lives[org]
        if let last, last.epoch.incarnation == incarnation || last.epoch.number != known { return last }
        let next = EpochState(epoch: Epoch(number: (last?.epoch.number ?? 0) + 1, incarnation: incarnation), isCleared: last == nil)
        lives[org] = next
        confirmations = confirmations.filter { $0.org != org }
        return next
    }

    mutating func release(_ window: WindowRef, org: String, incarnation: String, upTo target: Int64) -> Release? {
        guard let life = lives[org], life.epoch.incarnation == incarnation else { return nil }
        let name = WindowName(window: window.key, generation: window.generation)
        let released = max(releases[name] ?? 0, target)
        if target > 0 { releases[name] = released }
        return Release(released: released, isCleared: life.isCleared)
    }

    /// The most that was released of a window, whatever became of its budget since.
    func released(_ window: WindowKey) -> Int64 { releases.lazy.filter { $0.key.window == window }.map(\.value).max() ?? 0 }

    mutating func beat(_ holder: LeaseHolder) { holders.insert(holder) }

    mutating func leave(_ holder: LeaseHolder) { holders.remove(holder) }

    var pending: [String: Epoch] { lives.filter { !$0.value.isCleared }.mapValues(\.epoch) }

    /// Who has not answered for the org's life.
    func awaited(_ org: String) -> [LeaseHolder] {
        guard lives[org]?.isCleared == false else { return [] }
        return holders.filter { !confirmations.contains(Confirmation(org: org, holder: $0)) }.sorted {
            ($0.node, $0.fence) < ($1.node, $1.fence)
        }
    }

    mutating func confirm(_ org: String, _ epoch: Epoch, _ holder: LeaseHolder) -> Bool {
        guard let current = lives[org], current.epoch == epoch else { return false }
        if current.isCleared { return true }
        confirmations.insert(Confirmation(org: org, holder: holder))
        guard clearsAlone || awaited(org).isEmpty else { return false }
        lives[org]?.isCleared = true
        return true
    }
}
