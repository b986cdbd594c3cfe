import Engine
import JSON
import Testing

@testable import EngineProviders

@Suite("Chat completion chunks (pure)")
struct ChatChunkParserTests {
    private func parse(_ chunks: [String]) throws(ProviderError) -> ([ModelEvent], ChatChunkParser) {
        var parser = ChatChunkParser()
        var events: [ModelEvent] = []
        for chunk in chunks { try parser.accept(Array(chunk.utf8), into: &events) }
        return (events, parser)
    }

    @Test("content, thinking, refusal and parallel answers keep their marker and index")
    func text() throws {
        let (events, parser) = try parse([
            #"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            #"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
            #"{"choices":[{"index":0,"delta":{"reasoning":"so"}}]}"#,
            #"{"choices":[{"index":0,"delta":{"content":"Hi"}},{"index":1,"delta":{"content":"Yo"}}]}"#,
            #"{"choices":[{"index":0,"delta":{"refusal":"No"},"finish_reason":null}],"usage":null}"#,
            #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, "[DONE]", "not json any more",
        ])
        #expect(
            events == [
                .delta(ModelDelta(text: "hm", tokens: 1, marker: .thinking)),
                .delta(ModelDelta(text: "so", tokens: 1, marker: .thinking)),
                .delta(ModelDelta(text: "Hi", tokens: 1)), .delta(ModelDelta(text: "Yo", tokens: 1, index: 1)),
                .delta(ModelDelta(text: "No", tokens: 1)),
            ])
        #expect(parser.finishReason == "stop" && parser.isDone)
    }

    @Test("tool calls pass through in fragments")
    func tools() throws {
        let (events, _) = try parse([
            #"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"c1","function":{"name":"f","arguments":""}}]}}]}"#,
            #"{"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"a\""}}]}}]}"#,
        ])
        #expect(
            events == [
                .toolCallDelta(ToolCallDelta(index: 1, id: "c1", name: "f", argumentsFragment: "", tokens: 1)),
                .toolCallDelta(ToolCallDelta(index: 1, id: nil, name: nil, argumentsFragment: "{\"a\"", tokens: 1)),
            ])
    }

    @Test("usage becomes disjoint classes, and never adds up to more than the upstream said")
    func usage() throws {
        let (events, _) = try parse([
            #"{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"#
                + #""prompt_tokens_details":{"cached_tokens":80},"completion_tokens_details":{"reasoning_tokens":30}}}"#,
            #"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"#
                + #""prompt_tokens_details":{"cached_tokens":9},"completion_tokens_details":null}}"#,
        ])
        #expect(
            events == [
                .usage(ModelUsage(inputFresh: 20, inputCacheRead: 80, outputVisible: 20, outputReasoning: 30)),
                .usage(ModelUsage(inputFresh: 0, inputCacheRead: 5, outputVisible: 2)),
            ])
    }

    @Test(
        "what is no chunk is a typed error",
        arguments: [
            "{", "[]", "\u{FF}", #"{"usage":{"prompt_tokens":-1}}"#, #"{"usage":{"prompt_tokens":1.5}}"#,
            #"{"usage":{"completion_tokens":99999999999}}"#,
        ])
    func malformed(chunk: String) {
        #expect(throws: ProviderError.self) { try parse([chunk]) }
    }

    @Test("an error object inside the stream is reported, cut to 200 characters and one line")
    func inBand() {
        let long = String(repeating: "x", count: 500)
        do {
            _ = try parse([#"{"error":{"message":"over\nloaded \#(long)","code":500}}"#])
            Issue.record("no error")
        } catch {
            #expect(error.kind == .inBand && error.isRetryable)
            #expect(error.message.count < 240 && error.message.contains("over loaded xxx"))
        }
    }

    @Test("a short chunk of one piece is one token, a long one is estimated")
    func tokens() throws {
        let (events, _) = try parse([
            #"{"choices":[{"delta":{"content":" internationally"}}]}"#,
            #"{"choices":[{"delta":{"content":"Every token is paid for before it is forwarded."}}]}"#,
        ])
        guard case .delta(let short) = events[0], case .delta(let long) = events[1] else {
            Issue.record("no deltas")
            return
        }
        #expect(short.tokens == 1)
        #expect((9...12).contains(long.tokens))
    }

    @Test("the estimate of a text does not depend on how it is split, and is never more than its bytes")
    func estimator() async {
        let pieces = ["word", " and", " 12345", "…", "日本語", "\u{1F600}", "\n\n", "  ", "(){}", "é", "'s"]
        await forSeeds(0..<300) { seed, generator in
            let text = (0..<30).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            var estimator = TokenEstimator()
            var sum = 0
            var rest = text.unicodeScalars[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...7, using: &generator)
                sum += estimator.add(String(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(sum == TokenEstimator.count(text), "seed \(seed)")
            #expect(sum <= text.utf8.count, "seed \(seed)")
        }
        #expect(TokenEstimator.count("") == 0)
        #expect(TokenEstimator.count("The quick brown fox jumps over the lazy dog.") == 10)
    }
}
