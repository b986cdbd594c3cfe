internal import Engine
internal import EngineProviders
internal import JSON

/// Reads `system` and `messages` of the Messages dialect into messages that every upstream can be sent.
///
/// A result of a tool becomes a message of its own; calls become `tool_calls`; thinking blocks stay as they are beside the message,
/// for an upstream that knows them.
enum MessagesInput {
    static func messages(_ fields: FieldReader) throws(HTTPFailure) -> [ModelMessage] {
        guard let list = fields.value("messages")?.arrayValue, !list.isEmpty, list.count <= RequestLimits.messagesMax else {
            throw fields.failure("messages", "must be an array of 1 to \(RequestLimits.messagesMax) messages")
        }
        var messages: [ModelMessage] = []
        if let system = fields.value("system") {
            messages.append(ModelMessage(role: "system", content: try texts(system, fields, "system")))
        }
        for (index, element) in list.enumerated() {
            let message = try FieldReader(element, prefix: "messages[\(index)].")
            switch try message.string("role", bytesMax: 32) {
            case "user": try addUser(message, to: &messages)
            case "assistant": try addAssistant(message, to: &messages)
            case "system":
                messages.append(ModelMessage(role: "system", content: try texts(message.value("content") ?? .null, message, "content")))
            default: throw message.failure("role", "must be user, assistant or system")
            }
        }
        return messages
    }

    private static func addUser(_ message: FieldReader, to messages: inout [ModelMessage]) throws(HTTPFailure) {
        guard let blocks = message.value("content")?.arrayValue else {
            messages.append(ModelMessage(role: "user", content: try texts(message.value("content") ?? .null, message, "content")))
            return
        }
        var parts: [JSONValue] = []
        for (index, value) in blocks.enumerated() {
            let block = try FieldReader(value, prefix: "\(message.prefix)content[\(index)].")
            switch block.value("type") {
            case "text": parts.append(try part(block))
            case "tool_result": messages.append(try result(block))
            // Images and documents are billed by rules that a token counter cannot bound.
            default: throw block.failure("type", "may only be text or tool_result")
            }
        }
        if !parts.isEmpty { messages.append(ModelMessage(role: "user", content: plain(parts))) }
    }

    private static func result(_ block: FieldReader) throws(HTTPFailure) -> ModelMessage {
        guard let id = try block.string("tool_use_id", bytesMax: 256) else { throw block.failure("tool_use_id", "is needed") }
        var extra = JSONObject([("tool_call_id", .string(id))])
        if try block.flag("is_error") ?? false { extra[AnthropicMembers.isError] = true }
        extra[AnthropicMembers.cacheControl] = try block.cacheControl()
        let content = try block.value("content").map { value throws(HTTPFailure) in try texts(value, block, "content") }
        return ModelMessage(role: "tool", content: content ?? "", extra: extra)
    }

    private static func addAssistant(_ message: FieldReader, to messages: inout [ModelMessage]) throws(HTTPFailure) {
        guard let blocks = message.value("content")?.arrayValue else {
            messages.append(ModelMessage(role: "assistant", content: try texts(message.value("content") ?? .null, message, "content")))
            return
        }
        var (parts, calls, thoughts): ([JSONValue], [JSONValue], [JSONValue]) = ([], [], [])
        for (index, value) in blocks.enumerated() {
            let block = try FieldReader(value, prefix: "\(message.prefix)content[\(index)].")
            switch block.value("type") {
            case "text": parts.append(try part(block))
            case "tool_use": calls.append(try call(block))
            // Only what its author has sealed is taken back, and of several rounds what the answer began with.
            case "thinking":
                let isSigned = !(block.value("signature")?.stringValue ?? "").isEmpty
                if isSigned, parts.isEmpty, calls.isEmpty { thoughts.append(value) }
            case "redacted_thinking": if parts.isEmpty, calls.isEmpty { thoughts.append(value) }
            default: throw block.failure("type", "may only be text, tool_use, thinking or redacted_thinking")
            }
        }
        var extra = JSONObject()
        if !calls.isEmpty { extra["tool_calls"] = .array(calls) }
        if !thoughts.isEmpty { extra[AnthropicMembers.thinking] = .array(thoughts) }
        messages.append(ModelMessage(role: "assistant", content: parts.isEmpty ? calls.isEmpty ? "" : .null : plain(parts), extra: extra))
    }

    private static func call(_ block: FieldReader) throws(HTTPFailure) -> JSONValue {
        guard let id = try block.string("id", bytesMax: 256), let name = try block.string("name", bytesMax: 128) else {
            throw block.failure("id", "and name are needed")
        }
        let input = block.value("input") ?? .object(JSONObject())
        return ["id": .string(id), "type": "function", "function": ["name": .string(name), "arguments": .string(input.jsonText)]]
    }

    /// A string, or text blocks.
    private static func texts(_ value: JSONValue, _ fields: FieldReader, _ key: String) throws(HTTPFailure) -> JSONValue {
        if value.stringValue != nil { return value }
        guard let blocks = value.arrayValue else { throw fields.failure(key, "must be a string or an array of text blocks") }
        var parts: [JSONValue] = []
        for (index, value) in blocks.enumerated() {
            let block = try FieldReader(value, prefix: "\(fields.prefix)\(key)[\(index)].")
            guard block.value("type") == "text" else { throw block.failure("type", "may only be text") }
            parts.append(try part(block))
        }
        return parts.isEmpty ? "" : plain(parts)
    }

    private static func part(_ block: FieldReader) throws(HTTPFailure) -> JSONValue {
        guard let text = block.value("text")?.stringValue else { throw block.failure("text", "must be a string") }
        var part = JSONObject([("type", "text"), ("text", .string(text))])
        part[AnthropicMembers.cacheControl] = try block.cacheControl()
        return .object(part)
    }

    /// One text without a mark is sent as the string that every upstream takes.
    private static func plain(_ parts: [JSONValue]) -> JSONValue {
        guard parts.count == 1, parts[0].objectValue?.count == 2, let text = parts[0]["text"] else { return .array(parts) }
        return text
    }
}
