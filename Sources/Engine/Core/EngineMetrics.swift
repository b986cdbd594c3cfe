/// What the engine tells the outside about itself. Implementations count and return at once: they are called from the
/// run loop and from under no lock. No argument carries user input but the model, which is one of the configured ids.
public protocol EngineMetrics: Sendable {
    func runStarted(model: String)
    /// - Parameter cutReason: set when `outcome` is `.cut`.
    func runEnded(model: String, outcome: RunOutcome, cutReason: CutReason?)
    /// Tokens that the run was settled for.
    func tokensSettled(model: String, input: Int, output: Int)
    func firstToken(model: String, after: Duration)
    /// From the decision to cut until the cut event stood in the log.
    func cutLatency(_ latency: Duration)
    /// A turn that could not be saved. The run goes on; a person should look at the store.
    func conversationNotSaved()
}

/// For tests and tools that count nothing.
public struct NoEngineMetrics: EngineMetrics {
    public init() {}
    public func runStarted(model: String) {}
    public func runEnded(model: String, outcome: RunOutcome, cutReason: CutReason?) {}
    public func tokensSettled(model: String, input: Int, output: Int) {}
    public func firstToken(model: String, after: Duration) {}
    public func cutLatency(_ latency: Duration) {}
    public func conversationNotSaved() {}
}
