/// The question whether a run may start.
public struct Admission: Sendable {
    public enum Mode: Sendable, Hashable {
        /// A slice at a time (mode S of metering.md §4.2).
        case slices
        /// The whole worst case at once; the upstream is then asked for no more than was granted (mode H).
        case reserve
    }

    public let path: TenancyPath
    /// Unique among all runs ever.
    public let run: String
    public let model: String
    public let prompt: PromptTokens
    /// What the client asked for, or the model's own maximum.
    public let maxOutput: Int64?
    /// With less output than this in reach the run is refused at once.
    public let minimumOutput: Int64
    public let mode: Mode
    /// False for a further attempt of a run: the client asked once, and the first attempt has counted that.
    public let countsRequest: Bool

    public init(
        path: TenancyPath, run: String, model: String, prompt: PromptTokens, maxOutput: Int64? = nil, minimumOutput: Int64 = 1,
        mode: Mode = .slices, countsRequest: Bool = true
    ) {
        self.path = path
        self.run = run
        self.model = model
        self.prompt = prompt
        self.maxOutput = maxOutput.map { min(max(1, $0), AccountingLimits.outputTokensMax) }
        self.minimumOutput = min(max(1, minimumOutput), self.maxOutput ?? AccountingLimits.firstSliceTokens)
        self.mode = mode
        self.countsRequest = countsRequest
    }
}

public enum AdmissionOutcome: Sendable {
    case admitted(StreamLease)
    case refused(CutCause)
    /// A money cap is on the path and the model's price is not known.
    case priceUnknown(model: String)
    /// The counters, the ledger or the budgets cannot be asked: nothing may start.
    case unavailable
}
