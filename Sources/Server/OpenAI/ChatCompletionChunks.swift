internal import JSON

/// Writes the chunks of one streamed chat completion in OpenAI's dialect, as `data:` lines.
///
/// A value that one response task holds. Source: OpenAI API reference, *Chat Completions, streaming*; the order of a cut is
/// the contract's: last content, empty delta with `finish_reason` and `x_cut`, usage, error, `[DONE]` — because SDKs stop
/// reading at an error, and take a plain end of stream for success.
struct ChatCompletionChunks: Sendable {
    let id: String
    let created: Int64
    let model: String
    /// The client asked for usage: other chunks carry `usage: null`, the last one the numbers.
    let includesUsage: Bool

    static let done = Array("data: [DONE]\n\n".utf8)

    /// The first chunk, which names the role.
    func opening() -> [UInt8] {
        chunk { writer in
            writer.member("role", "assistant")
            writer.member("content", "")
        }
    }

    func content(_ text: String) -> [UInt8] {
        chunk { $0.member("content", text) }
    }

    /// Hidden reasoning that the model shows, under the name that compatible servers use.
    func reasoning(_ text: String) -> [UInt8] {
        chunk { $0.member("reasoning_content", text) }
    }

    /// A piece of a tool call, handed through as the model sent it.
    func toolCall(_ call: JSONValue) -> [UInt8] {
        chunk { $0.member("tool_calls", [call]) }
    }

    func finish(reason: String, cut: JSONValue? = nil) -> [UInt8] {
        chunk(finish: reason, cut: cut) { _ in }
    }

    func usage(input: Int, cachedInput: Int, output: Int, reasoning: Int) -> [UInt8] {
        event { writer in
            writer.key("choices")
            writer.beginArray()
            writer.endArray()
            writer.member("usage", Self.usage(input: input, cachedInput: cachedInput, output: output, reasoning: reasoning))
        }
    }

    func error(_ object: JSONValue) -> [UInt8] {
        Array("data: ".utf8) + object.jsonBytes + Array("\n\n".utf8)
    }

    static func usage(input: Int, cachedInput: Int, output: Int, reasoning: Int) -> JSONValue {
        [
            "prompt_tokens": .integer(Int64(input)), "completion_tokens": .integer(Int64(output)),
            "total_tokens": .integer(Int64(input + output)),
            "prompt_tokens_details": ["cached_tokens": .integer(Int64(cachedInput))],
            "completion_tokens_details": ["reasoning_tokens": .integer(Int64(reasoning))],
        ]
    }

    private func chunk(finish: String? = nil, cut: JSONValue? = nil, delta: (inout JSONWriter) -> Void) -> [UInt8] {
        event { writer in
            writer.key("choices")
            writer.beginArray()
            writer.beginObject()
            writer.member("index", 0)
            writer.key("delta")
            writer.beginObject()
            delta(&writer)
            writer.endObject()
            writer.member("finish_reason", finish.map { .string($0) } ?? .null)
            writer.endObject()
            writer.endArray()
            if let cut { writer.member("x_cut", cut) }
            if includesUsage { writer.member("usage", .null) }
        }
    }

    private func event(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("id", id)
        writer.member("object", "chat.completion.chunk")
        writer.member("created", created)
        writer.member("model", model)
        body(&writer)
        writer.endObject()
        return Array("data: ".utf8) + writer.bytes + Array("\n\n".utf8)
    }
}
