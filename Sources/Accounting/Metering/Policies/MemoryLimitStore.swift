internal import Synchronization

/// Limits in memory, for tests and trials: gone with the process. A `Mutex`; safe to use from any task.
public final class MemoryLimitStore: LimitStore {
    private struct Name: Hashable {
        let org: OrgID
        let id: String
    }

    private struct Reservation {
        let at: Milliseconds
        let taken: [LimitTaken]
        var isRefunded = false
    }

    private struct State {
        var counts: [Name: LimitCount] = [:]
        var reservations: [Name: Reservation] = [:]
    }

    private let state = Mutex(State())
    private let clock: any AccountingClock

    public init(clock: any AccountingClock) { self.clock = clock }

    public func reserve(org: OrgID, reservation: String, takes: [LimitTake]) async throws(LimitStoreError) -> LimitOutcome {
        let plan = try LimitPlan(org: org, reservation: reservation, takes: takes, at: clock.now())
        let answer = state.withLock { state -> Result<LimitOutcome, LimitStoreError> in
            let name = Name(org: org, id: reservation)
            if let known = state.reservations[name] {
                guard !known.isRefunded, plan.isSame(as: known.taken) else { return .failure(.reservationTaken) }
                return .success(plan.outcome(known.taken))
            }
            Self.prune(&state, at: plan.now)
            guard state.reservations.count < PolicyStoreLimits.memoryRows, state.counts.count < PolicyStoreLimits.memoryRows else {
                return .failure(.unavailable("the store in memory is full"))
            }
            var counts: [String: LimitCount] = [:]
            for line in plan.lines { counts[line.id] = state.counts[Name(org: org, id: line.id)] }
            switch plan.decide(counts) {
            case .exceeded(let use): return .success(.exceeded(use))
            case .taken(let taken):
                for one in taken { state.counts[Name(org: org, id: one.id)] = one.count }
                state.reservations[name] = Reservation(at: plan.now, taken: taken)
                return .success(plan.outcome(taken))
            }
        }
        return try answer.get()
    }

    public func refund(org: OrgID, reservation: String) async throws(LimitStoreError) {
        try LimitCheck.id(reservation, "reservation")
        state.withLock { state in
            let name = Name(org: org, id: reservation)
            guard let known = state.reservations[name], !known.isRefunded else { return }
            state.reservations[name]?.isRefunded = true
            for one in known.taken {
                let name = Name(org: org, id: one.id)
                guard let count = state.counts[name], count.start == one.count.start else { continue }
                state.counts[name] = LimitCount(start: count.start, end: count.end, used: count.used - one.amount)
            }
        }
    }

    public func uses(org: OrgID, ids: [String]) async throws(LimitStoreError) -> [LimitUse] {
        try LimitCheck.ids(ids)
        let now = clock.now()
        return state.withLock { state in
            ids.map { state.counts[Name(org: org, id: $0)]?.use($0, at: now) ?? LimitUse(id: $0, used: 0, resetsAt: nil) }
        }
    }

    private static func prune(_ state: inout State, at now: Milliseconds) {
        let before = now - PolicyStoreLimits.reservationRetention
        let old = state.reservations.lazy.filter { $0.value.at <= before }.prefix(PolicyStoreLimits.pruned).map(\.key)
        for name in Array(old) { state.reservations[name] = nil }
        let over = state.counts.lazy.filter { $0.value.end <= before }.prefix(PolicyStoreLimits.pruned).map(\.key)
        for name in Array(over) { state.counts[name] = nil }
    }
}
