/// Where a run gets the right to spend. The Server meets it with Accounting; tests meet it with a table.
public protocol UsageMeter: Sendable {
    /// Asks for the worst-case prompt and a first slice of output, or in mode `reserve` for all of the output, on every window
    /// of the tenant's path at once.
    ///
    /// Nothing is called upstream before this answers `.admitted`.
    func open(_ admission: RunAdmission) async -> AdmissionOutcome
}

/// What one run holds. Exactly one ``settle(_:)`` ends it, whatever happened.
///
/// The engine calls ``take(outputTokens:reasoning:)`` and ``awaitGrant()`` from one task at a time and never after `settle`;
/// ``report()`` may be called from anywhere.
public protocol RunLease: AnyObject, Sendable {
    /// The most output tokens that may be asked of the upstream, where the whole worst case was reserved (hard mode);
    /// nil where slices follow.
    var outputTokensMax: Int? { get }

    /// Pays for output that has arrived and has not been forwarded. Local and synchronous: it never waits.
    ///
    /// - Parameter reasoning: whether it is thinking, which may have a price of its own.
    /// - Returns: `.paid`: forward it. `.awaitGrant`: nothing was paid, call ``awaitGrant()``. `.cut`: nothing was paid
    ///   and nothing will be.
    func take(outputTokens: Int, reasoning: Bool) -> TakeOutcome

    /// Waits for the refill that the last `take` lacked and then completes that same `take`.
    ///
    /// - Returns: `.paid`: those tokens are paid, forward them. `.awaitGrant`: not yet, ask again. `.cut`: no grant came.
    func awaitGrant() async -> TakeOutcome

    /// Trues up to what was used, writes the charge and gives back the rest. Durable when it returns.
    func settle(_ usage: FinalUsage) async -> SettledUsage

    /// What the run has used and what its windows hold, as known locally; also after `settle`. Cheap: it may be read
    /// ten times a second.
    func report() -> UsageReport
}

extension RunLease {
    public var outputTokensMax: Int? { nil }
}

/// The question to ``UsageMeter/open(_:)``.
public struct RunAdmission: Sendable {
    public let run: RunID
    public let tenant: Tenant
    /// The id of the model as configured.
    public let model: String
    public let promptTokens: PromptCount
    /// What the client asked for; nil when it set no limit. Never nil in mode `reserve`, where all of it is to be held.
    public var outputTokensMax: Int?
    /// In mode `reserve`: where `outputTokensMax` does not fit, as much as fits may be held, but not less than this.
    public var outputTokensMin = 1
    public var metering = MeteringMode.stream
    /// From 1. An attempt after the first is part of the same request, and is not counted as another.
    public var attempt = 1

    public init(run: RunID, tenant: Tenant, model: String, promptTokens: PromptCount, outputTokensMax: Int?) {
        self.run = run
        self.tenant = tenant
        self.model = model
        self.promptTokens = promptTokens
        self.outputTokensMax = outputTokensMax
    }
}

/// The answer of ``UsageMeter/open(_:)``.
public enum AdmissionOutcome: Sendable {
    case admitted(any RunLease)
    /// A window, a policy or an operator said no; the description names which.
    case refused(CutDescription)
    /// The question could not be answered, which is a no as well; for instance `accounting_unavailable`.
    case failed(code: String, message: String)
}

/// The answer of ``RunLease/take(outputTokens:reasoning:)``. The cut is boxed so that the common answer is one word.
public enum TakeOutcome: Sendable {
    case paid
    case awaitGrant
    indirect case cut(CutDescription)
}

/// What a run used, with the evidence for it.
public struct FinalUsage: Sendable, Hashable {
    /// Where the numbers come from.
    public enum Evidence: String, Sendable, Hashable {
        /// The upstream said so at the end of its answer.
        case upstream
        /// Counted from what arrived: the upstream was stopped, failed or gave no usage.
        case counted
        /// The upstream was not called, or failed in a way that it does not bill: release everything.
        case nothingBilled
        /// Nobody can say what is billed, because deltas do not show it: the whole reservation.
        case reserved
    }

    public let usage: ModelUsage
    public let evidence: Evidence
    /// The output tokens that were taken and forwarded, as ``RunLease/take(outputTokens:reasoning:)`` counted them.
    public let deliveredTokens: Int
    public let outcome: RunOutcome

    public init(usage: ModelUsage, evidence: Evidence, deliveredTokens: Int, outcome: RunOutcome) {
        self.usage = usage
        self.evidence = evidence
        self.deliveredTokens = deliveredTokens
        self.outcome = outcome
    }
}

/// What a run was charged for, as the terminal event says it.
public struct SettledUsage: Sendable, Hashable {
    public let inputTokens: Int
    public let outputTokens: Int
    /// Decimal text, for instance `0.00125`.
    public let costUSD: String
    /// True when the tokens were estimated because the upstream told none.
    public let isEstimated: Bool
    public var details = Details()

    /// Which of the tokens had another price than their kind's.
    public struct Details: Sendable, Hashable {
        /// Of the input: read from the upstream's cache, and written to it.
        public var cacheRead = 0
        public var cacheWrite = 0
        /// Of the output.
        public var reasoning = 0

        public init() {}
    }

    public init(inputTokens: Int, outputTokens: Int, costUSD: String, isEstimated: Bool = false) {
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.costUSD = costUSD
        self.isEstimated = isEstimated
    }

    public static let nothing = SettledUsage(inputTokens: 0, outputTokens: 0, costUSD: "0")

    /// What two attempts of one run were charged for together.
    public func adding(_ other: SettledUsage) -> SettledUsage {
        var sum = SettledUsage(
            inputTokens: inputTokens + other.inputTokens, outputTokens: outputTokens + other.outputTokens,
            costUSD: DecimalSum.of(costUSD, other.costUSD), isEstimated: isEstimated || other.isEstimated)
        sum.details.cacheRead = details.cacheRead + other.details.cacheRead
        sum.details.cacheWrite = details.cacheWrite + other.details.cacheWrite
        sum.details.reasoning = details.reasoning + other.details.reasoning
        return sum
    }
}

/// A run's usage so far, and its windows.
public struct UsageReport: Sendable, Hashable {
    public let inputTokens: Int
    public let outputTokens: Int
    /// Decimal text.
    public let costUSD: String
    public let windows: [WindowReport]
    /// The highest threshold in per cent (50, 80 or 95) that any window has reached.
    public let warning: Int?

    public init(inputTokens: Int, outputTokens: Int, costUSD: String, windows: [WindowReport], warning: Int? = nil) {
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.costUSD = costUSD
        self.windows = windows
        self.warning = warning
    }

    /// The report of a run whose earlier attempts were charged for `earlier`.
    func adding(_ earlier: SettledUsage) -> UsageReport {
        guard earlier != .nothing else { return self }
        return UsageReport(
            inputTokens: inputTokens + earlier.inputTokens, outputTokens: outputTokens + earlier.outputTokens,
            costUSD: DecimalSum.of(costUSD, earlier.costUSD), windows: windows, warning: warning)
    }
}

/// One window of a report. Amounts are wire text: decimal for `usd`, an integer for every other unit.
public struct WindowReport: Sendable, Hashable {
    /// As commands write it: `org:acme`.
    public let scope: String
    public let unit: String
    public let window: String
    /// Set when the window follows another time zone than UTC.
    public let zone: String?
    public let limit: String
    public let used: String
    public let held: String
    /// What a lost process held and nobody has accounted for yet; counts like held.
    public let suspense: String
    /// Milliseconds since 1970; nil for a window that never ends.
    public let resetsAt: Int64?

    public init(
        scope: String, unit: String, window: String, zone: String? = nil, limit: String, used: String, held: String,
        suspense: String = "0",
        resetsAt: Int64? = nil
    ) {
        self.scope = scope
        self.unit = unit
        self.window = window
        self.zone = zone
        self.limit = limit
        self.used = used
        self.held = held
        self.suspense = suspense
        self.resetsAt = resetsAt
    }
}
