internal import Engine
internal import JSON

/// Writes the request body of `POST /v1/messages`. Pure.
///
/// What Anthropic has no word for (`seed`, `logit_bias`, …) is left out: an unknown member is refused there.
///
/// Source: Anthropic API reference, *Create a message*.
struct MessagesRequestBody: Sendable {
    private let request: ModelRequest
    private let configuration: AnthropicProvider.Configuration
    private let names: FunctionNames

    init(_ request: ModelRequest, _ configuration: AnthropicProvider.Configuration, _ names: FunctionNames) {
        self.request = request
        self.configuration = configuration
        self.names = names
    }

    /// Needed by the API: the run's bound, or else the model's.
    var outputTokensMax: Int {
        min(request.outputTokensMax ?? .max, configuration.outputTokensMax ?? (request.outputTokensMax ?? Self.outputTokensUsual))
    }
    /// What every model of this vendor can give.
    private static let outputTokensUsual = 4_096

    func encode() -> [UInt8] {
        let prompt = MessagesPrompt(request, names)
        let thinking = thinking(prompt)
        var writer = JSONWriter(reserving: 1_024)
        writer.beginObject()
        writer.member("model", configuration.upstreamModel)
        writer.member("max_tokens", outputTokensMax)
        if let system = prompt.systemJSON { writer.member("system", system) }
        writer.member("messages", prompt.json)
        let tools = tools
        if !tools.isEmpty {
            writer.member("tools", .array(tools))
            if let choice = toolChoice(isForceable: thinking == nil) { writer.member("tool_choice", choice) }
        }
        if let thinking { writer.member("thinking", thinking) }
        writeSampling(&writer, isThinking: thinking != nil)
        if let output = outputConfiguration { writer.member("output_config", output) }
        if let user = parameter("user")?.stringValue { writer.member("metadata", ["user_id": .string(user)]) }
        if let tier = parameter(AnthropicMembers.serviceTier) { writer.member("service_tier", tier) }
        if let control = parameter(AnthropicMembers.cacheControl).flatMap(MessagesPrompt.cacheControl) {
            writer.member("cache_control", control)
        }
        writer.key("stream")
        writer.value(configuration.isStreamed)
        writer.endObject()
        return writer.bytes
    }

    /// An explicit null is read as absent.
    private func parameter(_ key: String) -> JSONValue? {
        guard let value = request.parameters[key], value != .null else { return nil }
        return value
    }

    private func writeSampling(_ writer: inout JSONWriter, isThinking: Bool) {
        let stops = parameter("stop").map { stop in stop.stringValue.map { [.string($0)] } ?? stop.arrayValue ?? [] } ?? []
        let sequences = stops.filter { $0.stringValue?.contains { !$0.isWhitespace } ?? false }
        if !sequences.isEmpty { writer.member("stop_sequences", .array(sequences)) }
        // Thinking has a temperature of its own, and refuses another.
        guard !isThinking else { return }
        // OpenAI's scale goes to 2.
        if let temperature = parameter("temperature"), let text = temperature.numberText, let number = Double(text) {
            writer.member("temperature", number > 1 ? 1 : temperature)
        }
        for key in ["top_p", "top_k"] { if let value = parameter(key) { writer.member(key, value) } }
    }

    private var tools: [JSONValue] {
        (request.tools?.arrayValue ?? []).compactMap { tool in
            guard let function = names.upstream(tool)["function"], let name = function["name"] else { return nil }
            var object = JSONObject([("name", name)])
            object["description"] = function["description"]
            let schema = function["parameters"].flatMap { $0.objectValue == nil ? nil : $0 }
            object["input_schema"] = schema ?? ["type": "object", "properties": .object(JSONObject())]
            if function["strict"] == true { object["strict"] = true }
            if let control = (tool[AnthropicMembers.cacheControl] ?? tool["cache_control"]).flatMap(MessagesPrompt.cacheControl) {
                object["cache_control"] = control
            }
            return .object(object)
        }
    }

    /// - Parameter isForceable: a model that thinks decides by itself.
    private func toolChoice(isForceable: Bool) -> JSONValue? {
        let isSerial = parameter("parallel_tool_calls") == false
        var choice: JSONObject?
        switch parameter("tool_choice") {
        case "none": return ["type": "none"]
        case "auto": choice = JSONObject([("type", "auto")])
        case "required" where isForceable: choice = JSONObject([("type", "any")])
        case let forced? where isForceable && forced["function"]?["name"] != nil:
            choice = JSONObject([("type", "tool"), ("name", names.upstream(forced)["function"]?["name"] ?? "")])
        default: break
        }
        guard isSerial else { return choice.map { .object($0) } }
        var serial = choice ?? JSONObject([("type", "auto")])
        serial["disable_parallel_tool_use"] = true
        return .object(serial)
    }

    /// As the client asked for it in Anthropic's words, or by OpenAI's `reasoning_effort`; nil where it cannot be had.
    private func thinking(_ prompt: MessagesPrompt) -> JSONValue? {
        guard !prompt.lacksThinking else { return nil }
        if let asked = parameter("thinking"), var members = asked.objectValue {
            guard let thinking = AnthropicThinking(asked) else { return asked["type"] == "disabled" ? nil : asked }
            guard thinking.budget != nil else { return asked }
            guard let budget = thinking.budget(within: outputTokensMax) else { return nil }
            members["budget_tokens"] = .integer(Int64(budget))
            return .object(members)
        }
        guard let thinking = AnthropicThinking(effort: parameter("reasoning_effort")),
            let budget = thinking.budget(within: outputTokensMax)
        else { return nil }
        return ["type": "enabled", "budget_tokens": .integer(Int64(budget))]
    }

    /// A schema of the answer in OpenAI's words, and Anthropic's effort.
    private var outputConfiguration: JSONValue? {
        var object = JSONObject()
        object["effort"] = parameter(AnthropicMembers.effort)
        if let format = parameter("response_format"), format["type"] == "json_schema", let schema = format["json_schema"]?["schema"] {
            object["format"] = ["type": "json_schema", "schema": schema]
        }
        return object.isEmpty ? nil : .object(object)
    }
}
