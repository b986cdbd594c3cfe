public import JSON

/// Holds a call, and what it costs, in every budget and rate that counts it.
public protocol CallMeter: Sendable {
    /// - Parameter cost: of this one call, in nano-USD.
    func reserve(tool: String, cost: Int64, caller: CallerIdentity) async -> MeterAnswer
}

public enum MeterAnswer: Sendable {
    case admitted(any CallReservation)
    case refused(MeterRefusal)
    /// Nobody can say whether a budget still has room: the call is not made.
    case unavailable
}

/// One call that is held. Exactly one of the two is called, once.
public protocol CallReservation: Sendable {
    /// The call has happened, or nobody can say that it has not.
    func commit() async
    /// The call has certainly had no effect.
    func refund() async
}

/// The budget or the rate that has no room.
public struct MeterRefusal: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case budgetExceeded = "budget_exceeded"
        case rateLimited = "rate_limited"
    }

    public let kind: Kind
    public let message: String
    /// `scope {kind, id}`, `unit`, `window`, `limit`, `used`, `resets_at`, as in a cut.
    public let details: JSONObject

    public init(kind: Kind, message: String, details: JSONObject = JSONObject()) {
        self.kind = kind
        self.message = message
        self.details = details
    }
}
