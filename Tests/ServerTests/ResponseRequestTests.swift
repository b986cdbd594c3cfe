import Engine
import HTTPTypes
import JSON
import Testing

@testable import kdcube

@Suite("What clients send to /v1/responses")
struct ResponseRequestTests {
    private func parse(_ text: String) throws -> ResponseRequest { try ResponseRequest(JSONValue(parsing: text)) }

    @Test("a text is a user's message; instructions stand before it")
    func text() throws {
        let request = try parse(#"{"model":"m","input":"hi","instructions":"Be brief.","max_output_tokens":7,"stream":true}"#)
        #expect(request.prompt.messages == [ModelMessage(role: "system", text: "Be brief."), ModelMessage(role: "user", text: "hi")])
        #expect(request.prompt.outputTokensMax == 7 && request.streams && request.prompt.tools == nil)
    }

    @Test("calls belong to the assistant's message before them, and reasoning to nobody")
    func items() throws {
        let messages = try parse(
            """
            {"model":"m","input":[
            {"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
            {"type":"reasoning","id":"rs_1","summary":[]},
            {"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":"one","annotations":[]},
            {"type":"refusal","refusal":"two"}]},
            {"type":"reasoning","id":"rs_2","summary":[]},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
            {"type":"function_call","call_id":"c2","name":"g","arguments":"{\\"x\\":1}"},
            {"type":"function_call_output","call_id":"c1","output":"1"},
            {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"2"},{"type":"input_text","text":"3"}]},
            {"type":"function_call","call_id":"c3","name":"f","arguments":"{}"}]}
            """
        ).prompt.messages
        #expect(messages.map(\.role) == ["user", "assistant", "tool", "tool", "assistant"])
        #expect(messages[0].content == [["type": "text", "text": "a"], ["type": "text", "text": "b"]])
        #expect(messages[1].content == "onetwo")
        let calls = try #require(messages[1].extra["tool_calls"]?.arrayValue)
        #expect(calls.count == 2 && calls[1] == ["id": "c2", "type": "function", "function": ["name": "g", "arguments": #"{"x":1}"#]])
        #expect(messages[2].content == "1" && messages[3].content == "2\n3" && messages[3].extra["tool_call_id"] == "c2")
        #expect(messages[4].content == .null && messages[4].extra["tool_calls"]?.arrayValue?.count == 1)
    }

    @Test("tools and parameters become those of a chat completion")
    func settings() throws {
        let prompt = try parse(
            """
            {"model":"m","input":"hi","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":null}],
            "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,"temperature":1,"top_p":0.5,
            "text":{"format":{"type":"json_schema","name":"n","schema":{},"strict":true},"verbosity":"low"},
            "reasoning":{"effort":"low","summary":"auto"},"metadata":{"a":"b"},"store":false,"include":["reasoning.encrypted_content"]}
            """
        ).prompt
        #expect(
            prompt.tools == [["type": "function", "function": ["name": "f", "description": "d", "parameters": ["type": "object"]]]])
        let expected: [(String, JSONValue)] = [
            ("tool_choice", ["type": "function", "function": ["name": "f"]]), ("parallel_tool_calls", false), ("temperature", 1),
            ("top_p", .number("0.5")), ("verbosity", "low"), ("reasoning_effort", "low"),
            ("response_format", ["type": "json_schema", "json_schema": ["name": "n", "schema": [:], "strict": true]]),
        ]
        for (key, value) in expected { #expect(prompt.parameters[key] == value, "\(key)") }
        #expect(prompt.parameters.count == expected.count)
    }

    @Test("what upstreams refuse beside no tools is not sent beside none")
    func withoutTools() throws {
        let request = #"{"model":"m","input":"hi","tools":[],"tool_choice":"auto","parallel_tool_calls":true}"#
        #expect(try parse(request).prompt.parameters.isEmpty)
        let server = #"{"model":"m","input":"hi","server_tools":true,"tool_choice":"required"}"#
        #expect(try parse(server).prompt.parameters["tool_choice"] == "required")
        #expect(try parse(server).prompt.serverTools == .all)
    }

    @Test(
        "what has no meaning here, or no bound, is refused with the field's name",
        arguments: [
            (#""previous_response_id":"resp_1""#, "previous_response_id"), (#""conversation":"c""#, "conversation"),
            (#""background":true"#, "background"), (#""tools":[{"type":"web_search"}]"#, "tools[0].type"),
            (#""tools":[{"type":"function"}]"#, "tools[0].name"), (#""tool_choice":{"type":"web_search"}"#, "tool_choice"),
            (#""tool_choice":"all""#, "tool_choice"), (#""max_tool_calls":3"#, "max_tool_calls"), (#""prompt":{"id":"p"}"#, "prompt"),
            (#""n":2"#, "n"), (#""service_tier":"priority""#, "service_tier"), (#""reasoning":{"mode":"pro"}"#, "reasoning.mode"),
            (#""text":{"format":{"type":"grammar"}}"#, "text.format.type"), (#""top_logprobs":1"#, "top_logprobs"),
            (#""include":["message.output_text.logprobs"]"#, "include"), (#""truncation":"middle""#, "truncation"),
            (#""metadata":{"a":1}"#, "metadata"), (#""max_output_tokens":0"#, "max_output_tokens"), (#""temperature":3"#, "temperature"),
            (#""on_deny":"ask""#, "on_deny"),
        ] as [(String, String)])
    func refusals(member: String, field: String) throws {
        let error = #expect(throws: HTTPFailure.self) { try parse(#"{"model":"m","input":"hi",\#(member)}"#) }
        #expect(error?.param == field)
        #expect(error?.status.code == 400 && error?.code == "invalid_request_error")
    }

    @Test(
        "an input is refused with the item at fault",
        arguments: [
            ("5", "input"), ("[]", "input"), (#""""#, "input"), (#"[{"type":"reasoning"}]"#, "input"),
            (#"[{"role":"tool","content":"a"}]"#, "input[0].role"), (#"[{"role":"user"}]"#, "input[0].content"),
            (#"[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]"#, "input[0].content"),
            (#"[{"type":"item_reference","id":"msg_1"}]"#, "input[0].type"), (#"[{"type":"mcp_call"}]"#, "input[0].type"),
            (#"[{"type":"function_call","name":"f","arguments":"{}"}]"#, "input[0].call_id"),
            (#"[{"type":"function_call","call_id":"c","name":"f"}]"#, "input[0].arguments"),
            (#"[{"type":"function_call_output","output":"1"}]"#, "input[0].call_id"),
        ] as [(String, String)])
    func inputRefusals(input: String, field: String) throws {
        let error = #expect(throws: HTTPFailure.self) { try parse(#"{"model":"m","input":\#(input)}"#) }
        #expect(error?.param == field)
    }

    @Test("an explicit null is as good as absent, also of what is not supported")
    func nulls() throws {
        let request = try parse(
            #"{"model":"m","input":"hi","previous_response_id":null,"prompt":null,"tools":null,"text":null,"reasoning":null,"metadata":null}"#
        )
        #expect(request.prompt.parameters.isEmpty)
    }
}
