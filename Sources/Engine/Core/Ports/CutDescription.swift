/// Why a run was refused or cut. The raw values are wire names (contract §3).
public enum CutReason: String, Sendable, Hashable, CaseIterable {
    case budgetExceeded = "budget_exceeded"
    case rateLimited = "rate_limited"
    case policyDenied = "policy_denied"
    case killed
    case accountingUnavailable = "accounting_unavailable"
}

/// Which cap ended a run, in the words of the wire. What does not apply (a kill has no window) is nil.
public struct CutDescription: Sendable, Hashable {
    public let reason: CutReason
    /// `org`, `project`, `user` or `key`.
    public let scopeKind: String?
    public let scopeID: String?
    /// Set when the window counts one model only.
    public let model: String?
    /// Set when the window counts one tool only.
    public let tool: String?
    public let unit: String?
    public let window: String?
    /// Set when the window follows another time zone than UTC.
    public let zone: String?
    /// Wire text: decimal for `usd`, an integer for every other unit.
    public let limit: String?
    public let used: String?
    /// Milliseconds since 1970, like `ts`; nil for a window that never ends.
    public let resetsAt: Int64?
    public let decisionID: String?

    public init(
        reason: CutReason, scopeKind: String? = nil, scopeID: String? = nil, model: String? = nil, tool: String? = nil,
        unit: String? = nil, window: String? = nil, zone: String? = nil,
        limit: String? = nil, used: String? = nil, resetsAt: Int64? = nil, decisionID: String? = nil
    ) {
        self.reason = reason
        self.scopeKind = scopeKind
        self.scopeID = scopeID
        self.model = model
        self.tool = tool
        self.unit = unit
        self.window = window
        self.zone = zone
        self.limit = limit
        self.used = used
        self.resetsAt = resetsAt
        self.decisionID = decisionID
    }

    /// The same cut, with its place in the decision log.
    public func decided(by id: String) -> CutDescription {
        CutDescription(
            reason: reason, scopeKind: scopeKind, scopeID: scopeID, model: model, tool: tool, unit: unit, window: window, zone: zone,
            limit: limit, used: used, resetsAt: resetsAt, decisionID: id)
    }
}
