/// How much of a cap the durable root lets the counters have at a time (metering.md §4.2).
///
/// Counters that lose their data lose the knowledge of what they had granted. What was released to them and neither the ledger nor a
/// holder accounts for then counts as spent; the rest of the cap was never theirs and is released as before. So the size of a tranche
/// is how much of a budget a loss may keep locked, and how rarely the root is asked: fifty times a window.
package enum Tranche {
    /// In the unit's base. Of small caps everything is one tranche: to keep it back would cost more than it protects. The slots of a split
    /// org share what one set of counters would get, so that they seldom have to take it from each other.
    package static func size(cap: Int64, unit: MeterUnit, slots: Int = 1) -> Int64 {
        let whole = min(cap, max(cap / 50, smallest(unit)))
        return slots > 1 ? min(whole, max(1, whole / Int64(slots))) : whole
    }

    private static func smallest(_ unit: MeterUnit) -> Int64 {
        switch unit {
        case .usd: 50_000_000
        case .tokens, .inputTokens, .outputTokens: 20_000
        case .requests, .runs, .calls: 100
        }
    }

    /// Up to where a window is to be released so that `need` fits, and a tranche beyond.
    package static func target(_ window: WindowSnapshot, need: Int64, slots: Int = 1) -> Int64 {
        target(taken: window.taken, need: need, cap: window.cap, unit: window.key.unit, slots: slots)
    }

    package static func target(taken: Int64, need: Int64, cap: Int64, unit: MeterUnit, slots: Int = 1) -> Int64 {
        min(cap, min(taken, cap) + min(need, cap) + size(cap: cap, unit: unit, slots: slots))
    }

    /// True when the next tranche should be on its way: half of the last one is left.
    package static func isDue(_ window: WindowSnapshot, slots: Int = 1) -> Bool {
        window.released < window.cap
            && window.released - window.taken < size(cap: window.cap, unit: window.key.unit, slots: slots) / 2
    }
}
