internal import Engine
internal import JSON

/// Writes the request body of a chat completion, and counts what it costs.
enum ChatRequestBody {
    /// Parameters that the engine decides, whatever the client passed.
    private static let ours: Set<String> = [
        "model", "messages", "stream", "stream_options", "tools", "max_tokens", "max_completion_tokens",
    ]
    /// Tokens that a chat template adds to a message and to a prompt; the common ones add 3 to 7.
    private static let tokensPerMessage = 8
    /// The most that one image is known to cost: 2,833 and 8 tiles of 5,667 (OpenAI's vision guide, gpt-4o-mini).
    private static let tokensPerImage = 48_169

    /// Always asks for a stream that ends with the usage.
    static func encode(_ request: ModelRequest, _ configuration: OpenAIProvider.Configuration) -> [UInt8] {
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
                writer.member(member.key, member.value)
            }
            writer.endObject()
        }
        writer.endArray()
        if let tools = request.tools { writer.member("tools", tools) }
        if let most = request.outputTokensMax { writer.member(configuration.outputLimit.rawValue, most) }
        for member in request.parameters.members where !ours.contains(member.key) {
            writer.member(member.key, member.value)
        }
        writer.member("stream", .bool(configuration.isStreamed))
        if configuration.isStreamed { writer.member("stream_options", .object(JSONObject([("include_usage", .bool(true))]))) }
        writer.endObject()
        return writer.bytes
    }

    /// The bound: a byte-level tokeniser makes at most one token of each byte, and the template and images add what
    /// is known. The estimate is ``TokenEstimator``'s.
    static func promptTokens(_ request: ModelRequest) -> PromptCount {
        var bound = tokensPerMessage
        var estimate = 3
        for message in request.messages {
            bound += tokensPerMessage + message.role.utf8.count
            estimate += 4
            add(message.content, &bound, &estimate)
            for member in message.extra.members { add(member.value, &bound, &estimate) }
        }
        if let tools = request.tools { add(tools, &bound, &estimate) }
        if let format = request.parameters["response_format"] { add(format, &bound, &estimate) }
        return .atMost(bound, estimate: min(estimate, bound))
    }

    private static func add(_ value: JSONValue, _ bound: inout Int, _ estimate: inout Int) {
        switch value {
        case .null: break
        case .string(let text):
            bound += text.utf8.count
            estimate += TokenEstimator.count(text)
        case .array(let parts) where parts.contains(where: { $0["type"] != nil }):
            for part in parts {
                if let text = part["text"]?.stringValue, part["type"]?.stringValue == "text" {
                    add(.string(text), &bound, &estimate)
                } else if part["type"]?.stringValue == "image_url" {
                    bound += tokensPerImage
                    estimate += 1_000
                } else {
                    add(.string(part.jsonText), &bound, &estimate)
                }
            }
        default: add(.string(value.jsonText), &bound, &estimate)
        }
    }
}
