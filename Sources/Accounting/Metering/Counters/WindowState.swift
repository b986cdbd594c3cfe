/// A window as the store keeps it (metering.md §4.2). Reserved and spent amounts never share a number.
public struct WindowState: Sendable, Hashable {
    public let key: WindowKey
    public let start: Milliseconds
    public let end: Milliseconds
    public var cap: Int64
    public var version: Int64
    public var generation: Int64
    public var used: Int64
    public var held: Int64
    public var suspense: Int64
    public var liveLeases: Int64
    /// The highest that `used + held + suspense` may be without anything having gone wrong: the highest cap there was,
    /// or what was loaded, plus each overrun. For ``CounterMachine/checkInvariants()`` only; stores need not keep it.
    var allowance: Int64

    public init(
        ref: WindowRef, used: Int64, held: Int64 = 0, suspense: Int64 = 0, liveLeases: Int64 = 0
    ) {
        key = ref.key
        start = ref.start
        end = ref.end
        cap = ref.cap
        version = ref.version
        generation = ref.generation
        self.used = used
        self.held = held
        self.suspense = suspense
        self.liveLeases = liveLeases
        allowance = max(ref.cap, used + held + suspense)
    }

    public var headroom: Int64 { cap - used - held - suspense }

    public var snapshot: WindowSnapshot {
        WindowSnapshot(key: key, cap: cap, used: used, held: held, suspense: suspense, end: end)
    }

    mutating func setCap(_ newCap: Int64, version newVersion: Int64) -> Bool {
        guard newVersion > version else { return false }
        cap = newCap
        version = newVersion
        allowance = max(allowance, newCap)
        return true
    }
}
