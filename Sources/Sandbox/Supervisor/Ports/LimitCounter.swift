/// Counts what policies limit by `@limit`. Durable, and one for all servers.
public protocol LimitCounter: Sendable {
    /// Takes all of the demands or none, atomically: of sixteen calls of 50 against 200 exactly four are taken, wherever they are made.
    ///
    /// - Parameter reservation: names this taking for ``refund(_:for:)``; unique in the caller's org. At most 64 bytes.
    func reserve(_ demands: [LimitDemand], as reservation: String, for caller: CallerIdentity) async -> LimitAnswer

    /// The call has certainly had no effect: gives back what was taken, once, however often it is said. A window that is over keeps what
    /// it has.
    func refund(_ reservation: String, for caller: CallerIdentity) async
}

public enum LimitAnswer: Sendable, Hashable {
    /// In the order of the demands, this call included.
    case reserved([LimitReading])
    /// The first demand that has no room; nothing was taken.
    case exceeded(LimitReading)
    /// Nobody can say whether there is room: the call is not made.
    case unavailable
}

/// One limit that a call is counted against.
public struct LimitDemand: Sendable, Hashable {
    /// The time after which a count begins anew, by the calendar (UTC); `ever` never does.
    public enum Period: String, Sendable, Hashable, CaseIterable {
        case minute, hour, day, week, month, ever
    }

    /// Names the counter: the same rule, the same things, the same period. At most 64 bytes.
    public let id: String
    /// The rule that has the limit.
    public let rule: String
    /// The limit as the policy has it: `sum(args.amount) <= 200.00 per customer per day`.
    public let text: String
    /// What this call takes: 1, or an argument's value times 10^``places``. Never negative.
    public let amount: Int64
    /// In the same unit.
    public let cap: Int64
    /// 0 for calls and integers, 4 for decimals.
    public let places: Int
    public let period: Period

    public init(id: String, rule: String, text: String, amount: Int64, cap: Int64, places: Int, period: Period) {
        self.id = id
        self.rule = rule
        self.text = text
        self.amount = amount
        self.cap = cap
        self.places = places
        self.period = period
    }
}

/// A limit and how much of it is used.
public struct LimitReading: Sendable, Hashable {
    public let demand: LimitDemand
    /// In the demand's unit.
    public let used: Int64
    /// Milliseconds since 1970-01-01T00:00Z; nil of a period that never ends.
    public let resetsAt: Int64?

    public init(demand: LimitDemand, used: Int64, resetsAt: Int64?) {
        self.demand = demand
        self.used = used
        self.resetsAt = resetsAt
    }
}

/// Where no policy has a limit. A demand that comes all the same is not met.
public struct NoLimits: LimitCounter {
    public init() {}
    public func reserve(_ demands: [LimitDemand], as reservation: String, for caller: CallerIdentity) async -> LimitAnswer {
        demands.isEmpty ? .reserved([]) : .unavailable
    }
    public func refund(_ reservation: String, for caller: CallerIdentity) async {}
}
