import Engine
import JSON
import Testing

@testable import EngineProviders

@Suite("The bound of a prompt (metering.md §5): a token is at least a byte, whatever the template writes")
struct PromptBoundTests {
    /// Chat templates of models that are in use. With every token a single byte, the worst vocabulary that a byte-level
    /// tokeniser can have, their bytes are their tokens; a marker, which is one token, is written as one byte, `|`.
    static let templates: [@Sendable (ModelRequest) -> String] = [chatML, llama3, mistral, harmony, qwenTools, llama31Tools]

    private static func chatML(_ request: ModelRequest) -> String {
        request.messages.map { "|\($0.role)\n\($0.text)|\n" }.joined() + "|assistant\n"
    }

    private static func llama3(_ request: ModelRequest) -> String {
        request.messages.map { "|\($0.role)|\n\n\($0.text)|" }.joined()
            + "||system|\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n||assistant|\n\n"
    }

    private static func mistral(_ request: ModelRequest) -> String {
        "|" + request.messages.map { "[INST] \($0.text)[/INST]|" }.joined()
    }

    private static func harmony(_ request: ModelRequest) -> String {
        "|system|You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\nCurrent date: 2025-06-28\n\n"
            + "Reasoning: high\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message.|"
            + request.messages.map { "|\($0.role)|final|\($0.text)|" }.joined() + "|assistant"
    }

    private static func tools(_ request: ModelRequest, _ write: (JSONValue) -> String) -> String {
        (request.tools?.arrayValue ?? []).map(write).joined(separator: "\n")
    }

    private static func qwenTools(_ request: ModelRequest) -> String {
        guard request.tools != nil else { return "" }
        return "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures "
            + "within <tools></tools> XML tags:\n<tools>\n" + tools(request) { $0.jsonText }
            + "\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> "
            + "XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>" + chatML(request)
    }

    private static func llama31Tools(_ request: ModelRequest) -> String {
        guard request.tools != nil else { return "" }
        return "Environment: ipython\nGiven the following functions, please respond with a JSON for a function call with its proper "
            + "arguments that best answers the given prompt.\n\nRespond in the format {\"name\": function name, \"parameters\": dictionary "
            + "of argument name and its value}. Do not use variables.\n\n" + tools(request) { indented($0, 0) + "\n\n" } + llama3(request)
    }

    /// Python's `json.dumps(value, indent=4)`, with its escapes.
    private static func indented(_ value: JSONValue, _ depth: Int) -> String {
        let pad = String(repeating: "    ", count: depth + 1)
        let end = "\n" + String(repeating: "    ", count: depth)
        switch value {
        case .string(let text): return quoted(text)
        case .array(let elements):
            return "[\n" + elements.map { pad + indented($0, depth + 1) }.joined(separator: ",\n") + end + "]"
        case .object(let object):
            return "{\n" + object.members.map { pad + quoted($0.key) + ": " + indented($0.value, depth + 1) }.joined(separator: ",\n") + end
                + "}"
        default: return value.jsonText
        }
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case " "..."~": String(scalar)
            default: String(scalar).utf16.map { "\\u" + String(Int($0) + 0x1_0000, radix: 16).dropFirst() }.joined()
            }
        }
        return "\"" + escaped.joined() + "\""
    }

    /// What makes tokenisers and templates waste the most.
    private static let pieces = [
        "a", " ", "\n", "\t", "\u{0}", "\"", "\\", "<", "&", "'", "é", "ß", "中", "の", "한", "\u{200D}", "👩‍👩‍👧‍👦", "𝔘", "\u{FDFA}", "ﷺ",
        "<|im_start|>", "<|endoftext|>", "0123456789", "aGVsbG8gd29ybGQ=", "{\"a\":[1,2]}", "\u{1F1E9}\u{1F1EA}", "e\u{301}\u{302}",
    ]

    private static func text(_ generator: inout SeededGenerator) -> String {
        (0..<Int.random(in: 0...60, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
    }

    private static func value(_ generator: inout SeededGenerator, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 4 ? 3 : 5), using: &generator) {
        case 0: return .string(text(&generator))
        case 1: return .integer(Int64.random(in: Int64.min...Int64.max, using: &generator))
        case 2: return true
        case 3: return .array((0..<3).map { _ in value(&generator, depth: depth + 1) })
        default: return .object(JSONObject((0..<3).map { ("k\($0)" + text(&generator), value(&generator, depth: depth + 1)) }))
        }
    }

    @Test("no template of any prompt has more bytes than the bound has tokens (property)")
    func bound() async {
        await forSeeds(0..<300) { seed, generator in
            let roles = ["system", "user", "assistant", "tool", "developer"]
            let messages = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
                ModelMessage(role: roles.randomElement(using: &generator) ?? "user", text: Self.text(&generator))
            }
            var request = ModelRequest(model: "m", messages: messages)
            if generator.chance(50) {
                request.tools = .array((0..<2).map { _ in Self.value(&generator, depth: 0) })
            }
            let bound = PromptBound(request, overhead: 320).tokens
            for (number, template) in Self.templates.enumerated() {
                #expect(template(request).utf8.count <= bound, "seed \(seed), template \(number)")
            }
        }
    }

    @Test("every part of a request counts: names, tool calls, parts, images, parameters")
    func parts() {
        func bound(_ message: ModelMessage, tools: JSONValue? = nil, parameters: JSONObject = JSONObject()) -> Int {
            PromptBound(ModelRequest(model: "m", messages: [message], tools: tools, parameters: parameters), overhead: 0).tokens
        }
        let plain = ModelMessage(role: "user", text: "hello")
        #expect(bound(plain) == 16 + 4 + 5)
        let parts: JSONValue = [["type": "text", "text": "hello"], ["type": "image_url", "image_url": ["url": "x"]]]
        #expect(bound(ModelMessage(role: "user", content: parts)) >= 48_169 + 5)
        let call: JSONValue = [["id": "c", "function": ["name": "f", "arguments": "{\"a\":\"é\"}"]]]
        let calling = ModelMessage(role: "assistant", content: .null, extra: JSONObject([("tool_calls", call)]))
        #expect(bound(calling) >= PromptBound.perTool + call.jsonText.utf8.count)
        let named = ModelMessage(role: "user", content: "hello", extra: JSONObject([("name", "ann")]))
        #expect(bound(named) >= bound(plain) + 3)
        let schema = JSONObject([("response_format", ["type": "json_schema"])])
        #expect(bound(plain, parameters: schema) > bound(plain) + 20)
        #expect(bound(plain, tools: [["type": "function"]]) > bound(plain) + 512)
    }
}
