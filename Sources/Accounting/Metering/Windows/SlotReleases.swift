/// What the durable root has released of one window, by ``CounterSlot/index``: how the slots of an org share its cap.
///
/// Decides only; the root keeps the entries, and lets nobody else decide about the window meanwhile.
public struct SlotReleases: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        /// In the unit's base.
        public let released: Int64
        /// See ``Release/turn``.
        public let turn: Int64

        public init(released: Int64, turn: Int64) {
            self.released = released
            self.turn = turn
        }

        static let none = Entry(released: 0, turn: 0)
    }

    public private(set) var entries: [Int: Entry]

    public init(_ entries: [Int: Entry]) { self.entries = entries }

    public subscript(slot: Int) -> Entry { entries[slot] ?? .none }

    /// Raises what `slot` was given to `target`, or to what the cap leaves beside the others; never lowers it.
    ///
    /// - Parameters:
    ///   - target: 0 changes nothing.
    ///   - shares: what each slot is given first when none was given anything yet, because it has used it.
    /// - Returns: the slots whose entries are new or changed, in order.
    public mutating func raise(_ slot: Int, to target: Int64, cap: Int64, shares: [Int: Int64]) -> [Int] {
        guard target > 0 else { return [] }
        let before = entries
        if entries.isEmpty { entries = shares.mapValues { Entry(released: max(0, $0), turn: 1) } }
        let current = self[slot]
        let others = entries.reduce(0) { $1.key == slot ? $0 : $0 + $1.value.released }
        let granted = max(current.released, min(target, cap - others))
        if granted > current.released { entries[slot] = Entry(released: granted, turn: current.turn + 1) }
        return entries.keys.filter { entries[$0] != before[$0] }.sorted()
    }

    /// - Returns: the new turn of `slot`; nil when it was given nothing.
    public mutating func beginRecall(_ slot: Int) -> Int64? {
        guard let entry = entries[slot] else { return nil }
        entries[slot] = Entry(released: entry.released, turn: entry.turn + 1)
        return entry.turn + 1
    }

    /// - Returns: false when nothing changes: another turn was begun since, or `slot` has no more than that.
    public mutating func endRecall(_ slot: Int, turn: Int64, released: Int64) -> Bool {
        let released = max(0, released)
        guard let entry = entries[slot], entry.turn == turn, entry.released > released else { return false }
        entries[slot] = Entry(released: released, turn: turn)
        return true
    }
}
