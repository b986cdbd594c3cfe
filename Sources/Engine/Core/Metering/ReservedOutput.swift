/// What was reserved for one call in mode H, and how much of it was forwarded. Pure; confined to the pump.
///
/// Nothing can be cut in the middle here: the upstream was asked for no more than was paid for. An upstream that sends more
/// than it was asked for is closed at the limit, as if it had kept it.
struct ReservedOutput: Sendable, Hashable {
    /// Prompt tokens that were reserved.
    let prompt: Int
    /// Output tokens that were reserved, and that the upstream was asked for.
    let most: Int
    /// Whether the tokens of a delta are those that the upstream counts. An estimate may be above them and must not end a
    /// good answer early; what it cannot be below is a token for each delta.
    let countsAreExact: Bool
    private(set) var paid = 0
    private var deltas = 0

    init(prompt: Int, most: Int, countsAreExact: Bool) {
        self.prompt = prompt
        self.most = most
        self.countsAreExact = countsAreExact
    }

    /// What is to be paid for a delta of `tokens`; nil when it is beyond what was asked for.
    mutating func due(_ tokens: Int) -> Int? {
        deltas += 1
        guard deltas <= most else { return nil }
        let due = min(tokens, most - paid)
        guard due == tokens || !countsAreExact else { return nil }
        paid += due
        return due
    }

    /// The upstream's count, within what was reserved. Of what is above it the house knows, and the tenant pays nothing.
    ///
    /// - Returns: the usage to charge, and how many tokens were left out.
    func clamp(_ usage: ModelUsage) -> (usage: ModelUsage, excess: Int) {
        var clamped = usage
        clamped.inputFresh = min(max(0, usage.inputFresh), prompt)
        clamped.inputCacheWrite = min(max(0, usage.inputCacheWrite), prompt - clamped.inputFresh)
        clamped.inputCacheRead = min(max(0, usage.inputCacheRead), prompt - clamped.inputFresh - clamped.inputCacheWrite)
        clamped.outputVisible = min(max(0, usage.outputVisible), most)
        clamped.outputReasoning = min(max(0, usage.outputReasoning), most - clamped.outputVisible)
        let excess = usage.inputTokens + usage.outputTokens - clamped.inputTokens - clamped.outputTokens
        return (clamped, max(0, excess))
    }
}
