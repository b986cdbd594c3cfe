internal import JSON

/// How the calls of a model are paid for (docs/accounting.md, *Modes*). The raw values are the configuration's.
public enum MeteringMode: String, Sendable, Hashable, CaseIterable {
    /// Mode S: a slice at a time, each delta paid before it is forwarded.
    case stream
    /// Mode H: the whole worst case is held before the upstream is called, and the upstream is asked for no more.
    case reserve
}

/// Why a call is reserved whatever was configured: its deltas do not show what it will be billed for. The raw values are wire
/// names.
public enum ReserveReason: String, Sendable, Hashable, CaseIterable {
    /// The model thinks, is billed for it, and streams nothing of it.
    case hiddenReasoning = "hidden_reasoning"
    /// The client asks for reasoning of a model of which nobody said that it streams it.
    case reasoningRequested = "reasoning_requested"
    /// The upstream generates and bills to the end when its client hangs up (metering.md §2, items 11 and 12).
    case billsAfterCancel = "bills_after_cancel"
    /// The answer comes as a whole: when its first token is seen all of it is billed.
    case notStreamed = "not_streamed"
    /// Predicted output that the model rejects is billed as output and not streamed.
    case prediction
}

/// What is known of a model's billing. Set by the configuration; ``decide(for:)`` is the rule.
public struct ModelMetering: Sendable, Hashable {
    public enum Reasoning: String, Sendable, Hashable, CaseIterable {
        case none, streamed, hidden
    }

    /// What the operator chose; nil: slices, unless a rule demands otherwise.
    public var configured: MeteringMode?
    /// What becomes of the model's thinking; nil when nobody said.
    public var reasoning: Reasoning?
    public var billsAfterCancel = false
    public var isStreamed = true
    /// The most that the model puts out; nil when nobody said.
    public var outputTokensMax: Int?

    public init(configured: MeteringMode? = nil, reasoning: Reasoning? = nil, outputTokensMax: Int? = nil) {
        self.configured = configured
        self.reasoning = reasoning
        self.outputTokensMax = outputTokensMax
    }

    /// The reasons that hold for every call of the model.
    public var standingReasons: [ReserveReason] {
        var reasons: [ReserveReason] = []
        if reasoning == .hidden { reasons.append(.hiddenReasoning) }
        if billsAfterCancel { reasons.append(.billsAfterCancel) }
        if !isStreamed { reasons.append(.notStreamed) }
        return reasons
    }

    /// How this call is paid for. Pure.
    public func decide(for request: ModelRequest) -> MeteringDecision {
        var reasons = standingReasons
        if reasoning == nil, request.asksForReasoning { reasons.append(.reasoningRequested) }
        if let prediction = request.parameters["prediction"], prediction != .null { reasons.append(.prediction) }
        return MeteringDecision(mode: reasons.isEmpty ? configured ?? .stream : .reserve, reasons: reasons)
    }
}

/// The mode of one call, and what forced it.
public struct MeteringDecision: Sendable, Hashable {
    public let mode: MeteringMode
    public let reasons: [ReserveReason]

    public init(mode: MeteringMode, reasons: [ReserveReason] = []) {
        self.mode = mode
        self.reasons = reasons
    }

    /// Whether what was forwarded is what is billed. Where it is not, only the upstream's own count is evidence for less than
    /// the whole reservation.
    public var deltasTrackBilling: Bool { reasons.isEmpty }
}

extension ModelRequest {
    /// OpenAI's `reasoning_effort`, OpenRouter's `reasoning`, the `thinking` of compatible servers.
    var asksForReasoning: Bool {
        if let effort = parameters["reasoning_effort"], effort != .null, effort != "none" { return true }
        return ["reasoning", "thinking"].contains { key in parameters[key].map { $0 != .null && $0 != false } ?? false }
    }
}
