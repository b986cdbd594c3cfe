import Supervisor
import Synchronization

/// Counters of limits in windows of the clock's hours; a window that has begun is never left for an earlier one.
final class MemoryLimits: LimitCounter {
    private struct State {
        var used: [String: Int64] = [:]
        var windows: [String: Int64] = [:]
        var reservations: [String: [LimitDemand]] = [:]
        var isAvailable = true
    }

    private let state = Mutex(State())
    private let clock: ManualClock
    private let journal: Journal

    init(_ clock: ManualClock, _ journal: Journal) {
        self.clock = clock
        self.journal = journal
    }

    func fail() { state.withLock { $0.isAvailable = false } }
    func used(_ id: String) -> Int64 { state.withLock { $0.used[id] ?? 0 } }
    var reservations: Int { state.withLock { $0.reservations.count } }

    func reserve(_ demands: [LimitDemand], as reservation: String, for caller: CallerIdentity) async -> LimitAnswer {
        await Task.yield()
        journal.note("limits")
        return state.withLock { state in
            guard state.isAvailable, reservation.utf8.count <= 64, state.reservations[reservation] == nil else { return .unavailable }
            var readings: [LimitReading] = []
            for demand in demands {
                let window = Swift.max(state.windows[demand.id] ?? 0, clock.unixMilliseconds / 3_600_000)
                if state.windows[demand.id] != window, demand.period != .ever { state.used[demand.id] = nil }
                state.windows[demand.id] = window
                let used = state.used[demand.id] ?? 0
                let resetsAt = demand.period == .ever ? nil : (window + 1) * 3_600_000
                guard used + demand.amount <= demand.cap else {
                    return .exceeded(LimitReading(demand: demand, used: used, resetsAt: resetsAt))
                }
                readings.append(LimitReading(demand: demand, used: used + demand.amount, resetsAt: resetsAt))
            }
            for demand in demands { state.used[demand.id, default: 0] += demand.amount }
            state.reservations[reservation] = demands
            return .reserved(readings)
        }
    }

    func refund(_ reservation: String, for caller: CallerIdentity) async {
        journal.note("give back")
        state.withLock { state in
            for demand in state.reservations.removeValue(forKey: reservation) ?? [] { state.used[demand.id, default: 0] -= demand.amount }
        }
    }
}

/// Decides as a test says.
struct Rules: Decider {
    var looksAtSession = false
    let body: @Sendable (DecisionRequest) async -> Ruling

    func decide(_ request: DecisionRequest) async -> Ruling { await body(request) }
    func refusal(of tool: ToolDefinition, for caller: CallerIdentity, source: CallSource) -> Refusal? { nil }
}

extension ApprovalDemand {
    static func finance(_ quorum: Int = 1, rule: String = "refund-large", seconds: Int = 60) -> ApprovalDemand {
        ApprovalDemand(rule: rule, from: [[.group("finance")]], quorum: quorum, timeout: .seconds(seconds))
    }
}

extension LimitDemand {
    static func count(_ cap: Int64, id: String = "l1", period: Period = .ever) -> LimitDemand {
        LimitDemand(id: id, rule: "refund-small", text: "\(cap) per session", amount: 1, cap: cap, places: 0, period: period)
    }

    static func sum(_ amount: Int64, of cap: Int64, id: String) -> LimitDemand {
        LimitDemand(
            id: id, rule: "refund-small", text: "sum(args.amount) <= 200.00 per customer per day", amount: amount * 10_000,
            cap: cap * 10_000, places: 4, period: .day)
    }
}

func approver(_ user: String, identity: String? = nil, key: String? = nil, roles: Set<String> = ["finance"]) -> Approver {
    Approver(org: "acme", project: "shop", user: user, identity: identity, key: key, roles: roles)
}
