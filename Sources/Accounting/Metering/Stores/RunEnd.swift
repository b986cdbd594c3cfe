/// How a run ended that did not complete: what "why was I cut" is answered from, also after a restart.
///
/// Written beside the ledger, never instead of it: what the run cost is in its charges.
public struct RunEnd: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable { case cut, error }

    public let run: String
    /// Whose run it was; nobody else may read this.
    public let path: TenancyPath
    public let model: String
    public let outcome: Outcome
    /// The `cut` or `error` object of the run's last event, as JSON text.
    public let detail: String
    public let at: Milliseconds

    public init(run: String, path: TenancyPath, model: String, outcome: Outcome, detail: String, at: Milliseconds) {
        self.run = run
        self.path = path
        self.model = model
        self.outcome = outcome
        self.detail = detail
        self.at = at
    }
}

/// The ends of runs that were cut or failed.
///
/// What is thrown is the back end's own error; its description is one sentence for an operator.
public protocol RunEndStore: Sendable {
    /// Keeps the first end of each run; one that is there already stays.
    func append(_ ends: [RunEnd]) async throws
    func find(run: String) async throws -> RunEnd?
    /// Forgets what is older; for runs of ``StoreLimits/runEndRetention``.
    ///
    /// - Returns: how many there were.
    @discardableResult
    func forget(before: Milliseconds) async throws -> Int
}
