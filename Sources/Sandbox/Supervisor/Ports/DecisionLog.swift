/// Keeps what was decided. Append-only.
public protocol DecisionLog: Sendable {
    /// Returns when the record is durable: true. False when it cannot be written, and then nothing is called.
    func record(_ record: DecisionRecord) async -> Bool

    /// What became of an allowed call. One that cannot be written leaves a decision whose outcome nobody knows.
    func record(_ outcome: DecisionOutcome, of caller: CallerIdentity) async
}
