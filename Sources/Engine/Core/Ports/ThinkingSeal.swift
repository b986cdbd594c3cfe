internal import JSON

/// What an upstream wants to see of its own thinking before it takes it back: nobody else can read it, and no token is billed for it.
public enum ThinkingSeal: Sendable, Hashable {
    /// Of the thinking that was streamed since the last seal.
    case signature(String)
    /// Thinking that is not shown at all.
    case redacted(String)

    /// The step that tells of it, for dialects that hand it to their clients.
    public static let step = "thinking"

    var byteCount: Int {
        switch self {
        case .signature(let text), .redacted(let text): text.utf8.count
        }
    }

    var told: RunStep {
        let data =
            switch self {
            case .signature(let text): JSONObject([("signature", .string(text))])
            case .redacted(let text): JSONObject([("redacted", .string(text))])
            }
        return RunStep(step: Self.step, status: .completed, title: Self.step, data: data)
    }

    /// The block that the upstream takes back.
    func block(_ thinking: String) -> JSONValue {
        switch self {
        case .signature(let text): ["type": "thinking", "thinking": .string(thinking), "signature": .string(text)]
        case .redacted(let text): ["type": "redacted_thinking", "data": .string(text)]
        }
    }
}

extension ModelMessage {
    /// The member of an assistant message that holds its sealed thinking, for upstreams that know it.
    public static let thinkingMember = "x_anthropic_thinking"
}
