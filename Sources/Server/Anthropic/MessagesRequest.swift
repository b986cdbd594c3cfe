internal import Engine
internal import EngineProviders
internal import JSON

/// The body of `POST /v1/messages`, checked, in the words that every model is asked in.
///
/// Members that Anthropic does not know are refused, as it does; so is what nobody here could bound: images and documents, the
/// vendor's own tools, what has another price.
///
/// Source: Anthropic API reference, *Create a message*.
struct MessagesRequest: Sendable {
    let prompt: WholePrompt
    let streams: Bool

    /// - Parameter isCount: the body of `…/count_tokens`, which has no limit of output.
    init(_ body: JSONValue, isCount: Bool = false) throws(HTTPFailure) {
        let fields = try FieldReader(body)
        try Self.refuseWhatIsNotKnown(fields)
        guard let model = try fields.string("model", bytesMax: RequestLimits.modelBytesMax), !model.isEmpty else {
            throw fields.failure("model", "is needed")
        }
        let most = try fields.integer("max_tokens", in: 1...RequestLimits.outputTokensMax)
        guard most != nil || isCount else { throw fields.failure("max_tokens", "is needed") }
        var prompt = WholePrompt(model: model, messages: try MessagesInput.messages(fields), outputTokensMax: most.map { Int($0) })
        prompt.tools = try Self.tools(fields)
        prompt.parameters = try Self.parameters(fields, most: most)
        prompt.onDisconnect = try fields.disconnectPolicy()
        prompt.mayLowerOutput = try fields.flag("lower_max_tokens") ?? false
        prompt.serverTools = try fields.serverTools()
        prompt.onDeny = try fields.denyPolicy()
        prompt.hints = try TenantHints(
            tenant: fields.string("tenant", bytesMax: 256), project: fields.string("project", bytesMax: 256))
        self.prompt = prompt
        streams = try fields.flag("stream") ?? false
    }

    /// What a model is asked for, for counting it.
    var modelRequest: ModelRequest {
        ModelRequest(
            model: prompt.model, messages: prompt.messages, outputTokensMax: prompt.outputTokensMax, tools: prompt.tools,
            parameters: prompt.parameters)
    }

    private static let known: Set<String> = [
        "model", "max_tokens", "messages", "system", "stream", "stop_sequences", "temperature", "top_p", "top_k", "metadata", "tools",
        "tool_choice", "thinking", "output_config", "service_tier", "cache_control",
        // Ours, as in the other dialects.
        "tenant", "project", "on_disconnect", "lower_max_tokens", "server_tools", "on_deny",
        // About what the vendor keeps or reports; nothing here depends on them.
        "context_management", "diagnostics",
    ]
    private static let unbounded = ["container", "inference_geo", "mcp_servers", "speed"]

    private static func refuseWhatIsNotKnown(_ fields: FieldReader) throws(HTTPFailure) {
        for member in fields.object.members where member.value != .null && !known.contains(member.key) {
            let key = String(member.key.prefix(64))
            throw fields.failure(key, unbounded.contains(key) ? "is not metered here and cannot be used" : "is not known")
        }
    }

    // MARK: Tools

    private static func tools(_ fields: FieldReader) throws(HTTPFailure) -> JSONValue? {
        guard let value = fields.value("tools") else { return nil }
        guard let list = value.arrayValue, list.count <= RequestLimits.serverToolsMax else {
            throw fields.failure("tools", "must be an array of at most \(RequestLimits.serverToolsMax) tools")
        }
        var tools: [JSONValue] = []
        for (index, tool) in list.enumerated() { tools.append(try Self.tool(FieldReader(tool, prefix: "tools[\(index)]."))) }
        return tools.isEmpty ? nil : .array(tools)
    }

    private static func tool(_ fields: FieldReader) throws(HTTPFailure) -> JSONValue {
        if let type = fields.value("type"), type != "custom" {
            throw fields.failure("type", "may only be custom: the vendor's own tools are not metered here")
        }
        guard let name = try fields.string("name", bytesMax: 128), !name.isEmpty else { throw fields.failure("name", "is needed") }
        guard let schema = fields.value("input_schema"), schema.objectValue != nil else {
            throw fields.failure("input_schema", "must be an object")
        }
        var function = JSONObject([("name", .string(name))])
        function["description"] = fields.value("description")
        function["parameters"] = schema
        if try fields.flag("strict") ?? false { function["strict"] = true }
        var tool = JSONObject([("type", "function"), ("function", .object(function))])
        tool[AnthropicMembers.cacheControl] = try fields.cacheControl()
        return .object(tool)
    }

    // MARK: Parameters

    private static func parameters(_ fields: FieldReader, most: Int64?) throws(HTTPFailure) -> JSONObject {
        var parameters = JSONObject()
        _ = try fields.number("temperature", in: 0...1)
        _ = try fields.number("top_p", in: 0...1)
        _ = try fields.integer("top_k", in: 0...1_000_000)
        for key in ["temperature", "top_p", "top_k"] { parameters[key] = fields.value(key) }
        if let stops = fields.value("stop_sequences") {
            guard let list = stops.arrayValue, list.count <= 64, list.allSatisfy({ $0.stringValue != nil }) else {
                throw fields.failure("stop_sequences", "must be an array of at most 64 strings")
            }
            if !list.isEmpty { parameters["stop"] = stops }
        }
        if let metadata = fields.value("metadata") {
            let user = try FieldReader(metadata, prefix: "metadata.").string("user_id", bytesMax: 1_024)
            parameters["user"] = user.map { .string($0) }
        }
        if let tier = fields.value("service_tier"), tier != "auto" {
            guard tier == "standard_only" else { throw fields.failure("service_tier", "may only be auto or standard_only") }
            parameters[AnthropicMembers.serviceTier] = tier
        }
        parameters[AnthropicMembers.cacheControl] = try fields.cacheControl()
        parameters["thinking"] = try thinking(fields, most: most)
        try addChoice(fields, to: &parameters)
        try addOutput(fields, to: &parameters)
        return parameters
    }

    private static func thinking(_ fields: FieldReader, most: Int64?) throws(HTTPFailure) -> JSONValue? {
        guard let value = fields.value("thinking") else { return nil }
        let thinking = try FieldReader(value, prefix: "thinking.")
        switch try thinking.string("type", bytesMax: 32) {
        case "disabled": return nil
        case "enabled":
            let budget = try thinking.integer("budget_tokens", in: 1_024...RequestLimits.outputTokensMax)
            guard let budget, budget < most ?? .max else {
                throw thinking.failure("budget_tokens", "must be at least 1024 and less than max_tokens")
            }
            return value
        case .some: return value
        case nil: throw thinking.failure("type", "is needed")
        }
    }

    private static func addChoice(_ fields: FieldReader, to parameters: inout JSONObject) throws(HTTPFailure) {
        guard let value = fields.value("tool_choice") else { return }
        let choice = try FieldReader(value, prefix: "tool_choice.")
        switch try choice.string("type", bytesMax: 16) {
        case "auto": parameters["tool_choice"] = "auto"
        case "any": parameters["tool_choice"] = "required"
        case "none": parameters["tool_choice"] = "none"
        case "tool":
            guard let name = try choice.string("name", bytesMax: 128) else { throw choice.failure("name", "is needed") }
            parameters["tool_choice"] = ["type": "function", "function": ["name": .string(name)]]
        default: throw choice.failure("type", "must be auto, any, tool or none")
        }
        if try choice.flag("disable_parallel_tool_use") ?? false { parameters["parallel_tool_calls"] = false }
        // Other upstreams refuse a choice where there is nothing to choose from.
        if (fields.value("tools")?.arrayValue ?? []).isEmpty, fields.value("server_tools") == nil {
            parameters["tool_choice"] = nil
            parameters["parallel_tool_calls"] = nil
        }
    }

    /// A schema of the answer goes in OpenAI's words, which the upstream's provider knows.
    private static func addOutput(_ fields: FieldReader, to parameters: inout JSONObject) throws(HTTPFailure) {
        guard let value = fields.value("output_config") else { return }
        let output = try FieldReader(value, prefix: "output_config.")
        parameters[AnthropicMembers.effort] = try output.string("effort", bytesMax: 16).map { .string($0) }
        guard let format = output.value("format") else { return }
        guard format["type"] == "json_schema", let schema = format["schema"], schema.objectValue != nil else {
            throw output.failure("format", "must be {type: json_schema, schema}")
        }
        parameters["response_format"] = ["type": "json_schema", "json_schema": ["name": "output", "schema": schema, "strict": true]]
    }
}

extension FieldReader {
    /// A cache breakpoint of five minutes. One of an hour costs more than the class of cache writes, and is refused.
    func cacheControl() throws(HTTPFailure) -> JSONValue? {
        guard let value = value("cache_control") else { return nil }
        let control = try FieldReader(value, prefix: prefix + "cache_control.")
        guard control.value("type") == "ephemeral" else { throw control.failure("type", "must be ephemeral") }
        if let ttl = control.value("ttl"), ttl != "5m" { throw control.failure("ttl", "may only be 5m: longer ones have another price") }
        return ["type": "ephemeral"]
    }
}
