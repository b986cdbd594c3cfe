internal import Synchronization

/// Idempotency keys in memory, for tests and trials: gone with the process, and so are its calls in flight. A `Mutex`; safe to use from any
/// task.
public final class MemoryIdempotencyStore: IdempotencyStore {
    /// What processes of a test share.
    public final class Memory: Sendable {
        fileprivate let keys = Mutex<[Name: Entry]>([:])

        public init() {}
    }

    fileprivate struct Name: Hashable {
        let caller: CallerHandle
        let key: IdempotencyKey
    }

    fileprivate struct Entry {
        var record: IdempotencyRecord
        let keptUntil: Milliseconds
        var outcome: [UInt8] = []
    }

    private let memory: Memory
    private let holder: String
    private let clock: any AccountingClock

    /// - Parameter holder: names this process; no other process ever has the same.
    public init(holder: String, clock: any AccountingClock, memory: Memory = Memory()) {
        self.memory = memory
        self.holder = holder
        self.clock = clock
    }

    public func begin(
        _ caller: CallerHandle, _ key: IdempotencyKey, digest: String, claim: Milliseconds
    ) async throws(IdempotencyError) -> IdempotencyAnswer {
        try IdempotencyCheck.digest(digest)
        let times = try IdempotencyTimes(now: clock.now(), claim: claim)
        let name = Name(caller: caller, key: key)
        return memory.keys.withLock { keys in
            let old = keys.lazy.filter { $0.value.keptUntil <= times.now }.prefix(IdempotencyLimits.pruned).map(\.key)
            for name in Array(old) { keys[name] = nil }
            if let entry = keys[name], entry.keptUntil > times.now {
                switch entry.record.answer(digest: digest, now: times.now) {
                case .done: return .done(entry.outcome)
                case .conflict: return .conflict
                case .unknown: return .unknown
                case .inFlight: return .inFlight(owner: entry.record.holder)
                }
            }
            guard keys.count < IdempotencyLimits.memoryKeys, Self.use(keys, caller, times.now).takesBegin else { return .full }
            let token = Int64.random(in: .min ... .max)
            let record = IdempotencyRecord(digest: digest, holder: holder, token: token, claimEnds: times.claimEnds, isDone: false)
            keys[name] = Entry(record: record, keptUntil: times.keptUntil)
            return .new(IdempotencyClaim(caller: caller, key: key, token: token))
        }
    }

    public func finish(_ claim: IdempotencyClaim, outcome: [UInt8]) async throws(IdempotencyError) -> Bool {
        try IdempotencyCheck.outcome(outcome)
        let (name, now) = (Name(caller: claim.caller, key: claim.key), clock.now())
        return memory.keys.withLock { keys in
            guard let entry = keys[name], entry.record.token == claim.token else { return false }
            guard !entry.record.isDone else { return entry.outcome == outcome }
            let use = Self.use(keys, claim.caller, now)
            guard use.takesOutcome(bytes: outcome.count, isReserved: entry.record.claimEnds > now) else { return false }
            keys[name]?.outcome = outcome
            let (old, end) = (entry.record, entry.record.claimEnds)
            keys[name]?.record = IdempotencyRecord(
                digest: old.digest, holder: old.holder, token: old.token, claimEnds: end, isDone: true)
            return true
        }
    }

    @discardableResult
    public func abandon(_ claim: IdempotencyClaim) async throws(IdempotencyError) -> Bool {
        let name = Name(caller: claim.caller, key: claim.key)
        return memory.keys.withLock { keys in
            guard let entry = keys[name], entry.record.token == claim.token, !entry.record.isDone else { return false }
            keys[name] = nil
            return true
        }
    }

    private static func use(_ keys: [Name: Entry], _ caller: CallerHandle, _ now: Milliseconds) -> IdempotencyUse {
        var use = IdempotencyUse(keys: 0, bytes: 0, reserved: 0)
        for (name, entry) in keys where name.caller == caller && entry.keptUntil > now {
            use.keys += 1
            use.bytes += entry.outcome.count
            if !entry.record.isDone, entry.record.claimEnds > now { use.reserved += 1 }
        }
        return use
    }
}
