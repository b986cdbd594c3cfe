internal import Engine
internal import JSON

/// The body of `POST /v1/chat/completions`, checked.
///
/// What we do not interpret (`seed`, `stop`, `response_format`, …) is handed to the upstream as it came. What would break
/// the accounting is refused: `n` above 1 multiplies output behind the counters' back.
///
/// Source: OpenAI API reference, *Create chat completion*.
struct ChatCompletionRequest: Sendable {
    let model: String
    let messages: [ModelMessage]
    let outputTokensMax: Int?
    let tools: JSONValue?
    let parameters: JSONObject
    let streams: Bool
    let includesUsage: Bool
    let onDisconnect: DisconnectPolicy?
    let mayLowerOutput: Bool
    /// Which of the server's own tools the model may call; none unless the client asks for them.
    let serverTools: RunRequest.ServerTools?
    let onDeny: RunRequest.DenyPolicy?
    let hints: TenantHints

    init(_ body: JSONValue) throws(HTTPFailure) {
        let fields = try FieldReader(body)
        guard let model = try fields.string("model", bytesMax: RequestLimits.modelBytesMax), !model.isEmpty else {
            throw fields.failure("model", "is needed")
        }
        self.model = model
        messages = try Self.messages(fields)
        let range = 1...RequestLimits.outputTokensMax
        let completionMax = try fields.integer("max_completion_tokens", in: range)
        let legacyMax = try fields.integer("max_tokens", in: range)
        outputTokensMax = (completionMax ?? legacyMax).map(Int.init)
        _ = try fields.integer("n", in: 1...1)
        _ = try fields.number("temperature", in: 0...2)
        try Self.refuseWhatCannotBeBounded(fields)
        onDisconnect = try fields.disconnectPolicy()
        mayLowerOutput = try fields.flag("lower_max_tokens") ?? false
        serverTools = try fields.serverTools()
        onDeny = try fields.denyPolicy()
        if let tools = fields.value("tools") {
            guard tools.arrayValue != nil else { throw fields.failure("tools", "must be an array") }
            self.tools = tools
        } else {
            tools = nil
        }
        streams = try fields.flag("stream") ?? false
        if let options = fields.value("stream_options") {
            includesUsage = try FieldReader(options, prefix: "stream_options.").flag("include_usage") ?? false
        } else {
            includesUsage = false
        }
        hints = try TenantHints(
            tenant: fields.string("tenant", bytesMax: 256), project: fields.string("project", bytesMax: 256))
        var parameters = fields.object
        for key in Self.interpreted { parameters[key] = nil }
        self.parameters = parameters
    }

    var prompt: WholePrompt {
        WholePrompt(
            model: model, messages: messages, outputTokensMax: outputTokensMax, tools: tools, parameters: parameters,
            onDisconnect: onDisconnect, mayLowerOutput: mayLowerOutput, serverTools: serverTools, onDeny: onDeny, hints: hints)
    }

    /// Members that we read ourselves; the provider writes its own.
    private static let interpreted = [
        "model", "messages", "max_tokens", "max_completion_tokens", "n", "tools", "stream", "stream_options", "tenant", "project",
        "on_disconnect", "lower_max_tokens", "server_tools", "on_deny",
    ]

    /// Parameters that are handed through unread everywhere else, but would make an upstream bill what nobody here has bounded:
    /// audio by the second, a search by the call, another model's price, answers that are made and not sent, a template that
    /// writes the prompt anew.
    private static let unbounded = [
        "audio", "web_search_options", "plugins", "models", "route", "provider", "best_of", "use_beam_search", "chat_template", "echo",
    ]

    private static func refuseWhatCannotBeBounded(_ fields: FieldReader) throws(HTTPFailure) {
        if let modalities = fields.value("modalities"), modalities != ["text"] {
            throw fields.failure("modalities", "may only be [\"text\"]")
        }
        for key in unbounded {
            guard let value = fields.value(key), value != false, !(key == "best_of" && value == 1) else { continue }
            throw fields.failure(key, "is not metered here and cannot be used")
        }
        if let tier = fields.value("service_tier"), ["auto", "default", "flex"].allSatisfy({ tier.stringValue != $0 }) {
            throw fields.failure("service_tier", "may only be auto, default or flex: others have another price")
        }
    }

    private static func messages(_ fields: FieldReader) throws(HTTPFailure) -> [ModelMessage] {
        guard let list = fields.value("messages")?.arrayValue, !list.isEmpty, list.count <= RequestLimits.messagesMax else {
            throw fields.failure("messages", "must be an array of 1 to \(RequestLimits.messagesMax) messages")
        }
        var messages: [ModelMessage] = []
        for (index, element) in list.enumerated() { messages.append(try message(element, path: "messages[\(index)]")) }
        return messages
    }

    private static func message(_ value: JSONValue, path: String) throws(HTTPFailure) -> ModelMessage {
        let fields = try FieldReader(value, prefix: path + ".")
        guard let role = try fields.string("role", bytesMax: 32), !role.isEmpty else { throw fields.failure("role", "is needed") }
        let content = fields.value("content") ?? .null
        switch content {
        case .string: break
        case .null where role == "assistant" || fields.value("tool_calls") != nil: break
        case .array(let parts):
            // Images and audio are billed by rules that a token counter cannot bound.
            for part in parts where part["type"]?.stringValue != "text" || part["text"]?.stringValue == nil {
                throw fields.failure("content", "may only have parts of type text")
            }
        default: throw fields.failure("content", "must be a string or an array of text parts")
        }
        var extra = fields.object
        extra["role"] = nil
        extra["content"] = nil
        return ModelMessage(role: role, content: content, extra: extra)
    }
}
