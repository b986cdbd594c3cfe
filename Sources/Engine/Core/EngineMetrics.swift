/// What the engine tells the outside about itself. Implementations count and return at once: they are called from the
/// run loop and from under no lock. No argument carries user input but the model, which is one of the configured ids.
public protocol EngineMetrics: Sendable {
    func runStarted(model: String)
    /// A well-formed request for a run was answered without one, for whatever reason. Once a request.
    func runRefused()
    /// - Parameter cutReason: set when `outcome` is `.cut`.
    func runEnded(model: String, outcome: RunOutcome, cutReason: CutReason?)
    /// One physical call of an upstream ended.
    func attemptEnded(model: String, outcome: AttemptOutcome)
    /// A call was reserved because of this, whatever was configured.
    func reservationForced(model: String, reason: ReserveReason)
    /// Tokens that an upstream reported beyond what was reserved for its call. The tenant does not pay them.
    func usageBeyondReservation(model: String, tokens: Int)
    /// The run is settled; its last event follows. Must not wait. Besides counting, the place to remember why a run was cut.
    /// - Parameter time: milliseconds since 1970.
    func runConcluded(_ run: RunHandle, _ ending: RunEnding, _ settled: SettledUsage, at time: Int64)
    /// A `chat.usage` told that a window has reached this many per cent: 50, 80 or 95.
    func budgetWarning(level: Int)
    /// Tokens that the run was settled for.
    func tokensSettled(model: String, input: Int, output: Int)
    func firstToken(model: String, after: Duration)
    /// From the arrival of the upstream's chunk to the paid delta standing in the log with every reader told: paying, and
    /// waiting for a grant or for room, included. Called for each delta.
    func deltaLatency(nanoseconds: Int64)
    /// From the decision to cut until the cut event stood in the log.
    func cutLatency(_ latency: Duration)
    /// A tool call that the server made ended like this.
    func toolCallEnded(_ status: RunStep.Status, after: Duration)
    /// A tool that was stopped did not answer in time and was left behind. A person should look at the tool.
    func toolAbandoned()
    /// A turn that could not be saved. The run goes on; a person should look at the store.
    func conversationNotSaved()
}

extension EngineMetrics {
    public func runConcluded(_ run: RunHandle, _ ending: RunEnding, _ settled: SettledUsage, at time: Int64) {}
    public func budgetWarning(level: Int) {}
    public func toolCallEnded(_ status: RunStep.Status, after: Duration) {}
    public func toolAbandoned() {}
}

/// For tests and tools that count nothing.
public struct NoEngineMetrics: EngineMetrics {
    public init() {}
    public func runStarted(model: String) {}
    public func runRefused() {}
    public func runEnded(model: String, outcome: RunOutcome, cutReason: CutReason?) {}
    public func attemptEnded(model: String, outcome: AttemptOutcome) {}
    public func reservationForced(model: String, reason: ReserveReason) {}
    public func usageBeyondReservation(model: String, tokens: Int) {}
    public func tokensSettled(model: String, input: Int, output: Int) {}
    public func firstToken(model: String, after: Duration) {}
    public func deltaLatency(nanoseconds: Int64) {}
    public func cutLatency(_ latency: Duration) {}
    public func conversationNotSaved() {}
}
