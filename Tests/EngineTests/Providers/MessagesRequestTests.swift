import Engine
import JSON
import Testing

@testable import EngineProviders

@Suite("Request bodies in Anthropic's dialect (pure)")
struct MessagesRequestTests {
    private func body(
        _ messages: [ModelMessage], _ parameters: [(String, JSONValue)] = [], tools: JSONValue? = nil, most: Int? = nil,
        modelMost: Int? = nil
    ) throws -> JSONValue {
        var configuration = AnthropicProvider.Configuration(apiKey: nil, upstreamModel: "claude-x")
        configuration.outputTokensMax = modelMost
        let request = ModelRequest(
            model: "m", messages: messages, outputTokensMax: most, tools: tools, parameters: JSONObject(parameters))
        return try JSONValue(parsing: MessagesRequestBody(request, configuration, FunctionNames(tools)).encode())
    }

    private let hello = [ModelMessage(role: "user", text: "Hello")]
    private let tools: JSONValue = [
        ["type": "function", "function": ["name": "crm.lookup", "description": "d", "parameters": ["type": "object"]]]
    ]

    @Test("the smallest request, and where its limit comes from")
    func smallest() throws {
        #expect(
            try body(hello).jsonText
                == #"{"model":"claude-x","max_tokens":4096,"messages":[{"role":"user","content":"Hello"}],"stream":true}"#)
        #expect(try body(hello, most: 50)["max_tokens"] == 50)
        #expect(try body(hello, modelMost: 8_192)["max_tokens"] == 8_192)
        #expect(try body(hello, most: 9_000, modelMost: 8_192)["max_tokens"] == 8_192)
    }

    @Test("system stands apart, roles are merged, calls and their results become blocks, results first")
    func conversation() throws {
        let call: JSONValue = [["id": "call:1", "type": "function", "function": ["name": "crm.lookup", "arguments": "{\"id\":7}"]]]
        let messages = [
            ModelMessage(role: "system", text: "Be brief."), ModelMessage(role: "user", text: "A"), ModelMessage(role: "user", text: "B"),
            ModelMessage(role: "assistant", content: .null, extra: JSONObject([("tool_calls", call)])),
            ModelMessage(role: "user", text: "and"), ModelMessage(role: "developer", text: "Be kind."),
            ModelMessage(
                role: "tool", content: "no such", extra: JSONObject([("tool_call_id", "call:1"), (AnthropicMembers.isError, true)])),
            ModelMessage(role: "assistant", text: " "),
        ]
        let body = try body(messages, tools: tools)
        #expect(body["system"] == [["type": "text", "text": "Be brief."], ["type": "text", "text": "Be kind."]])
        #expect(
            body["messages"] == [
                ["role": "user", "content": [["type": "text", "text": "A"], ["type": "text", "text": "B"]]],
                ["role": "assistant", "content": [["type": "tool_use", "id": "call_1", "name": "crm-lookup", "input": ["id": 7]]]],
                [
                    "role": "user",
                    "content": [
                        ["type": "tool_result", "tool_use_id": "call_1", "content": "no such", "is_error": true],
                        ["type": "text", "text": "and"],
                    ],
                ],
            ])
        #expect(body["tools"] == [["name": "crm-lookup", "description": "d", "input_schema": ["type": "object"]]])
    }

    @Test("parameters in Anthropic's words; what it does not know is left out")
    func parameters() throws {
        let body = try body(
            hello,
            [
                ("temperature", .number("1.5")), ("top_p", .number("0.9")), ("top_k", 40), ("stop", "END"), ("seed", 1), ("n", 1),
                ("user", "u1"), ("logit_bias", ["1": 2]), ("presence_penalty", .null),
                ("response_format", ["type": "json_schema", "json_schema": ["name": "x", "schema": ["type": "object"]]]),
            ])
        #expect(
            body.jsonText
                == #"{"model":"claude-x","max_tokens":4096,"messages":[{"role":"user","content":"Hello"}],"stop_sequences":["END"],"#
                + #""temperature":1,"top_p":0.9,"top_k":40,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},"#
                + #""metadata":{"user_id":"u1"},"stream":true}"#)
        #expect(try self.body(hello, [("stop", [" ", "a"])])["stop_sequences"] == ["a"])
    }

    @Test("choices of tools")
    func choices() throws {
        func choice(_ parameters: [(String, JSONValue)]) throws -> JSONValue? { try body(hello, parameters, tools: tools)["tool_choice"] }
        #expect(try choice([]) == nil)
        #expect(try choice([("tool_choice", "auto")]) == ["type": "auto"])
        #expect(try choice([("tool_choice", "required")]) == ["type": "any"])
        #expect(try choice([("tool_choice", "none")]) == ["type": "none"])
        #expect(
            try choice([("tool_choice", ["type": "function", "function": ["name": "crm.lookup"]])]) == [
                "type": "tool", "name": "crm-lookup",
            ])
        #expect(try choice([("parallel_tool_calls", false)]) == ["type": "auto", "disable_parallel_tool_use": true])
        #expect(try body(hello, [("tool_choice", "required")])["tool_choice"] == nil, "without tools there is nothing to choose")
    }

    @Test("cache breakpoints reach Anthropic, of five minutes, and nobody else")
    func cache() throws {
        let part: JSONValue = ["type": "text", "text": "long", "x_anthropic_cache_control": ["type": "ephemeral", "ttl": "1h"]]
        var tool = tools.arrayValue?[0].objectValue ?? JSONObject()
        tool[AnthropicMembers.cacheControl] = ["type": "ephemeral"]
        let marked: JSONValue = [.object(tool)]
        let messages = [ModelMessage(role: "system", content: [part]), ModelMessage(role: "user", text: "x")]
        let body = try body(messages, tools: marked)
        #expect(body["system"] == [["type": "text", "text": "long", "cache_control": ["type": "ephemeral"]]])
        #expect(body["tools"]?.arrayValue?[0]["cache_control"] == ["type": "ephemeral"])
        let request = ModelRequest(
            model: "m", messages: messages, tools: marked,
            parameters: JSONObject([
                (AnthropicMembers.serviceTier, "standard_only"), ("thinking", ["type": "enabled", "budget_tokens": 5_000]),
            ]))
        let other = OpenAIProvider.Configuration(baseURL: "http://x", apiKey: nil, upstreamModel: "gpt")
        let text = String(decoding: ChatRequestBody.encode(request, other), as: UTF8.self)
        #expect(!text.contains("x_anthropic") && !text.contains("ephemeral") && !text.contains("budget_tokens"))
        #expect(text.contains(#""reasoning_effort":"medium""#))
    }

    @Test("thinking fits below the limit, has its own temperature, forces no tool, and needs its own past")
    func thinking() throws {
        let asked: [(String, JSONValue)] = [
            ("thinking", ["type": "enabled", "budget_tokens": 5_000]), ("temperature", .number("0.2")), ("tool_choice", "required"),
        ]
        let whole = try body(hello, asked, tools: tools, most: 8_000)
        #expect(
            whole["thinking"] == ["type": "enabled", "budget_tokens": 5_000] && whole["temperature"] == nil && whole["tool_choice"] == nil)
        #expect(try body(hello, asked, most: 2_000)["thinking"]?["budget_tokens"] == 1_999)
        let small = try body(hello, asked, most: 1_000)
        #expect(small["thinking"] == nil && small["temperature"] == .number("0.2"))
        #expect(try body(hello, [("thinking", ["type": "adaptive"])])["thinking"] == ["type": "adaptive"])
        #expect(try body(hello, [("thinking", ["type": "disabled"])])["thinking"] == nil)
        #expect(try body(hello, [("reasoning_effort", "low")])["thinking"] == ["type": "enabled", "budget_tokens": 1_024])
        let call: JSONValue = [["id": "c", "type": "function", "function": ["name": "f", "arguments": "{}"]]]
        let result = ModelMessage(role: "tool", content: "4", extra: JSONObject([("tool_call_id", "c")]))
        let bare = ModelMessage(role: "assistant", content: .null, extra: JSONObject([("tool_calls", call)]))
        #expect(try body(hello + [bare, result], asked, most: 8_000)["thinking"] == nil)
        let thought: JSONValue = [["type": "thinking", "thinking": "hm", "signature": "s"], ["type": "image", "source": ["type": "url"]]]
        let kept = ModelMessage(
            role: "assistant", content: .null, extra: JSONObject([(AnthropicMembers.thinking, thought), ("tool_calls", call)]))
        let again = try body(hello + [kept, result], asked, most: 8_000)
        #expect(again["thinking"] != nil)
        #expect(
            again["messages"]?.arrayValue?[1]["content"]?.arrayValue?.compactMap { $0["type"]?.stringValue } == ["thinking", "tool_use"])
    }

    @Test("addresses with and without the version")
    func addresses() {
        for base in [
            "https://api.anthropic.com", "https://api.anthropic.com/", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/",
        ] {
            #expect(AnthropicProvider.address("messages", at: base) == "https://api.anthropic.com/v1/messages")
        }
    }
}
