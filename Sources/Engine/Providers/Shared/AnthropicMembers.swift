internal import Engine
internal import JSON

/// What Anthropic's dialect says and OpenAI's has no word for, kept beside it in a request: members that begin with `x_anthropic_`.
///
/// A request in the Messages dialect is run by any model, and one for an Anthropic upstream may come in any dialect. These members
/// carry cache breakpoints, thinking blocks and errors of tools from the one to the other; no other upstream is sent them.
public enum AnthropicMembers {
    public static let prefix = "x_anthropic_"
    /// A cache breakpoint: of a text part, a tool, a tool's result, or the whole request.
    public static let cacheControl = prefix + "cache_control"
    /// Of an assistant message: its `thinking` and `redacted_thinking` blocks as they came.
    public static let thinking = ModelMessage.thinkingMember
    /// Of a tool's result: whether it tells of a failure.
    public static let isError = prefix + "is_error"
    /// Of a request: `standard_only`.
    public static let serviceTier = prefix + "service_tier"
    /// Of a request: `low` to `max`, which is no `reasoning_effort`.
    public static let effort = prefix + "effort"

    static func isMember(_ key: String) -> Bool { key.hasPrefix(prefix) }

    /// The same value for other upstreams: without these members, in it and in the parts of an array.
    static func removed(from value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object) where object.members.contains(where: { isMember($0.key) }):
            .object(JSONObject(object.members.filter { !isMember($0.key) }.map { ($0.key, $0.value) }))
        case .array(let elements): .array(elements.map(removed))
        default: value
        }
    }
}
