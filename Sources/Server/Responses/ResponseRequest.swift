internal import Engine
internal import JSON

/// The body of `POST /v1/responses`, checked, as the prompt that it stands for.
///
/// Every member has a meaning here or is refused: what one API calls a parameter, the upstream's may not know at all, and what
/// would be billed by another rule than tokens cannot be bounded.
///
/// Source: OpenAI API reference, *Create a model response*.
struct ResponseRequest: Sendable {
    let prompt: WholePrompt
    let streams: Bool
    /// What the answer repeats of the request.
    let echo: ResponseEcho

    init(_ body: JSONValue) throws(HTTPFailure) {
        let fields = try FieldReader(body)
        guard let model = try fields.string("model", bytesMax: RequestLimits.modelBytesMax), !model.isEmpty else {
            throw fields.failure("model", "is needed")
        }
        try Self.refuse(fields)
        let instructions = try fields.string("instructions", bytesMax: RequestLimits.textBytesMax)
        let settings = try ResponseSettings(fields)
        var prompt = WholePrompt(model: model, messages: try ResponseInput.messages(fields, instructions: instructions))
        prompt.outputTokensMax = try fields.integer("max_output_tokens", in: 1...RequestLimits.outputTokensMax).map(Int.init)
        prompt.tools = settings.tools
        prompt.parameters = settings.parameters
        prompt.onDisconnect = try fields.disconnectPolicy()
        prompt.mayLowerOutput = try fields.flag("lower_max_tokens") ?? false
        prompt.serverTools = try fields.serverTools()
        prompt.onDeny = try fields.denyPolicy()
        prompt.hints = try TenantHints(
            tenant: fields.string("tenant", bytesMax: 256), project: fields.string("project", bytesMax: 256))
        self.prompt = prompt
        streams = try fields.flag("stream") ?? false
        echo = ResponseEcho(fields)
    }

    /// Members that are read; `null` is as good as absent for any other.
    private static let known: Set<String> = [
        "model", "input", "instructions", "max_output_tokens", "stream", "stream_options", "store", "metadata", "include", "truncation",
        "background", "top_logprobs", "tenant", "project", "on_disconnect", "lower_max_tokens", "server_tools", "on_deny",
    ]

    private static func refuse(_ fields: FieldReader) throws(HTTPFailure) {
        for key in ["previous_response_id", "conversation"] where fields.value(key) != nil {
            throw fields.failure(key, "cannot be used: responses are not stored here; send the whole input")
        }
        for member in fields.object.members where member.value != .null {
            guard !known.contains(member.key), !ResponseSettings.known.contains(member.key) else { continue }
            throw fields.failure(String(member.key.prefix(64)), "is not supported here")
        }
        if try fields.flag("background") == true { throw fields.failure("background", "may only be false") }
        if let most = try fields.integer("top_logprobs", in: 0...20), most > 0 { throw fields.failure("top_logprobs", "may only be 0") }
        _ = try fields.flag("store")
        if let way = try fields.string("truncation", bytesMax: 16), way != "auto", way != "disabled" {
            throw fields.failure("truncation", "must be auto or disabled")
        }
        if let list = fields.value("include") {
            guard let names = list.arrayValue, names.count <= 16, names.allSatisfy({ $0.stringValue != nil }) else {
                throw fields.failure("include", "must be an array of at most 16 texts")
            }
            guard !names.contains("message.output_text.logprobs") else {
                throw fields.failure("include", "cannot ask for logprobs")
            }
        }
        if let options = fields.value("stream_options") {
            _ = try FieldReader(options, prefix: "stream_options.").flag("include_obfuscation")
        }
        try checkMetadata(fields)
    }

    /// OpenAI's own limits: it is repeated in the answer and goes nowhere else.
    private static func checkMetadata(_ fields: FieldReader) throws(HTTPFailure) {
        guard let metadata = fields.value("metadata") else { return }
        let isFit = metadata.objectValue.map { object in
            object.count <= 16
                && object.members.allSatisfy { $0.key.utf8.count <= 256 && ($0.value.stringValue?.utf8.count).map { $0 <= 2_048 } ?? false }
        }
        guard isFit == true else { throw fields.failure("metadata", "must be an object of at most 16 texts of at most 2048 bytes") }
    }
}

/// The members of a response that repeat what was asked for.
struct ResponseEcho: Sendable, Hashable {
    let members: JSONObject

    /// Of a response of which the request is no longer known.
    init() { members = Self.members { _ in nil } }

    init(_ fields: FieldReader) { members = Self.members(fields.value) }

    private static func members(_ value: (String) -> JSONValue?) -> JSONObject {
        let reasoning = value("reasoning")
        return JSONObject([
            ("background", false), ("instructions", value("instructions") ?? .null),
            ("max_output_tokens", value("max_output_tokens") ?? .null), ("max_tool_calls", .null),
            ("metadata", value("metadata") ?? .object(JSONObject())),
            ("parallel_tool_calls", value("parallel_tool_calls") ?? true), ("previous_response_id", .null),
            ("reasoning", ["effort": reasoning?["effort"] ?? .null, "summary": reasoning?["summary"] ?? .null]),
            // Said whatever was asked for: nothing is kept here beyond the run, and no prompt is shortened.
            ("store", false), ("truncation", "disabled"),
            ("temperature", value("temperature") ?? .null), ("text", text(value("text"))),
            ("tool_choice", value("tool_choice") ?? "auto"), ("tools", value("tools") ?? []), ("top_p", value("top_p") ?? .null),
            ("user", value("user") ?? .null),
        ])
    }

    private static func text(_ value: JSONValue?) -> JSONValue {
        var members = value?.objectValue ?? JSONObject()
        if members["format"] ?? .null == .null { members["format"] = ["type": "text"] }
        return .object(members)
    }
}
