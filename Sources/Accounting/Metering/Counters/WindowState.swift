/// A window as the store keeps it (metering.md §4.2). Reserved and spent amounts never share a number.
public struct WindowState: Sendable, Hashable {
    public let key: WindowKey
    /// The org whose counters it is in; the key's own scope may be an API key, which names none.
    public let org: CounterSlot
    public let start: Milliseconds
    public let end: Milliseconds
    public var cap: Int64
    public var version: Int64
    public var generation: Int64
    public var used: Int64
    public var held: Int64
    public var suspense: Int64
    /// How much of the cap the durable root has released to these counters (a sum of tranches); nothing beyond it is granted.
    public var released: Int64
    /// Of the last word of the durable root that was obeyed (``Release/turn``).
    public var turn: Int64
    /// Released before the counters lost their data, and not yet accounted for by ledger or holder: counts as spent.
    public var unaccounted: Int64
    public var liveLeases: Int64
    /// Until then somebody asks the root and the other slots of the org for some of it; the root has nothing more; nothing is left in any slot.
    public var askedUntil = Milliseconds(0)
    public var dryUntil = Milliseconds(0)
    public var shutUntil = Milliseconds(0)
    /// The highest that `used + held + suspense` may be without anything having gone wrong: the highest cap there was,
    /// or what was loaded, plus each overrun. For ``CounterMachine/checkInvariants()`` only; stores need not keep it.
    var allowance: Int64

    public init(
        org: CounterSlot, ref: WindowRef, used: Int64, held: Int64 = 0, suspense: Int64 = 0, released: Int64 = AccountingLimits.amountMax,
        turn: Int64 = 0, unaccounted: Int64 = 0, liveLeases: Int64 = 0
    ) {
        self.org = org
        key = ref.key
        start = ref.start
        end = ref.end
        cap = ref.cap
        version = ref.version
        generation = ref.generation
        self.used = used
        self.held = held
        self.suspense = suspense
        self.released = released
        self.turn = turn
        self.unaccounted = unaccounted
        self.liveLeases = liveLeases
        allowance = max(ref.cap, used + held + suspense + unaccounted)
    }

    /// Used, held, in suspense or unaccounted for.
    public var taken: Int64 { used + held + suspense + unaccounted }

    /// What may be granted now.
    public var headroom: Int64 { min(cap, released) - taken }

    public var snapshot: WindowSnapshot {
        WindowSnapshot(
            key: key, cap: cap, used: used, held: held, suspense: suspense, end: end, released: released, unaccounted: unaccounted,
            turn: turn, dryUntil: dryUntil, shutUntil: shutUntil)
    }

    mutating func setCap(_ newCap: Int64, version newVersion: Int64) -> Bool {
        guard newVersion > version else { return false }
        // What a split org's other slots were given of the old cap is not known here: each asks the root anew.
        if newCap < cap, org.isSplit { released = min(released, max(0, taken)) }
        cap = newCap
        version = newVersion
        dryUntil = Milliseconds(0)
        shutUntil = Milliseconds(0)
        allowance = max(allowance, newCap)
        return true
    }
}
