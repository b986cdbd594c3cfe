/// Why accounting, a policy or an operator ended a run. The raw values are contract.md §3's.
public enum CutReason: String, Sendable, Hashable {
    case budgetExceeded = "budget_exceeded"
    case rateLimited = "rate_limited"
    case policyDenied = "policy_denied"
    case killed
    case accountingUnavailable = "accounting_unavailable"
}

/// The reason of a cut or a refusal, and the window that said no, if one did.
public struct CutCause: Sendable, Hashable {
    public let reason: CutReason
    /// As it was when it said no; see ``refreshed(from:)``.
    public let window: WindowSnapshot?

    public init(reason: CutReason, window: WindowSnapshot? = nil) {
        self.reason = reason
        self.window = window
    }

    /// A money window makes it a budget matter (402), any other a rate limit (429).
    public init(deniedBy window: WindowSnapshot) {
        self.init(reason: window.key.unit == .usd ? .budgetExceeded : .rateLimited, window: window)
    }

    public static let unavailable = CutCause(reason: .accountingUnavailable)

    public var scope: Scope? { window?.key.scope }
    /// Set when the window counts one tool only.
    public var tool: ToolName? { window?.key.tool }
    public var unit: MeterUnit? { window?.key.unit }
    public var period: Period? { window?.key.period }
    /// In the unit's base; ``MeterUnit/text(_:)`` prints it.
    public var limit: Int64? { window?.cap }
    public var used: Int64? { window?.used }
    public var resetsAt: Milliseconds? { window?.resetsAt }

    /// The same cause with the window as it stands after the settlement: by then everything the run held is either used
    /// or given back.
    public func refreshed(from windows: [WindowSnapshot]) -> CutCause {
        guard let window, let newer = windows.first(where: { $0.key == window.key }) else { return self }
        return CutCause(reason: reason, window: newer)
    }
}

/// The answer of ``StreamLease/take(outputTokens:reasoning:)``.
public enum TakeOutcome: Sendable, Hashable {
    /// Paid: forward it.
    case paid
    /// Nothing was paid yet: call ``StreamLease/awaitGrant()``, which completes this take.
    case awaitGrant
    /// Nothing was paid and nothing will be.
    case cut(CutCause)
}

/// What is known about a run's usage at its end.
public enum FinalUsage: Sendable, Hashable {
    /// The provider said so. The only evidence on which something is given back.
    case exact(UsageClasses)
    /// The provider said nothing: what was taken, and `inputTokens` or else the admission's figure. Charged as estimated.
    case counted(inputTokens: Int64?)
    /// Nobody knows what will be billed: charged as estimated, at the most that it can be, or as it was counted class by class.
    case assumed(UsageClasses)
    /// The provider was not reached or failed in a way that it does not bill.
    case nothing
}

/// What a run was charged.
public struct Settlement: Sendable, Hashable {
    public let usage: UsageClasses
    public let cost: NanoUSD
    public let estimated: Bool
    /// True when more was used than was held, which only a provider's own count can bring about.
    public let overran: Bool
    /// False when the store did not take it: unreachable, and then the accountant goes on trying, or the lease was taken
    /// over by a later process.
    public let isRecorded: Bool
    public let windows: [WindowSnapshot]
}

/// A run's usage so far as known locally, with the windows as of the last reply.
public struct UsageReport: Sendable, Hashable {
    public let usage: UsageClasses
    public let cost: NanoUSD
    public let windows: [WindowSnapshot]
    /// The highest of 50, 80, 95 per cent that any window has reached, nil below all.
    public let warning: Int?

    init(usage: UsageClasses, cost: NanoUSD, windows: [WindowSnapshot]) {
        self.usage = usage
        self.cost = cost
        self.windows = windows
        warning = windows.compactMap(Self.level).max()
    }

    /// Without a product that could overflow: caps end at 9 × 10^15.
    static func level(of window: WindowSnapshot) -> Int? {
        guard window.cap > 0 else { return nil }
        return [95, 80, 50].first { window.used >= window.cap / 100 * Int64($0) + window.cap % 100 * Int64($0) / 100 }
    }
}
