internal import Engine
internal import JSON

/// The most tokens that a prompt can have, proven from its bytes (docs/accounting.md, *The bound of a prompt*).
///
/// A byte-level tokeniser makes at most one token of each byte, so it is enough to bound the bytes of what the model is shown:
/// every text of the request, once, and what a chat template writes around it. Pure.
struct PromptBound: Sendable {
    /// What a template writes before and after a message: markers, line breaks, a separator between content parts.
    static let perMessage = 16
    /// What a template writes around one tool, and around one tool call.
    static let perTool = 128
    /// What a template writes to explain tools as such; the longest that are known, Qwen's and Llama 3.1's, have under 500 bytes.
    static let toolPreamble = 512
    /// The most that one image is known to cost: 2,833 and 8 tiles of 5,667 (OpenAI's vision guide, gpt-4o-mini).
    static let perImage = 48_169

    private(set) var tokens: Int

    /// - Parameter overhead: what the template adds to every prompt: a system text of its own, a date.
    init(_ request: ModelRequest, overhead: Int) {
        tokens = overhead
        for message in request.messages { add(message) }
        if let tools = request.tools?.arrayValue, !tools.isEmpty {
            tokens += Self.toolPreamble
            for tool in tools { tokens += Self.perTool + Self.rendered(tool) }
        }
        // What is handed through unread may end up in the prompt: a schema, a predicted text.
        for member in request.parameters.members { tokens += member.key.utf8.count + Self.rendered(member.value) }
    }

    private mutating func add(_ message: ModelMessage) {
        tokens += Self.perMessage + message.role.utf8.count
        switch message.content {
        case .null: break
        case .string(let text): tokens += text.utf8.count
        case .array(let parts): for part in parts { add(part: part) }
        default: tokens += Self.rendered(message.content)
        }
        for member in message.extra.members {
            let calls = member.value.arrayValue?.count ?? 0
            tokens += Self.perMessage + member.key.utf8.count + Self.perTool * calls + Self.rendered(member.value)
        }
    }

    private mutating func add(part: JSONValue) {
        tokens += Self.perMessage
        switch part["type"]?.stringValue {
        case "text": tokens += part["text"]?.stringValue?.utf8.count ?? Self.rendered(part)
        case "image_url": tokens += Self.perImage
        default: tokens += Self.rendered(part)
        }
    }

    /// The bytes of a value as the most wasteful template writes it: a member a line, indented by four, and escaped. A string by
    /// itself may also be written as it is, which is never longer.
    static func rendered(_ value: JSONValue, depth: Int = 0) -> Int {
        switch value {
        case .string(let text): 2 + escaped(text)
        case .array(let elements):
            elements.reduce(brackets(depth)) { $0 + line(depth + 1) + rendered($1, depth: depth + 1) }
        case .object(let object):
            object.members.reduce(brackets(depth)) {
                $0 + line(depth + 1) + 2 + escaped($1.key) + 2 + rendered($1.value, depth: depth + 1)
            }
        default: value.jsonText.utf8.count
        }
    }

    /// A line break, the indent and a comma.
    private static func line(_ depth: Int) -> Int { 2 + 4 * depth }
    private static func brackets(_ depth: Int) -> Int { 2 + line(depth) }

    /// Python's `json.dumps` writes what is not ASCII as `\uXXXX`, and what is beyond 16 bits as two of them; HTML-safe writers
    /// do the same to `<`, `>`, `&` and `'`.
    private static func escaped(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { bytes, scalar in
            switch scalar {
            case "\"", "\\", "/": bytes + 2
            case "<", ">", "&", "'": bytes + 6
            default:
                switch scalar.value {
                case 0x20..<0x7F: bytes + 1
                case 0x1_0000...: bytes + 12
                default: bytes + 6
                }
            }
        }
    }
}
