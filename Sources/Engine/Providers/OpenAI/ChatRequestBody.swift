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
            writer.member("content", message.content)
            for member in message.extra.members where member.key != "role" && member.key != "content" {
                writer.member(member.key, names.upstream(member.key, member.value))
            }
            writer.endObject()
        }
        writer.endArray()
        if let tools = request.tools { writer.member("tools", .array((tools.arrayValue ?? []).map(names.upstream))) }
        if let most = request.outputTokensMax { writer.member(configuration.outputLimit.rawValue, most) }
        for member in request.parameters.members where !ours.contains(member.key) {
            writer.member(member.key, member.key == "tool_choice" ? names.upstream(member.value) : member.value)
        }
        writer.member("stream", .bool(configuration.isStreamed))
        if configuration.isStreamed { writer.member("stream_options", .object(JSONObject([("include_usage", .bool(true))]))) }
        writer.endObject()
        return writer.bytes
    }
}
