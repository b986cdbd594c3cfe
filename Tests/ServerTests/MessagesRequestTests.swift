import Engine
import EngineProviders
import HTTPTypes
import JSON
import Testing

@testable import kdcube

@Suite("The body of a message in Anthropic's dialect")
struct MessagesRequestTests {
    private func read(_ json: String, isCount: Bool = false) throws -> MessagesRequest {
        try MessagesRequest(JSONValue(parsing: json), isCount: isCount)
    }

    @Test("results of tools become messages before the text, calls become tool_calls, signed thinking stays beside them")
    func conversation() throws {
        let request = try read(
            #"""
            {"model":"m","max_tokens":9,"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],"messages":[
            {"role":"user","content":"A"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"thinking","thinking":"u","signature":""},
            {"type":"text","text":"B"},{"type":"tool_use","id":"c","name":"f","input":{"x":1}}]},
            {"role":"user","content":[{"type":"text","text":"C"},{"type":"tool_result","tool_use_id":"c","content":"D","is_error":true}]}]}
            """#)
        let messages = request.prompt.messages
        #expect(messages.map(\.role) == ["system", "user", "assistant", "tool", "user"])
        #expect(messages[0].content == [["type": "text", "text": "S", "x_anthropic_cache_control": ["type": "ephemeral"]]])
        #expect(messages[2].content == "B")
        #expect(messages[2].extra["tool_calls"] == [["id": "c", "type": "function", "function": ["name": "f", "arguments": #"{"x":1}"#]]])
        #expect(messages[2].extra[AnthropicMembers.thinking] == [["type": "thinking", "thinking": "t", "signature": "s"]])
        #expect(
            messages[3].content == "D" && messages[3].extra["tool_call_id"] == "c" && messages[3].extra[AnthropicMembers.isError] == true)
        #expect(messages[4].content == "C" && !request.streams && request.prompt.outputTokensMax == 9)
    }

    @Test("no tools are no tools: other upstreams take neither an empty list nor a choice of nothing")
    func noTools() throws {
        let json =
            #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"A"}],"tools":[],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#
        let request = try read(json + "}")
        #expect(request.prompt.tools == nil)
        #expect(request.prompt.parameters["tool_choice"] == nil && request.prompt.parameters["parallel_tool_calls"] == nil)
        #expect(try read(json + #","server_tools":["g"]}"#).prompt.parameters["tool_choice"] == "auto")
    }

    @Test("parameters in the words that upstreams are asked in")
    func parameters() throws {
        let request = try read(
            #"""
            {"model":"m","max_tokens":3000,"messages":[{"role":"user","content":"A"}],"temperature":0.5,"top_k":4,"stop_sequences":["x"],
            "metadata":{"user_id":"u"},"thinking":{"type":"enabled","budget_tokens":2000},"service_tier":"standard_only","stream":true,
            "tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f"},
            "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"server_tools":["g"],
            "on_disconnect":"drain","lower_max_tokens":true,"context_management":{"edits":[]}}
            """#)
        let parameters = request.prompt.parameters
        #expect(parameters["temperature"]?.numberText == "0.5" && parameters["top_k"] == 4 && parameters["stop"] == ["x"])
        #expect(parameters["user"] == "u" && parameters["thinking"]?["budget_tokens"] == 2_000)
        #expect(parameters["tool_choice"] == ["type": "function", "function": ["name": "f"]])
        #expect(parameters["response_format"]?["json_schema"]?["schema"] == ["type": "object"])
        #expect(parameters[AnthropicMembers.effort] == "low" && parameters[AnthropicMembers.serviceTier] == "standard_only")
        #expect(
            request.prompt.tools == [
                ["type": "function", "function": ["name": "f", "description": "d", "parameters": ["type": "object"]]]
            ])
        #expect(request.streams && request.prompt.mayLowerOutput && request.prompt.onDisconnect == .drain)
    }

    @Test(
        "what cannot be done names its field",
        arguments: [
            (#"{"max_tokens":1,"messages":[{"role":"user","content":"A"}]}"#, "model"),
            (#"{"model":"m","messages":[{"role":"user","content":"A"}]}"#, "max_tokens"),
            (#"{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"A"}]}"#, "max_tokens"),
            (#"{"model":"m","max_tokens":1}"#, "messages"),
            (#"{"model":"m","max_tokens":1,"messages":[{"role":"tool"}]}"#, "messages[0].role"),
            (#"{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}"#, "messages[0].content"),
            (#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"document"}]}]}"#, "messages[0].content[0].type"),
            (
                #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"#
                    + #"[{"type":"image"}]}]}]}"#, "messages[0].content[0].content[0].type"
            ),
            (#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"A"}],"mcp_servers":[]}"#, "mcp_servers"),
            (#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"A"}],"tools":[{"name":"f"}]}"#, "tools[0].input_schema"),
            (#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"A"}],"tool_choice":{"type":"x"}}"#, "tool_choice.type"),
            (
                #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"A"}],"thinking":{"type":"enabled"}}"#,
                "thinking.budget_tokens"
            ),
        ])
    func refusals(json: String, param: String) throws {
        let failure = #expect(throws: HTTPFailure.self) { try read(json) }
        #expect(failure?.param == param && failure?.status == .badRequest)
    }

    @Test("a count needs no limit, and thinking that is disabled was never asked for")
    func count() throws {
        let request = try read(
            #"{"model":"m","messages":[{"role":"user","content":"A"}],"thinking":{"type":"disabled"}}"#, isCount: true)
        #expect(request.prompt.outputTokensMax == nil && request.modelRequest.parameters["thinking"] == nil)
    }
}
