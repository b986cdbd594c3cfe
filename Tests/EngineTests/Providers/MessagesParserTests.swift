import Engine
import EventStream
import JSON
import Testing

@testable import EngineProviders

@Suite("Events of a Messages stream (pure)")
struct MessagesParserTests {
    static let start =
        #"{"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],"usage":{"input_tokens":9,"#
        + #""cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":1}}}"#

    private static func event(_ json: String) -> ServerSentEvent { ServerSentEvent(name: nil, data: Array(json.utf8), id: nil) }

    private func parse(_ data: [String]) throws(ProviderError) -> ([ModelEvent], MessagesParser) {
        var parser = MessagesParser()
        var events: [ModelEvent] = []
        for json in data { try parser.accept(Self.event(json), into: &events) }
        return (events, parser)
    }

    private static func block(_ index: Int, _ block: String) -> String {
        #"{"type":"content_block_start","index":\#(index),"content_block":\#(block)}"#
    }
    private static func delta(_ index: Int, _ delta: String) -> String {
        #"{"type":"content_block_delta","index":\#(index),"delta":\#(delta)}"#
    }
    private static func stop(_ index: Int) -> String { #"{"type":"content_block_stop","index":\#(index)}"# }

    private static var opening: ModelUsage {
        var usage = ModelUsage(inputFresh: 9, inputCacheRead: 300, inputCacheWrite: 20)
        usage.isInputOnly = true
        return usage
    }

    static let answer = [
        start, #"{"type":"ping"}"#, block(0, #"{"type":"thinking","thinking":"","signature":""}"#),
        delta(0, #"{"type":"thinking_delta","thinking":"Let me"}"#), delta(0, #"{"type":"signature_delta","signature":"EqQB"}"#),
        stop(0), block(1, #"{"type":"text","text":""}"#), delta(1, #"{"type":"text_delta","text":"Hi \u00e9\ud83d\ude00"}"#),
        stop(1), block(2, #"{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}"#),
        delta(2, #"{"type":"input_json_delta","partial_json":""}"#),
        delta(2, #"{"type":"input_json_delta","partial_json":"{\"city\":"}"#),
        delta(2, #"{"type":"input_json_delta","partial_json":"\"Oslo\"}"}"#), stop(2),
        block(3, #"{"type":"tool_use","id":"toolu_2","name":"now","input":{}}"#), stop(3),
        block(4, #"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#),
        delta(4, #"{"type":"input_json_delta","partial_json":"{}"}"#), stop(4), #"{"type":"something_new","x":1}"#,
        #"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":52,"#
            + #""output_tokens_details":{"thinking_tokens":40}}}"#,
        #"{"type":"message_stop"}"#, "not json any more",
    ]

    static let expected: [ModelEvent] = [
        .usage(opening), .delta(ModelDelta(text: "Let me", tokens: 2, marker: .thinking)),
        .sealed(.signature("EqQB")), .delta(ModelDelta(text: "Hi é😀", tokens: 3)),
        .toolCallDelta(ToolCallDelta(index: 0, id: "toolu_1", name: "get_weather", argumentsFragment: "", tokens: 1)),
        .toolCallDelta(ToolCallDelta(index: 0, id: nil, name: nil, argumentsFragment: #"{"city":"#, tokens: 1)),
        .toolCallDelta(ToolCallDelta(index: 0, id: nil, name: nil, argumentsFragment: #""Oslo"}"#, tokens: 1)),
        .toolCallDelta(ToolCallDelta(index: 1, id: "toolu_2", name: "now", argumentsFragment: "", tokens: 1)),
        .toolCallDelta(ToolCallDelta(index: 1, id: nil, name: nil, argumentsFragment: "{}", tokens: 1)),
        .usage(ModelUsage(inputFresh: 9, inputCacheRead: 300, inputCacheWrite: 20, outputVisible: 12, outputReasoning: 40)),
    ]

    @Test("text, thinking, calls and usage; what is not known is skipped; after the end nothing counts")
    func answer() throws {
        let (events, parser) = try parse(Self.answer)
        #expect(events == Self.expected)
        #expect(parser.finishReason == "tool_calls" && parser.isDone)
        // Thinking may be billed and not shown: nothing is learnt of the output, and the prompt is what the upstream said.
        #expect(parser.outputSample == nil)
        #expect(parser.promptSample(estimate: 10) == UsageCalibration.Sample(counted: 10, reported: 329))
    }

    @Test("the bytes of the stream may be split anywhere")
    func splits() throws {
        let bytes = Array(
            Self.answer.dropLast().map { "event: \((try? JSONValue(parsing: $0))?["type"]?.stringValue ?? "")\ndata: \($0)\n\n" }.joined()
                .utf8)
        for split in bytes.indices {
            var lines = EventStreamParser()
            var received: [ServerSentEvent] = []
            for part in [bytes[..<split], bytes[split...]] { try part.withUnsafeBytes { try lines.push($0, into: &received) } }
            var parser = MessagesParser()
            var events: [ModelEvent] = []
            for event in received { try parser.accept(event, into: &events) }
            try #require(events == Self.expected && parser.isDone, "split at \(split)")
        }
    }

    @Test("the beginning's output_tokens are a placeholder; later counts replace what they name and leave the rest")
    func usage() throws {
        let last =
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":11,"cache_read_input_tokens":null,"#
            + #""output_tokens":7}}"#
        let (events, parser) = try parse([Self.start, last])
        #expect(
            events == [
                .usage(Self.opening), .usage(ModelUsage(inputFresh: 11, inputCacheRead: 300, inputCacheWrite: 20, outputVisible: 7)),
            ])
        #expect(parser.outputSample == UsageCalibration.Sample(counted: 0, reported: 7))
    }

    @Test(
        "why it stopped, in the engine's words",
        arguments: [
            ("end_turn", "stop"), ("max_tokens", "length"), ("model_context_window_exceeded", "length"), ("stop_sequence", "stop_sequence"),
            ("tool_use", "tool_calls"), ("refusal", "content_filter"), ("pause_turn", "stop"), ("something_new", "stop"),
        ])
    func reasons(theirs: String, ours: String) throws {
        #expect(try parse([#"{"type":"message_delta","delta":{"stop_reason":"\#(theirs)"}}"#]).1.finishReason == ours)
    }

    @Test("an error in the stream is the upstream's, and may help elsewhere")
    func inBand() {
        let error = #expect(throws: ProviderError.self) {
            try parse([Self.start, #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#])
        }
        #expect(error?.kind == .inBand && error?.isRetryable == true && error?.mayBeBilled == true)
        #expect(error?.message == "the upstream reported: Overloaded")
    }

    @Test(
        "what the dialect does not allow is a typed error",
        arguments: [
            "{", "[]", "\u{FF}", block(-1, #"{"type":"text"}"#), block(0, "4"), #"{"type":"content_block_start","index":0}"#,
            delta(0, #"{"type":"text_delta","text":"x"}"#), #"{"type":"content_block_stop"}"#, block(0, #"{"type":"tool_use","id":"x"}"#),
            #"{"type":"message_start","message":{"usage":{"input_tokens":-1}}}"#,
            #"{"type":"message_delta","delta":{},"usage":{"output_tokens":99999999999}}"#,
            #"{"type":"message_delta","delta":{},"usage":{"output_tokens":1.5}}"#,
        ])
    func malformed(json: String) {
        let error = #expect(throws: ProviderError.self) { try parse([json]) }
        #expect(error?.kind == .malformed)
    }

    @Test("blocks are bounded")
    func bounded() {
        let blocks = (0..<65).map { Self.block($0, #"{"type":"text","text":""}"#) }
        #expect(throws: ProviderError.self) { try parse(blocks) }
    }

    @Test("a message that comes whole gives the same events")
    func whole() throws {
        var parser = MessagesParser(names: FunctionNames([["type": "function", "function": ["name": "get.weather"]]]))
        var events: [ModelEvent] = []
        let body =
            #"{"type":"message","content":[{"type":"text","text":"Hi"},"#
            + #"{"type":"tool_use","id":"t","name":"get-weather","input":{"city":"Oslo"}},{"type":"tool_use","id":"u","name":"now","input":{}}],"#
            + #""stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":9}}"#
        try parser.accept(whole: Array(body.utf8), into: &events)
        #expect(
            events == [
                .delta(ModelDelta(text: "Hi", tokens: 1)),
                .toolCallDelta(ToolCallDelta(index: 0, id: "t", name: "get.weather", argumentsFragment: #"{"city":"Oslo"}"#, tokens: 1)),
                .toolCallDelta(ToolCallDelta(index: 1, id: "u", name: "now", argumentsFragment: "", tokens: 1)),
                .toolCallDelta(ToolCallDelta(index: 1, id: nil, name: nil, argumentsFragment: "{}", tokens: 1)),
                .usage(ModelUsage(inputFresh: 3, outputVisible: 9)),
            ])
        #expect(parser.finishReason == "tool_calls")
        for bad in ["{", "[]", "{}", #"{"type":"error","error":{"message":"no"}}"#] {
            var parser = MessagesParser()
            #expect(throws: ProviderError.self) { try parser.accept(whole: Array(bad.utf8), into: &events) }
        }
    }
}
