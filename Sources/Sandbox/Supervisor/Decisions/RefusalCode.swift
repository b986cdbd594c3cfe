/// The codes of refusals and failures that the supervisor itself gives; a program may rely on them.
public enum RefusalCode {
    public static let unknownTool = "unknown_tool"
    public static let badArguments = "bad_args"
    public static let denied = "denied"
    /// An operator has switched the tool off.
    public static let toolDisabled = "tool_disabled"
    /// Code may run only where it is shut in better.
    public static let isolationTooLow = "isolation_too_low"
    /// Nobody can say what this session has done.
    public static let sessionUnavailable = "session_unavailable"
    /// A policy's limit has no room.
    public static let limitExceeded = "limit_exceeded"
    /// There is nobody to ask, or approvals cannot be kept.
    public static let approvalUnavailable = "approval_unavailable"
    /// A person said no.
    public static let approvalDenied = "approval_denied"
    /// Nobody decided in time.
    public static let approvalExpired = "approval_expired"
    /// Somebody else took the question back.
    public static let approvalCancelled = "approval_cancelled"
    /// People said no to the same call a short while ago, and are not asked again.
    public static let approvalDeniedRecently = "approval_denied_recently"
    /// The policies ask for other approvers than those that agreed.
    public static let approvalOutdated = "approval_outdated"
    /// Another call was made under this approval.
    public static let approvalUsed = "approval_used"
    /// Nobody could read the arguments, so nobody can agree to them.
    public static let approvalTooLarge = "approval_too_large"
    public static let tooManyApprovals = "too_many_approvals"
    public static let logUnavailable = "log_unavailable"
    public static let accountingUnavailable = "accounting_unavailable"
    public static let tooManyInFlight = "too_many_inflight"
    public static let supervisorBusy = "supervisor_busy"
    public static let badIdempotencyKey = "bad_idempotency_key"
    public static let idempotencyConflict = "idempotency_conflict"
    public static let idempotencyUnknown = "idempotency_unknown"
    public static let idempotencyUnavailable = "idempotency_unavailable"
    /// Code goes on calling after the call that runs it is over.
    public static let callOver = "call_over"
    /// Nobody waits for the call any longer.
    public static let cancelled = "cancelled"

    /// Of calls that were made.
    public static let toolTimeout = "tool_timeout"
    public static let outputTooLarge = "output_too_large"
    public static let toolError = "tool_error"
}

/// The rules that are the supervisor's own.
enum RuleID {
    static let unknownTool = "supervisor.unknown_tool"
    static let code = "supervisor.code"
    /// The channel of code did not take the call.
    static let channel = "supervisor.channel"
    static let arguments = "supervisor.arguments"
    static let inFlight = "supervisor.in_flight"
    static let idempotency = "supervisor.idempotency"
    static let log = "supervisor.log"
    static let approval = "supervisor.approval"
    static let callOver = "supervisor.call_over"
    static let cancelled = "supervisor.cancelled"
    static let replay = "supervisor.replay"
    static let accounting = "accounting.limit"
    static let session = "supervisor.session"
    static let isolation = "isolation.level"
    static let tenant = "no-cross-tenant"
    static let disabled = "tool.disabled"
    static let roles = "tool.roles"
    static let catalog = "tool.catalog"
}
