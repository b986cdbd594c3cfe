internal import Engine
internal import JSON

/// The messages of a request as Anthropic takes them. Pure.
///
/// There the system text stands apart, roles take turns, and tools are called and answered by content blocks: whatever follows
/// itself in one role becomes one message, and results stand before text. Empty texts, which are refused, are left out.
///
/// Source: Anthropic API reference, *Create a message*, `messages` and `system`.
struct MessagesPrompt: Sendable {
    private(set) var system: [JSONValue] = []
    private(set) var messages: [(role: String, blocks: [JSONValue])] = []
    private let names: FunctionNames

    init(_ request: ModelRequest, _ names: FunctionNames) {
        self.names = names
        for message in request.messages { add(message) }
        for index in messages.indices where messages[index].role == "user" {
            let results = messages[index].blocks.filter(Self.isResult)
            if !results.isEmpty { messages[index].blocks = results + messages[index].blocks.filter { !Self.isResult($0) } }
        }
    }

    var json: JSONValue {
        .array(messages.map { ["role": .string($0.role), "content": Self.content($0.blocks)] })
    }

    /// Nil when there is none.
    var systemJSON: JSONValue? { system.isEmpty ? nil : Self.content(system) }

    /// Whether a call of tools that is being answered here lacks the thinking that led to it. With thinking asked for, such a
    /// request is refused; it is answered without.
    var lacksThinking: Bool {
        guard let call = messages.last(where: { $0.role == "assistant" }), messages.last?.blocks.contains(where: Self.isResult) ?? false
        else { return false }
        let type = call.blocks.first?["type"]?.stringValue
        return type != "thinking" && type != "redacted_thinking"
    }

    private mutating func add(_ message: ModelMessage) {
        switch message.role {
        case "system", "developer": system += Self.texts(message.content)
        case "assistant": append("assistant", thinking(message) + Self.texts(message.content) + calls(message))
        case "tool", "function": append("user", [result(message)])
        default: append("user", Self.texts(message.content))
        }
    }

    private mutating func append(_ role: String, _ blocks: [JSONValue]) {
        guard !blocks.isEmpty else { return }
        if messages.last?.role == role {
            messages[messages.count - 1].blocks += blocks
        } else {
            messages.append((role, blocks))
        }
    }

    /// Nothing else is let through: what a client writes there may be any block, and not every block's price is bounded by its bytes.
    private func thinking(_ message: ModelMessage) -> [JSONValue] {
        (message.extra[AnthropicMembers.thinking]?.arrayValue ?? []).compactMap { block in
            if block["type"] == "thinking", let thinking = block["thinking"]?.stringValue, let signature = block["signature"]?.stringValue {
                return ["type": "thinking", "thinking": .string(thinking), "signature": .string(signature)]
            }
            guard block["type"] == "redacted_thinking", let data = block["data"]?.stringValue else { return nil }
            return ["type": "redacted_thinking", "data": .string(data)]
        }
    }

    private func calls(_ message: ModelMessage) -> [JSONValue] {
        (message.extra["tool_calls"]?.arrayValue ?? []).map { call in
            let function = names.upstream(call)["function"]
            let arguments = function?["arguments"]?.stringValue ?? ""
            let input = (try? JSONValue(parsing: arguments)).flatMap { $0.objectValue == nil ? nil : $0 }
            return [
                "type": "tool_use", "id": .string(Self.id(call["id"])), "name": function?["name"] ?? "",
                "input": input ?? .object(JSONObject()),
            ]
        }
    }

    private func result(_ message: ModelMessage) -> JSONValue {
        var block = JSONObject([("type", "tool_result"), ("tool_use_id", .string(Self.id(message.extra["tool_call_id"])))])
        let texts = Self.texts(message.content)
        if !texts.isEmpty { block["content"] = Self.content(texts) }
        if message.extra[AnthropicMembers.isError] == true { block["is_error"] = true }
        if let control = message.extra[AnthropicMembers.cacheControl] { block["cache_control"] = Self.cacheControl(control) }
        return .object(block)
    }

    private static func isResult(_ block: JSONValue) -> Bool { block["type"] == "tool_result" }

    /// A plain text is sent as such, which is how most prompts begin.
    private static func content(_ blocks: [JSONValue]) -> JSONValue {
        guard blocks.count == 1, let text = blocks[0]["text"], blocks[0].objectValue?.count == 2 else { return .array(blocks) }
        return text
    }

    /// The text blocks of a content; what is neither text nor empty is told as the JSON that it is.
    private static func texts(_ content: JSONValue) -> [JSONValue] {
        switch content {
        case .null: return []
        case .string(let text): return block(text).map { [.object($0)] } ?? []
        case .array(let parts):
            return parts.compactMap { part in
                guard var block = block(part["text"]?.stringValue ?? part.jsonText) else { return nil }
                if let control = part[AnthropicMembers.cacheControl] ?? part["cache_control"] {
                    block["cache_control"] = cacheControl(control)
                }
                return .object(block)
            }
        default: return block(content.jsonText).map { [.object($0)] } ?? []
        }
    }

    private static func block(_ text: String) -> JSONObject? {
        // A text of white space alone is refused like an empty one.
        guard text.contains(where: { !$0.isWhitespace }) else { return nil }
        return JSONObject([("type", "text"), ("text", .string(text))])
    }

    /// A breakpoint of five minutes: one of an hour has another price than the class of cache writes.
    static func cacheControl(_ value: JSONValue) -> JSONValue? { value.objectValue == nil ? nil : ["type": "ephemeral"] }

    /// Other upstreams' ids may have characters that are refused here; the same id becomes the same one in call and result.
    private static func id(_ value: JSONValue?) -> String {
        let text = value?.stringValue ?? ""
        let safe = text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") ? $0 : "_" }
        return safe.isEmpty ? "call" : String(safe)
    }
}
