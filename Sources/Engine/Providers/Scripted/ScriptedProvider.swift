public import Engine
internal import JSON

/// A deterministic model for demos and tests: one word a delta, exact counts, and the controls of contract §4.
///
/// It answers the same request with the same events, paced by the injected clock. Where the last message is a tool's
/// result it says so and obeys no control, so that a tool loop ends.
public struct ScriptedProvider: ModelProvider {
    private let clock: any EngineClock

    public init(clock: any EngineClock = SystemEngineClock()) { self.clock = clock }

    public var countsAreExact: Bool { true }

    /// The words of all messages, and one for each message's role.
    public func promptTokens(_ request: ModelRequest) -> PromptCount {
        .exact(request.messages.reduce(0) { $0 + 1 + ScriptedText.count($1.text) })
    }

    public func stream(_ request: ModelRequest) -> any ModelStream {
        let last = request.messages.last
        if let last, last.role == "tool" {
            let words = ScriptedText.tokens(of: "The tool answered: " + last.text)
            return ScriptedStream(Script(), text: words, prompt: promptTokens(request).bound, request, clock)
        }
        let script = Script(request.messages.last { $0.role == "user" }?.text ?? "")
        return ScriptedStream(
            script, text: ScriptedText.answer, prompt: promptTokens(request).bound, request, clock)
    }
}
