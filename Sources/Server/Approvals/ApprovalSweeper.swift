internal import Accounting
internal import Supervisor

/// Expires approvals that nobody decided in time, also those whose call is gone.
struct ApprovalSweeper: Sendable {
    /// A call that waits knows its own time; this is for what lists show.
    private static let interval = Duration.seconds(1)

    let desk: ApprovalDesk

    /// Until the task is cancelled. A store that does not answer is asked again: nothing that is due can be used meanwhile either.
    func run() async {
        while !Task.isCancelled {
            _ = await desk.expireDue(WallClock.now().rawValue)
            try? await Task.sleep(for: Self.interval)
        }
    }
}
