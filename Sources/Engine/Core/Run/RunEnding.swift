/// Why a run ends. The first ending that is known is the one that is told.
public enum RunEnding: Sendable, Hashable {
    /// The model was done, or the client has heard enough (`cancelled`, `client_lost`).
    case complete(finishReason: String)
    /// Accounting, a policy or an operator forced it.
    indirect case cut(CutDescription)
    case error(code: String, message: String)

    public var outcome: RunOutcome {
        switch self {
        case .complete: .complete
        case .cut: .cut
        case .error: .error
        }
    }

    /// The client asked for the end.
    public static let cancelled = RunEnding.complete(finishReason: "cancelled")
    /// The last client went away and the run's policy is to stop then.
    public static let clientLost = RunEnding.complete(finishReason: "client_lost")
    /// The server is stopping and its deadline for live runs has passed.
    public static let serverShutdown = RunEnding.error(
        code: StartFailure.Code.serverShutdown.rawValue, message: "the server is shutting down")
}
