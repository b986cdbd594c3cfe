internal import JSON

/// What one run has received so far: its text in all rounds, and of the newest attempt everything. A value of the run's task, which
/// lends it to the pump.
struct RunTally: Sendable {
    /// The answer's text, for the terminal event and the conversation.
    private(set) var answer: [UInt8] = []
    /// All text, of whatever marker.
    private(set) var textBytes = 0
    /// From 1. A round is an answer of the model; more than one has a run whose tools the server runs.
    private(set) var round = 1
    /// Where the round's part of `answer` begins.
    private var roundStart = 0
    /// How many calls earlier rounds had: their indices are taken.
    private(set) var firstCall = 0
    private var callIDs: Set<String> = []

    private(set) var visibleTokens = 0
    private(set) var thinkingTokens = 0
    private var toolCalls: [Int: ToolCall] = [:]
    /// What the model has thought in this attempt, as far as its upstream would take it back.
    private(set) var thinkingBlocks: [JSONValue] = []
    private var unsealed = ""
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

    /// What the next attempt of the round begins with.
    func nextAttempt() -> RunTally {
        var next = RunTally()
        next.answer = answer
        next.textBytes = textBytes
        next.round = round
        next.roundStart = roundStart
        next.firstCall = firstCall
        next.callIDs = callIDs
        if round > 1 { next.warnings = warnings }
        return next
    }

    /// What the first attempt of the next round begins with.
    func nextRound() -> RunTally {
        var next = nextAttempt()
        next.warnings = warnings
        next.round += 1
        next.roundStart = answer.count
        next.firstCall = (toolCalls.values.map(\.index).max() ?? firstCall &- 1) &+ 1
        return next
    }

    /// - Parameter paid: the tokens that were paid for it.
    mutating func add(_ delta: ModelDelta, paid: Int) {
        var text = delta.text
        textBytes += text.utf8.count
        if delta.marker == .thinking {
            thinkingTokens += paid
            unsealed += text
        } else {
            visibleTokens += paid
        }
        // Parallel answers are streamed each under its index; the final answer is the first.
        guard delta.marker == .answer, delta.index == 0 else { return }
        text.withUTF8 { answer.append(contentsOf: $0) }
    }

    mutating func add(_ seal: ThinkingSeal) {
        textBytes += seal.byteCount
        guard case .signature = seal else { return thinkingBlocks.append(seal.block("")) }
        thinkingBlocks.append(seal.block(unsealed))
        unsealed = ""
    }

    /// Adds a fragment.
    ///
    /// - Parameters:
    ///   - paid: the tokens that were paid for it.
    ///   - tools: the server's, if the run has any.
    /// - Returns: the call, when this fragment is its first.
    /// - Throws: `.malformed` beyond the limits of ``EngineLimits``.
    mutating func add(_ delta: ToolCallDelta, paid: Int, tools: RunTools?) throws(ProviderError) -> ToolCall? {
        textBytes += delta.argumentsFragment.utf8.count
        visibleTokens += paid
        if toolCalls[delta.index] != nil {
            toolCalls[delta.index]?.arguments += delta.argumentsFragment
            guard toolCalls[delta.index]?.arguments.utf8.count ?? 0 <= EngineLimits.toolArgumentBytesMax else { throw Self.tooLong }
            return nil
        }
        guard toolCalls.count < EngineLimits.toolCallsMax else { throw Self.excess("too many tool calls") }
        guard delta.argumentsFragment.utf8.count <= EngineLimits.toolArgumentBytesMax else { throw Self.tooLong }
        let name = delta.name ?? ""
        let maker = tools?.maker(of: name) ?? .client
        let call = ToolCall(
            index: firstCall &+ delta.index, id: maker == .client ? delta.id ?? "" : uniqueID(delta.id), name: name, maker: maker,
            arguments: delta.argumentsFragment)
        toolCalls[delta.index] = call
        return call
    }

    /// The upstream's name for a call if it is one, and no other call of the run has it: repeats are told by it.
    private mutating func uniqueID(_ id: String?) -> String {
        if let id, Identifier.isSafe(id), callIDs.insert(id).inserted { return id }
        var number = callIDs.count + 1
        while !callIDs.insert("call_\(number)").inserted { number += 1 }
        return "call_\(number)"
    }

    private static let tooLong = excess("the arguments of a tool call are too long")

    private static func excess(_ message: String) -> ProviderError {
        ProviderError(.malformed, message: message, isRetryable: false, mayBeBilled: true)
    }

    /// The newest attempt's calls, in order.
    var calls: [ToolCall] { toolCalls.sorted { $0.key < $1.key }.map(\.value) }

    /// Whether the answer that is finished like this calls tools of the server. One that was broken off calls none: its arguments may
    /// lack an end.
    func callsServer(_ reason: String) -> Bool {
        reason != "length" && reason != "content_filter" && toolCalls.values.contains(where: \.isOurs)
    }

    /// A step that ends this call was appended.
    mutating func end(_ call: ToolCall) {
        for (key, value) in toolCalls where value.id == call.id && value.isOurs { toolCalls[key]?.isEnded = true }
    }

    /// The text of the round.
    var roundText: String { String(decoding: answer[roundStart...], as: UTF8.self) }

    /// What to settle for an attempt that ends like `outcome`.
    ///
    /// The upstream's count is the evidence when there is one. What was stopped has none: there the prompt is charged
    /// as counted and the output as delivered, exactly where the provider's counts are exact; and all that was reserved, where
    /// deltas do not show what is billed.
    func finalUsage(_ outcome: RunOutcome, of attempt: Attempt) -> FinalUsage {
        if !wasCalled || (failure.map { !$0.mayBeBilled } ?? false && deliveredTokens == 0) {
            return FinalUsage(usage: ModelUsage(), evidence: .nothingBilled, deliveredTokens: 0, outcome: outcome)
        }
        if var upstreamUsage, !upstreamUsage.isInputOnly, hasLastCount || attempt.decision.deltasTrackBilling {
            if outcome != .complete || !hasLastCount {
                // Some upstreams count along with every chunk: the last count may lag behind what was forwarded.
                let visible = deliveredTokens - upstreamUsage.outputReasoning
                upstreamUsage.outputVisible = max(upstreamUsage.outputVisible, visible)
            }
            if let reserved { upstreamUsage = reserved.clamp(upstreamUsage).usage }
            return FinalUsage(
                usage: upstreamUsage, evidence: .upstream, deliveredTokens: deliveredTokens, outcome: outcome)
        }
        if !attempt.decision.deltasTrackBilling, let reserved {
            var usage = upstreamUsage ?? ModelUsage(inputFresh: reserved.prompt)
            (usage.outputVisible, usage.outputReasoning) = (visibleTokens, reserved.most - visibleTokens)
            usage = reserved.clamp(usage).usage
            usage.isEstimated = true
            return FinalUsage(usage: usage, evidence: .reserved, deliveredTokens: deliveredTokens, outcome: outcome)
        }
        // Where the upstream has told of the prompt, its classes are known however the answer ended.
        var usage = upstreamUsage ?? ModelUsage(inputFresh: attempt.prompt.likely)
        (usage.outputVisible, usage.outputReasoning) = (visibleTokens, thinkingTokens)
        usage.isEstimated = !attempt.provider.countsAreExact || isFinished
        if let reserved, upstreamUsage != nil { usage = reserved.clamp(usage).usage }
        return FinalUsage(usage: usage, evidence: .counted, deliveredTokens: deliveredTokens, outcome: outcome)
    }

    /// What the metrics are told of the run's last attempt; nil while nothing was asked of the upstream.
    var attemptOutcome: AttemptOutcome? {
        guard wasCalled else { return nil }
        return failure.map { $0.kind != .cancelled } ?? false ? .failed : .answered
    }

    /// Whether the upstream's count is its last one: it came at the end of the answer, or with the error that ended it.
    private var hasLastCount: Bool { isFinished || failure.map { $0.kind != .cancelled } ?? false }

    /// Tokens that the upstream reported beyond the reservation.
    var excessTokens: Int {
        guard let reserved, let upstreamUsage else { return 0 }
        return reserved.clamp(upstreamUsage).excess
    }
}
