/// Why nothing was reserved or given back.
public enum LimitStoreError: Error, Sendable, Hashable {
    /// A field that we should have made properly; its name.
    case malformed(String)
    /// The reservation was given back, or took something else.
    case reservationTaken
    /// The back end did not do it, or nobody knows whether it did; the reason is one sentence for an operator. Asking again under the same
    /// name is safe.
    case unavailable(String)
}

/// What one call takes of one limit.
public struct LimitTake: Sendable, Hashable {
    /// Names the counter in its org: printable ASCII, at most ``DecisionLimits/idBytes``. One id always has the same period.
    public let id: String
    /// Never negative.
    public let amount: Int64
    /// In the same unit; may differ from call to call.
    public let cap: Int64
    /// By the calendar of UTC; ``Period/total`` never begins anew.
    public let period: Period

    public init(id: String, amount: Int64, cap: Int64, period: Period) {
        self.id = id
        self.amount = amount
        self.cap = cap
        self.period = period
    }
}

/// A counter at one moment.
public struct LimitUse: Sendable, Hashable {
    public let id: String
    public let used: Int64
    /// When the count begins anew (UTC); nil of one that never does, and of one that nothing was taken of.
    public let resetsAt: Milliseconds?

    public init(id: String, used: Int64, resetsAt: Milliseconds?) {
        self.id = id
        self.used = used
        self.resetsAt = resetsAt
    }
}

public enum LimitOutcome: Sendable, Hashable {
    /// One use for each take, in their order, this reservation included.
    case reserved([LimitUse])
    /// The first take that has no room, and what others have used of it; nothing was taken.
    case exceeded(LimitUse)
}

/// Counts what policies limit, exactly and for all servers. What was taken survives the loss of power.
///
/// The store's clock says which window is taken from; servers that share a store have clocks that agree to the second. A clock that goes
/// back never refills a counter: the later window stays.
public protocol LimitStore: Sendable {
    /// Takes all or none. Repeating a reservation is safe and has the same answer.
    ///
    /// - Parameters:
    ///   - reservation: unique in the org; printable ASCII, at most ``DecisionLimits/idBytes``.
    ///   - takes: at most ``PolicyStoreLimits/takes``. Those of one id add up, and the lower cap counts.
    func reserve(org: OrgID, reservation: String, takes: [LimitTake]) async throws(LimitStoreError) -> LimitOutcome
    /// Gives back what a reservation has taken, once, and only where the window is still the one that it was taken from. Does nothing
    /// about a reservation that is not known.
    func refund(org: OrgID, reservation: String) async throws(LimitStoreError)
    /// One use for each id, in their order; at most ``PolicyStoreLimits/ids``.
    func uses(org: OrgID, ids: [String]) async throws(LimitStoreError) -> [LimitUse]
}
