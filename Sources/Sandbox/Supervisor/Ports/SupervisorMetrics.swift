/// Counts what the supervisor does. Labels are names of the catalog, or `unknown`: never what a model or code wrote.
public protocol SupervisorMetrics: Sendable {
    /// `kdcube_decisions_total{decision,tool}`.
    func decided(_ decision: DecisionRecord.Decision, tool: String)
    /// `kdcube_tool_seconds`: from the dispatch to the answer.
    func called(tool: String, status: DecisionOutcome.Status, elapsed: Duration)
    /// `kdcube_tools_abandoned_total`: a tool went on after its call was over.
    func abandoned(tool: String)
    /// `kdcube_approvals_total{state}`: an approval was asked for, or became final, by this server.
    func approval(_ state: Approval.State)
    /// `kdcube_unlogged_reads_total{tool}`: a call of effect read was made although its decision could not be recorded.
    func unlogged(tool: String)
}

extension SupervisorMetrics {
    public func approval(_ state: Approval.State) {}
    public func unlogged(tool: String) {}
}

/// Counts nothing.
public struct NoMetrics: SupervisorMetrics {
    public init() {}
    public func decided(_ decision: DecisionRecord.Decision, tool: String) {}
    public func called(tool: String, status: DecisionOutcome.Status, elapsed: Duration) {}
    public func abandoned(tool: String) {}
}
