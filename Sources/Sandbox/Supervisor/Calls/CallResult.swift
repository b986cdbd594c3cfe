public import JSON

/// Why a call is not made.
public struct Refusal: Sendable, Hashable {
    /// From ``RefusalCode``, or a decider's own.
    public let code: String
    public let message: String
    /// The rule that said no.
    public let rule: String
    /// Where the attempt stands in the decision log; nil before it is recorded, and when the log could not be written.
    public internal(set) var decisionID: String?
    /// What the code alone does not say: of a budget its scope, unit, window and limit; of arguments the path and the rule.
    public let details: JSONObject

    public init(code: String, message: String, rule: String, decisionID: String? = nil, details: JSONObject = JSONObject()) {
        self.code = code
        self.message = message
        self.rule = rule
        self.decisionID = decisionID
        self.details = details
    }
}

/// What came of a call.
public enum CallOutcome: Sendable, Hashable {
    case value(JSONValue)
    /// The tool was not called.
    case denied(Refusal)
    /// The tool was called, or may have been.
    ///
    /// - Parameter value: what the tool gave all the same.
    case failed(code: String, message: String, value: JSONValue?)
}

/// The answer to a call.
public struct CallResult: Sendable, Hashable {
    public let outcome: CallOutcome
    /// Where the call stands in the decision log; nil when the log could not be written.
    public let decisionID: String?
    /// From the call to its answer, waiting included.
    public let elapsed: Duration
    /// Whether this is the outcome of an earlier call with the same idempotency key.
    public let isReplayed: Bool

    public init(outcome: CallOutcome, decisionID: String?, elapsed: Duration, isReplayed: Bool = false) {
        self.outcome = outcome
        self.decisionID = decisionID
        self.elapsed = elapsed
        self.isReplayed = isReplayed
    }

    /// The rule that allowed it; nil of a refusal, which has its own, and of an answer that was kept.
    public internal(set) var allowedBy: String?

    public var isRefused: Bool { refusal != nil }

    public var refusal: Refusal? {
        guard case .denied(let refusal) = outcome else { return nil }
        return refusal
    }

    public var rule: String? { refusal?.rule }

    /// Of anything but a value.
    public var code: String? {
        switch outcome {
        case .value: nil
        case .denied(let refusal): refusal.code
        case .failed(let code, _, _): code
        }
    }

    /// What the tool gave.
    public var value: JSONValue? {
        switch outcome {
        case .value(let value): value
        case .denied: nil
        case .failed(_, _, let value): value
        }
    }
}

extension CallResult {
    /// The result for an ``IdempotencyStore``; nil for a refusal, which is no outcome, and for one that is too large to keep.
    public var stored: JSONValue? {
        var object = JSONObject()
        switch outcome {
        case .denied: return nil
        case .value(let value): object["value"] = value
        case .failed(let code, let message, let value):
            object["code"] = .string(code)
            object["message"] = .string(message)
            object["value"] = value
        }
        if let decisionID { object["decision_id"] = .string(decisionID) }
        let stored = JSONValue.object(object)
        return stored.jsonBytes.count <= SupervisorLimits.storedOutcomeBytesMax ? stored : nil
    }

    /// A result as it was stored; nil for what is none.
    public init?(stored: JSONValue) {
        guard case .object(let object) = stored else { return nil }
        if let code = object["code"]?.stringValue {
            outcome = .failed(code: code, message: object["message"]?.stringValue ?? "", value: object["value"])
        } else if let value = object["value"] {
            outcome = .value(value)
        } else {
            return nil
        }
        decisionID = object["decision_id"]?.stringValue
        elapsed = .zero
        isReplayed = true
    }
}
