public import JSON

/// A call of a tool that code in a sandbox asks for.
///
/// It names no tenant, user or policy: who calls is known from the sandbox whose channel it came through.
public struct SandboxCall: Sendable, Hashable {
    /// Positive, and strictly increasing within a sandbox.
    public let id: Int64
    /// `[a-z][a-z0-9_.]{0,63}`, byte for byte; it need not be the name of any tool.
    public let tool: String
    /// Parsed once and strictly: this value is what is decided about, approved, logged and dispatched.
    public let arguments: JSONObject
    /// What the code calls this action, so that a repetition is not a second action. One to 128 bytes.
    public let idempotencyKey: String?

    public init(id: Int64, tool: String, arguments: JSONObject, idempotencyKey: String? = nil) {
        self.id = id
        self.tool = tool
        self.arguments = arguments
        self.idempotencyKey = idempotencyKey
    }
}

/// What the code gets for its call.
public enum SandboxReply: Sendable, Hashable {
    case value(JSONValue)
    /// `isDenied`: a rule, a limit or a person said no (`ToolDenied` in the code); otherwise the call failed (`ToolError`).
    /// `retryAfter` in seconds.
    case error(code: String, message: String, rule: String?, isDenied: Bool, retryAfter: Int?)
}

/// A call that never reached a decision: the channel refused its form, and has answered the code. For the decision log.
public struct RefusedCall: Sendable, Hashable {
    public let id: Int64?
    /// As it was sent, at most its first 64 characters; it may be no tool's name, and hold any character.
    public let tool: String
    /// `bad_args`, `unknown_tool` or `too_many_inflight`.
    public let code: String
    /// In words, for the author of the code.
    public let message: String

    public init(id: Int64?, tool: String, code: String, message: String) {
        self.id = id
        self.tool = tool
        self.code = code
        self.message = message
    }
}

/// A frame, or the lack of one, that only hostile or broken code produces. The sandbox is killed for it.
public struct ChannelViolation: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds; raw values are stable and go to the log.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A length of zero, or beyond ``ChannelLimits/frameBytesIn``.
        case frameLength = "frame_length"
        /// Not one JSON object, or not of a shape that the protocol knows.
        case badFrame = "bad_frame"
        case unknownField = "unknown_field"
        case unknownType = "unknown_type"
        /// A frame that may not come now: before `hello`, before `run`, or a second `hello`.
        case unexpectedFrame = "unexpected_frame"
        case version = "version"
        case reusedID = "reused_id"
        case tooManyCalls = "too_many_calls"
        case tooManyFrames = "too_many_frames"
        case tooManyBytes = "too_many_bytes"
        /// Half a frame, and then silence.
        case timeout = "timeout"
        /// The code does not read its replies.
        case unreadReplies = "unread_replies"
    }

    public let kind: Kind
    /// In words, without content of the frame.
    public let message: String

    /// The kind as text, for the log and a job's `detail`.
    public var code: String { kind.rawValue }

    /// What a job that is killed for it ends with.
    public var exit: SandboxExit { kind == .timeout ? .timeout : .protocolLimit }

    public var description: String { "\(code): \(message)" }

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
