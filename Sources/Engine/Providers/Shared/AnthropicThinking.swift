internal import JSON

/// Thinking as Anthropic's clients ask for it, in OpenAI's word and back: `thinking: {type, budget_tokens}` and `reasoning_effort`. Pure.
///
/// Source: Anthropic API reference, *Create a message*, `thinking`: a budget is at least 1,024 tokens and below `max_tokens`.
struct AnthropicThinking: Sendable, Hashable {
    /// The smallest budget that is taken.
    static let budgetMin = 1_024
    private static let budgets: [(effort: String, tokens: Int)] = [("minimal", 1_024), ("low", 1_024), ("medium", 4_096), ("high", 16_384)]

    /// Nil where the model thinks as much as it finds right.
    let budget: Int?

    /// - Returns: nil for what is not Anthropic's form, such as the switch of other compatible servers.
    init?(_ value: JSONValue) {
        switch value["type"]?.stringValue {
        case "enabled":
            guard let tokens = value["budget_tokens"]?.integerValue else { return nil }
            budget = Int(clamping: tokens)
        case "adaptive": budget = nil
        default: return nil
        }
    }

    init?(effort: JSONValue?) {
        guard let effort = effort?.stringValue, let known = Self.budgets.first(where: { $0.effort == effort }) else { return nil }
        budget = known.tokens
    }

    /// Nil: what the model does by itself.
    var effort: String? {
        budget.map { budget in budget < 4_096 ? "low" : budget < 16_384 ? "medium" : "high" }
    }

    /// What is sent for an answer of at most `outputTokensMax`; nil where no budget fits below it.
    func budget(within outputTokensMax: Int) -> Int? {
        guard let budget else { return nil }
        let fitting = min(budget, outputTokensMax - 1)
        return fitting >= Self.budgetMin ? fitting : nil
    }
}
