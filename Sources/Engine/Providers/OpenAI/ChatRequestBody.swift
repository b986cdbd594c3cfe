internal import Engine
internal import JSON

/// Writes the request body of a chat completion.
enum ChatRequestBody {
    /// Parameters that the engine decides, whatever the client passed.
    private static let ours: Set<String> = [
        "model", "messages", "stream", "stream_options", "tools", "max_tokens", "max_completion_tokens",
    ]
    /// Always asks for a stream that ends with the usage.
    static func encode(_ request: ModelRequest, _ configuration: OpenAIProvider.Configuration) -> [UInt8] {
        let names = FunctionNames(request.tools)
        var writer = JSONWriter(reserving: 1_024)
        writer.beginObject()
        writer.member("model", configuration.upstreamModel)
        writer.key("messages")
        writer.beginArray()
        for message in request.messages {
            writer.beginObject()
            writer.member("role", message.role)
            writer.member("content", AnthropicMembers.removed(from: message.content))
            for member in message.extra.members
            where member.key != "role" && member.key != "content" && !AnthropicMembers.isMember(member.key) {
                writer.member(member.key, names.upstream(member.key, member.value))
            }
            writer.endObject()
        }
        writer.endArray()
        if let tools = request.tools {
            writer.member("tools", .array((tools.arrayValue ?? []).map { names.upstream(AnthropicMembers.removed(from: $0)) }))
        }
        if let most = request.outputTokensMax { writer.member(configuration.outputLimit.rawValue, most) }
        for member in request.parameters.members where !ours.contains(member.key) && !AnthropicMembers.isMember(member.key) {
            switch member.key {
            case "tool_choice": writer.member(member.key, names.upstream(member.value))
            case "thinking":
                guard let thinking = AnthropicThinking(member.value) else { fallthrough }
                // OpenAI's word for it, which its reasoning models know and others refuse as they would refuse the budget.
                if let effort = thinking.effort, request.parameters["reasoning_effort"] == nil { writer.member("reasoning_effort", effort) }
            default: writer.member(member.key, member.value)
            }
        }
        writer.member("stream", .bool(configuration.isStreamed))
        if configuration.isStreamed { writer.member("stream_options", .object(JSONObject([("include_usage", .bool(true))]))) }
        writer.endObject()
        return writer.bytes
    }
}
