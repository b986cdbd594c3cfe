internal import JSON

/// Tools and parameters of a response, translated into those of a chat completion, which is what upstreams take.
struct ResponseSettings: Sendable {
    let tools: JSONValue?
    let parameters: JSONObject

    static let known: Set<String> = [
        "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "text", "reasoning", "service_tier", "user",
        "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    ]

    /// Handed through as they are: names of requests and ends for the upstream's own records.
    private static let texts = ["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"]

    init(_ fields: FieldReader) throws(HTTPFailure) {
        tools = try Self.tools(fields)
        var parameters = JSONObject()
        for (key, most) in [("temperature", 2.0), ("top_p", 1.0)] where try fields.number(key, in: 0...most) != nil {
            parameters[key] = fields.value(key)
        }
        for key in Self.texts {
            if let text = try fields.string(key, bytesMax: 512) { parameters[key] = .string(text) }
        }
        if let tier = fields.value("service_tier") {
            guard ["auto", "default", "flex"].contains(tier) else {
                throw fields.failure("service_tier", "may only be auto, default or flex: others have another price")
            }
            parameters["service_tier"] = tier
        }
        try Self.add(text: fields, to: &parameters)
        try Self.add(reasoning: fields, to: &parameters)
        let choice = try Self.toolChoice(fields)
        let inParallel = try fields.flag("parallel_tool_calls")
        // Upstreams refuse both beside no tools; SDKs send them all the same.
        if tools != nil || fields.value("server_tools") != nil {
            if let choice { parameters["tool_choice"] = choice }
            if let inParallel { parameters["parallel_tool_calls"] = .bool(inParallel) }
        }
        self.parameters = parameters
    }

    /// - Returns: nil for none.
    private static func tools(_ fields: FieldReader) throws(HTTPFailure) -> JSONValue? {
        guard let value = fields.value("tools") else { return nil }
        guard let list = value.arrayValue else { throw fields.failure("tools", "must be an array") }
        var tools: [JSONValue] = []
        for (index, element) in list.enumerated() {
            let tool = try FieldReader(element, prefix: "tools[\(index)].")
            guard tool.value("type") == "function" else {
                throw tool.failure("type", "must be function: tools that the upstream runs itself are not metered here")
            }
            guard let name = try tool.string("name", bytesMax: 256), !name.isEmpty else { throw tool.failure("name", "is needed") }
            var function = JSONObject([("name", .string(name))])
            for key in ["description", "parameters", "strict"] {
                if let member = tool.value(key) { function[key] = member }
            }
            tools.append(["type": "function", "function": .object(function)])
        }
        return tools.isEmpty ? nil : .array(tools)
    }

    private static func toolChoice(_ fields: FieldReader) throws(HTTPFailure) -> JSONValue? {
        switch fields.value("tool_choice") {
        case nil: return nil
        case .string(let word) where ["none", "auto", "required"].contains(word): return .string(word)
        case .object(let object) where object["type"] == "function":
            guard let name = object["name"]?.stringValue else { break }
            return ["type": "function", "function": ["name": .string(name)]]
        default: break
        }
        throw fields.failure("tool_choice", "must be none, auto, required or {type: function, name}")
    }

    private static func add(text fields: FieldReader, to parameters: inout JSONObject) throws(HTTPFailure) {
        guard let value = fields.value("text") else { return }
        let text = try FieldReader(value, prefix: "text.")
        if let verbosity = try text.string("verbosity", bytesMax: 16) { parameters["verbosity"] = .string(verbosity) }
        guard let form = text.value("format") else { return }
        let format = try FieldReader(form, prefix: "text.format.")
        switch format.value("type")?.stringValue {
        case "text": return
        case "json_object": parameters["response_format"] = ["type": "json_object"]
        case "json_schema":
            var schema = JSONObject()
            for key in ["name", "description", "schema", "strict"] {
                if let member = format.value(key) { schema[key] = member }
            }
            parameters["response_format"] = ["type": "json_schema", "json_schema": .object(schema)]
        default: throw format.failure("type", "must be text, json_object or json_schema")
        }
    }

    private static func add(reasoning fields: FieldReader, to parameters: inout JSONObject) throws(HTTPFailure) {
        guard let value = fields.value("reasoning") else { return }
        let reasoning = try FieldReader(value, prefix: "reasoning.")
        if let effort = try reasoning.string("effort", bytesMax: 16) { parameters["reasoning_effort"] = .string(effort) }
        if let mode = reasoning.value("mode"), mode != "standard" {
            throw reasoning.failure("mode", "may only be standard: others have another price")
        }
    }
}
