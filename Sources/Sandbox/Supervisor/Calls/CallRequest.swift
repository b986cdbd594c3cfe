public import JSON

/// One call as it was asked for: nothing of it is checked yet, but for the caller.
public struct CallRequest: Sendable, Hashable {
    public enum Arguments: Sendable, Hashable {
        /// As the model wrote them: they need not even be JSON.
        case text([UInt8])
        /// Parsed by the channel that code writes to.
        case object(JSONObject)
    }

    public let caller: CallerIdentity
    /// Unique in the run.
    public let callID: String
    /// The call whose code makes this one.
    public let parentCallID: String?
    public let source: CallSource
    public let tool: String
    public let arguments: Arguments
    /// Under the same key the same call is made at most once. 1 to 128 bytes.
    public let idempotencyKey: String?

    /// A call of the model.
    public init(caller: CallerIdentity, callID: String, tool: String, text: String, idempotencyKey: String? = nil) {
        self.init(
            caller: caller, callID: callID, parentCallID: nil, source: .model, tool: tool, arguments: .text([UInt8](text.utf8)),
            idempotencyKey: idempotencyKey)
    }

    public init(
        caller: CallerIdentity, callID: String, parentCallID: String?, source: CallSource, tool: String, arguments: Arguments,
        idempotencyKey: String? = nil
    ) {
        self.caller = caller
        self.callID = callID
        self.parentCallID = parentCallID
        self.source = source
        self.tool = tool
        self.arguments = arguments
        self.idempotencyKey = idempotencyKey
    }
}

/// A call that code makes while a tool runs it. It has no field for an identity: it keeps that of the call it is made in.
public struct NestedCall: Sendable, Hashable {
    public let tool: String
    public let arguments: JSONObject
    public let idempotencyKey: String?

    public init(tool: String, arguments: JSONObject, idempotencyKey: String? = nil) {
        self.tool = tool
        self.arguments = arguments
        self.idempotencyKey = idempotencyKey
    }
}

/// A call that code attempted in a form that is none, or beyond the channel's limits.
public struct RefusedAttempt: Sendable, Hashable {
    /// As it was asked for.
    public let tool: String
    public let code: String
    public let message: String

    public init(tool: String, code: String, message: String) {
        self.tool = tool
        self.code = code
        self.message = message
    }
}
