/// The answer to a request, and what led to it.
public struct Response: Hashable, Sendable {
    /// Yes or no.
    public enum Decision: String, Hashable, Sendable {
        /// At least one permit is satisfied, and no forbid.
        case allow
        /// Anything else.
        case deny
    }

    /// A policy that has no value for the request.
    public struct Failure: Hashable, Sendable {
        /// The id of the policy.
        public let policy: String
        /// What it would have done.
        public let effect: Policy.Effect
        /// Why it has none.
        public let error: EvaluationError
    }

    /// The answer. A policy with an error counts as not satisfied, as the language has it.
    public let decision: Decision
    /// The ids of the policies that determine it, in the order of the set: the satisfied forbids if there are any, or else the
    /// satisfied permits. Empty where nothing permits.
    public let reason: [String]
    /// The policies that have an error, in the order of the set.
    public let failures: [Failure]
    /// Whether a forbid is satisfied.
    public let isForbidden: Bool

    /// The ids of the policies that have an error.
    public var errors: [String] { failures.map(\.policy) }

    /// The errors that a strict reading does not look past: every forbid's, and a permit's where no other permit is satisfied. None
    /// where a forbid is satisfied, because no value of theirs would have changed the answer.
    public var decisiveFailures: [Failure] {
        if isForbidden { return [] }
        return failures.filter { $0.effect == .forbid || decision == .deny }
    }

    /// The answer of a strict reading: deny wherever an error could have hidden a deny, or hides why there is one.
    public var strictDecision: Decision { decisiveFailures.isEmpty ? decision : .deny }
}
