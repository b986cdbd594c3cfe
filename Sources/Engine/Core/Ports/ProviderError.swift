/// Why a model's answer broke off. On the wire it is always `upstream_error`.
public struct ProviderError: Error, Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// No connection, or it broke before the answer began.
        case connect
        /// The upstream answered with this HTTP status.
        case status(Int)
        case firstByteTimeout, idleTimeout, callTimeout
        /// The answer ended before it was finished.
        case dropped
        /// The answer is not what the dialect says, or exceeds a limit.
        case malformed
        /// The upstream reported an error inside its answer.
        case inBand
        /// The caller stopped it.
        case cancelled
    }

    public let kind: Kind
    /// What happened, at most 200 characters of it from the upstream; no prompt, no credential.
    public let message: String
    /// Whether the same call may succeed later.
    public let isRetryable: Bool
    /// Whether the upstream may bill for it. False only on evidence: it refused, or was never reached.
    public let mayBeBilled: Bool

    /// How long the upstream asked to be left alone.
    public let retryAfter: Duration?

    public init(_ kind: Kind, message: String, isRetryable: Bool, mayBeBilled: Bool, retryAfter: Duration? = nil) {
        self.kind = kind
        self.message = message
        self.isRetryable = isRetryable
        self.mayBeBilled = mayBeBilled
        self.retryAfter = retryAfter
    }

    public static let cancelled = ProviderError(.cancelled, message: "cancelled", isRetryable: false, mayBeBilled: true)

    /// The code that clients see.
    public static let code = "upstream_error"

    /// The upstream's HTTP status, when there was one.
    public var status: Int? {
        guard case .status(let status) = kind else { return nil }
        return status
    }
}
