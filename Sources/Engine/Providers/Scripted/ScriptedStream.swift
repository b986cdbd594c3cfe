internal import Engine

/// One answer of the scripted model. Confined to the task that reads it.
final class ScriptedStream: ModelStream {
    private enum Stage {
        case text
        case tool(Int, [String], position: Int)
        case usage, finish, over
    }

    private let script: Script
    private let text: [String]
    private let prompt: Int
    private let clock: any EngineClock
    /// Calls of earlier rounds, so that each has a name of its own.
    private let callsBefore: Int
    /// Output tokens of text, after all limits.
    private let textTokens: Int
    /// Output tokens that the client allows.
    private let tokensMax: Int
    private var stage = Stage.text
    private var position = 0
    private var said = 0
    private var startedAt: Int64?

    init(
        _ script: Script, text: [String], prompt: Int, _ request: ModelRequest, _ clock: any EngineClock, callsBefore: Int = 0
    ) {
        self.callsBefore = callsBefore
        self.script = script
        self.text = text
        self.prompt = prompt
        self.clock = clock
        tokensMax = max(request.outputTokensMax ?? .max, 0)
        let wanted = script.tokens ?? (script.toolCalls.isEmpty ? text.count : 0)
        textTokens = min(wanted, tokensMax)
    }

    func close() { stage = .over }

    func next() async throws(ProviderError) -> ModelEvent? {
        while true {
            switch stage {
            case .text:
                if position < textTokens {
                    try await pace()
                    // Repeats begin with a space of their own: the text's first word has none.
                    let word = text[position % text.count]
                    let separated = position > 0 && position % text.count == 0 ? " " + word : word
                    position += 1
                    return .delta(ModelDelta(text: separated, tokens: 1))
                }
                stage = nextTool(after: -1)
            case .tool(let call, let words, let position):
                guard position < words.count, said < tokensMax else {
                    stage = position < words.count ? .usage : nextTool(after: call)
                    continue
                }
                try await pace()
                stage = .tool(call, words, position: position + 1)
                return toolDelta(call, words[position], isFirst: position == 0)
            case .usage:
                try failIfDue()
                stage = .finish
                if script.givesUsage { return .usage(ModelUsage(inputFresh: prompt, outputVisible: said)) }
            case .finish:
                stage = .over
                return .finished(reason: finishReason)
            case .over: return nil
            }
        }
    }

    private func nextTool(after call: Int) -> Stage {
        let next = call + 1
        guard script.toolCalls.indices.contains(next) else { return .usage }
        return .tool(next, ScriptedText.tokens(of: script.toolCalls[next].arguments), position: 0)
    }

    private func toolDelta(_ call: Int, _ fragment: String, isFirst: Bool) -> ModelEvent {
        .toolCallDelta(
            ToolCallDelta(
                index: call, id: isFirst ? "call_\(callsBefore + call + 1)" : nil,
                name: isFirst ? script.toolCalls[call].name : nil, argumentsFragment: fragment, tokens: 1))
    }

    private var finishReason: String {
        let wanted = script.tokens ?? (script.toolCalls.isEmpty ? text.count : 0)
        if wanted > tokensMax || said >= tokensMax && !script.toolCalls.isEmpty { return "length" }
        return script.toolCalls.isEmpty ? "stop" : "tool_calls"
    }

    /// Before each token: fails where the script says so, and waits until the token is due.
    private func pace() async throws(ProviderError) {
        try failIfDue()
        if script.rate > 0 {
            let start = startedAt ?? clock.nowNanoseconds
            startedAt = start
            await clock.sleep(until: start + Int64(said) * 1_000_000_000 / Int64(script.rate))
            if Task.isCancelled { throw .cancelled }
        }
        said += 1
    }

    private func failIfDue() throws(ProviderError) {
        guard let failAfter = script.failAfter, said >= failAfter else { return }
        stage = .over
        throw ProviderError(
            .dropped, message: "the scripted model failed as it was told", isRetryable: true, mayBeBilled: said > 0)
    }
}
