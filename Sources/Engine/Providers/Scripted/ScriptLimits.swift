/// The bounds of the scripted model.
enum ScriptLimits {
    /// `@tokens`: more than a run's text limit holds, so that this limit too can be demonstrated.
    static let tokensMax = 10_000_000
    /// `@rate`: tokens a second; above it pacing costs more than the tokens.
    static let rateMax = 100_000
    /// Tool calls in one answer: more than the engine's loop makes of one, so that this limit too can be demonstrated.
    static let toolCallsMax = 32
    /// Rounds of one message, for the same reason.
    static let roundsMax = 64
}
