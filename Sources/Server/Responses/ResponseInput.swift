internal import Engine
internal import JSON

/// Turns the `input` of a response into the messages of a prompt. Pure.
///
/// A response's calls and their outputs are items of their own; in a prompt the calls belong to the assistant's message before
/// them. Reasoning is left out: no upstream that is asked by messages takes it back.
struct ResponseInput: Sendable {
    private var messages: [ModelMessage] = []
    /// Whether the last message is the model's and may still get calls.
    private var takesCalls = false

    static func messages(_ fields: FieldReader, instructions: String?) throws(HTTPFailure) -> [ModelMessage] {
        var input = ResponseInput()
        switch fields.value("input") {
        case .string(let text) where !text.isEmpty: input.messages.append(ModelMessage(role: "user", text: text))
        case .array(let items) where !items.isEmpty && items.count <= RequestLimits.messagesMax:
            for (index, item) in items.enumerated() { try input.add(FieldReader(item, prefix: "input[\(index)].")) }
            guard !input.messages.isEmpty else { throw fields.failure("input", "has nothing that a model could read") }
        default: throw fields.failure("input", "must be a text or an array of 1 to \(RequestLimits.messagesMax) items")
        }
        guard let instructions, !instructions.isEmpty else { return input.messages }
        return [ModelMessage(role: "system", text: instructions)] + input.messages
    }

    private mutating func add(_ item: FieldReader) throws(HTTPFailure) {
        switch try item.string("type", bytesMax: 64) ?? "message" {
        case "message": try add(message: item)
        case "function_call": try add(call: item)
        case "function_call_output": try add(output: item)
        case "reasoning": break
        case "item_reference":
            throw item.failure("type", "cannot be item_reference: nothing is stored here; send the items (SDKs: store false)")
        default: throw item.failure("type", "must be message, function_call, function_call_output or reasoning")
        }
    }

    private mutating func add(message item: FieldReader) throws(HTTPFailure) {
        guard let role = try item.string("role", bytesMax: 32), ["user", "assistant", "system", "developer"].contains(role) else {
            throw item.failure("role", "must be user, assistant, system or developer")
        }
        let texts = try Self.texts("content", in: item)
        let content: JSONValue =
            if texts.count == 1 || role == "assistant" {
                // What a model has said is one text, in however many pieces it came.
                .string(texts.joined())
            } else {
                .array(texts.map { ["type": "text", "text": .string($0)] })
            }
        messages.append(ModelMessage(role: role, content: content))
        takesCalls = role == "assistant"
    }

    private mutating func add(call item: FieldReader) throws(HTTPFailure) {
        guard let id = try item.string("call_id", bytesMax: 256), !id.isEmpty else { throw item.failure("call_id", "is needed") }
        guard let name = try item.string("name", bytesMax: 256), !name.isEmpty else { throw item.failure("name", "is needed") }
        guard let arguments = try item.string("arguments", bytesMax: RequestLimits.textBytesMax) else {
            throw item.failure("arguments", "is needed")
        }
        let call: JSONValue = [
            "id": .string(id), "type": "function", "function": ["name": .string(name), "arguments": .string(arguments)],
        ]
        if !takesCalls {
            messages.append(ModelMessage(role: "assistant", content: .null))
            takesCalls = true
        }
        let last = messages.count - 1
        if messages[last].content == "" { messages[last].content = .null }
        messages[last].extra["tool_calls"] = .array((messages[last].extra["tool_calls"]?.arrayValue ?? []) + [call])
    }

    private mutating func add(output item: FieldReader) throws(HTTPFailure) {
        guard let id = try item.string("call_id", bytesMax: 256), !id.isEmpty else { throw item.failure("call_id", "is needed") }
        let text = try Self.texts("output", in: item).joined(separator: "\n")
        messages.append(ModelMessage(role: "tool", content: .string(text), extra: JSONObject([("tool_call_id", .string(id))])))
        takesCalls = false
    }

    /// A text, or the parts of one. Images and files are billed by rules that a token counter cannot bound.
    private static func texts(_ key: String, in item: FieldReader) throws(HTTPFailure) -> [String] {
        switch item.value(key) {
        case .string(let text): return [text]
        case .array(let parts):
            var texts: [String] = []
            for part in parts {
                let type = part["type"]?.stringValue ?? ""
                let text = type == "refusal" ? part["refusal"] : part["text"]
                guard ["input_text", "output_text", "text", "refusal"].contains(type), let text = text?.stringValue else {
                    throw item.failure(key, "may only have parts of type input_text or output_text")
                }
                texts.append(text)
            }
            return texts
        default: throw item.failure(key, "must be a text or an array of text parts")
        }
    }
}
