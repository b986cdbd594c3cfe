internal import JSON

/// What one run has received so far. A value of the pump, which is the only one to change it.
struct RunTally: Sendable {
    /// A tool call as it grows.
    private struct ToolCall: Sendable {
        var id: String
        var name: String
        var arguments: String
    }

    /// The answer's text, for the terminal event and the conversation.
    private(set) var answer: [UInt8] = []
    /// All text, of whatever marker.
    private(set) var textBytes = 0
    private(set) var visibleTokens = 0
    private(set) var thinkingTokens = 0
    private var toolCalls: [Int: ToolCall] = [:]
    /// The upstream's own count, once it has come.
    var upstreamUsage: ModelUsage?
    /// The model said that it was done; without a usage by then there will be none.
    var isFinished = false
    /// How the upstream failed, if it did.
    var failure: ProviderError?
    /// Set where the whole output was reserved.
    var reserved: ReservedOutput?
    /// Of the windows' thresholds; a run that never began has nothing to tell.
    var warnings = UsageWarnings(told: 100)
    /// False while nothing was asked of the upstream.
    var wasCalled = false

    var deliveredTokens: Int { visibleTokens + thinkingTokens }

    /// - Parameter paid: the tokens that were paid for it.
    mutating func add(_ delta: ModelDelta, paid: Int) {
        var text = delta.text
        textBytes += text.utf8.count
        if delta.marker == .thinking { thinkingTokens += paid } else { visibleTokens += paid }
        // Parallel answers are streamed each under its index; the final answer is the first.
        guard delta.marker == .answer, delta.index == 0 else { return }
        text.withUTF8 { answer.append(contentsOf: $0) }
    }

    /// Adds a fragment.
    ///
    /// - Parameter paid: the tokens that were paid for it.
    /// - Returns: the step that announces the call, when this fragment is its first.
    /// - Throws: `.malformed` beyond the limits of ``EngineLimits``.
    mutating func add(_ delta: ToolCallDelta, paid: Int) throws(ProviderError) -> RunStep? {
        textBytes += delta.argumentsFragment.utf8.count
        visibleTokens += paid
        if var call = toolCalls[delta.index] {
            call.arguments += delta.argumentsFragment
            guard call.arguments.utf8.count <= EngineLimits.toolArgumentBytesMax else {
                throw Self.excess("the arguments of a tool call are too long")
            }
            toolCalls[delta.index] = call
            return nil
        }
        guard toolCalls.count < EngineLimits.toolCallsMax else { throw Self.excess("too many tool calls") }
        let call = ToolCall(id: delta.id ?? "", name: delta.name ?? "", arguments: delta.argumentsFragment)
        toolCalls[delta.index] = call
        return Self.step(call, index: delta.index, .started)
    }

    private static func excess(_ message: String) -> ProviderError {
        ProviderError(.malformed, message: message, isRetryable: false, mayBeBilled: true)
    }

    /// A step for each call once the model is done: `running`, because whoever asked for the tool now has it to run.
    func finishedCalls() -> [RunStep] {
        toolCalls.sorted { $0.key < $1.key }.map { index, call in
            let arguments = (try? JSONValue(parsing: call.arguments)) ?? .string(call.arguments)
            return Self.step(call, index: index, .running, arguments: arguments)
        }
    }

    private static func step(
        _ call: ToolCall, index: Int, _ status: RunStep.Status, arguments: JSONValue? = nil
    ) -> RunStep {
        var data = JSONObject([("tool", .string(call.name)), ("call_id", .string(call.id))])
        if let arguments { data["args"] = arguments }
        data["index"] = .integer(Int64(index))
        return RunStep(step: "tool_call", status: status, title: call.name, data: data)
    }

    /// What to settle for an attempt that ends like `outcome`.
    ///
    /// The upstream's count is the evidence when there is one. What was stopped has none: there the prompt is charged
    /// as counted and the output as delivered, exactly where the provider's counts are exact; and all that was reserved, where
    /// deltas do not show what is billed.
    func finalUsage(_ outcome: RunOutcome, of attempt: Attempt) -> FinalUsage {
        if !wasCalled || (failure.map { !$0.mayBeBilled } ?? false && deliveredTokens == 0) {
            return FinalUsage(usage: ModelUsage(), evidence: .nothingBilled, deliveredTokens: 0, outcome: outcome)
        }
        if var upstreamUsage, hasLastCount || attempt.decision.deltasTrackBilling {
            if outcome != .complete {
                // Some upstreams count along with every chunk: the last count may lag behind what was forwarded.
                let visible = deliveredTokens - upstreamUsage.outputReasoning
                upstreamUsage.outputVisible = max(upstreamUsage.outputVisible, visible)
            }
            if let reserved { upstreamUsage = reserved.clamp(upstreamUsage).usage }
            return FinalUsage(
                usage: upstreamUsage, evidence: .upstream, deliveredTokens: deliveredTokens, outcome: outcome)
        }
        if !attempt.decision.deltasTrackBilling, let reserved {
            let usage = ModelUsage(
                inputFresh: reserved.prompt, outputVisible: visibleTokens, outputReasoning: reserved.most - visibleTokens,
                isEstimated: true)
            return FinalUsage(usage: usage, evidence: .reserved, deliveredTokens: deliveredTokens, outcome: outcome)
        }
        let usage = ModelUsage(
            inputFresh: attempt.prompt.likely, outputVisible: visibleTokens, outputReasoning: thinkingTokens,
            isEstimated: !attempt.provider.countsAreExact || isFinished)
        return FinalUsage(usage: usage, evidence: .counted, deliveredTokens: deliveredTokens, outcome: outcome)
    }

    /// Whether the upstream's count is its last one: it came at the end of the answer, or with the error that ended it.
    private var hasLastCount: Bool { isFinished || failure.map { $0.kind != .cancelled } ?? false }

    /// Tokens that the upstream reported beyond the reservation.
    var excessTokens: Int {
        guard let reserved, let upstreamUsage else { return 0 }
        return reserved.clamp(upstreamUsage).excess
    }
}
