public import Engine
internal import JSON

/// A deterministic model for demos and tests: one word a delta, exact counts, and the controls of contract §4.
///
/// It answers the same request with the same events, paced by the injected clock. Where the last message is a tool's result it does
/// what the next round of the script says (`@then`); where there is none it tells the results, so that a tool loop ends.
public struct ScriptedProvider: ModelProvider {
    private let clock: any EngineClock

    public init(clock: any EngineClock = SystemEngineClock()) { self.clock = clock }

    public var countsAreExact: Bool { true }

    /// The words of all messages, and one for each message's role.
    public func promptTokens(_ request: ModelRequest) -> PromptCount {
        .exact(request.messages.reduce(0) { $0 + 1 + ScriptedText.count($1.text) })
    }

    public func stream(_ request: ModelRequest) -> any ModelStream {
        let prompt = promptTokens(request).bound
        let begin = request.messages.lastIndex { $0.role == "user" }
        let rounds = Script.rounds(begin.map { request.messages[$0].text } ?? "")
        let results = ToolResults(request.messages[(begin.map { $0 + 1 } ?? 0)...])
        guard !results.isEmpty else {
            return ScriptedStream(rounds[0], text: ScriptedText.answer, prompt: prompt, request, clock)
        }
        let script = rounds.indices.contains(results.round) ? rounds[results.round] : Script.afterLast(of: rounds)
        return ScriptedStream(
            script, text: ScriptedText.tokens(of: results.text), prompt: prompt, request, clock, callsBefore: results.calls)
    }
}
