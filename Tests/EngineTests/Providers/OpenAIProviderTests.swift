import AsyncHTTPClient
import Engine
import JSON
import NIOCore
import NIOHTTP1
import Testing

@testable import EngineProviders

@Suite("OpenAI-compatible upstream (needs loopback sockets)", .serialized)
struct OpenAIProviderTests {
    private static let chunk = #"data: {"choices":[{"index":0,"delta":{"content":" word"}}]}"# + "\n\n"
    private static let stop = #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"# + "\n\n"
    private static let usage = #"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}"# + "\n\n"
    private static let done = "data: [DONE]\n\n"
    private static let word = ModelEvent.delta(ModelDelta(text: " word", tokens: 1))
    private static let used = ModelEvent.usage(ModelUsage(inputFresh: 9, outputVisible: 2))

    /// Long: what is not about a timeout meets none, however busy the machine is.
    private static func timeouts(firstByte: Duration = .seconds(20), idle: Duration = .seconds(20)) -> OpenAIProvider.Timeouts {
        var timeouts = OpenAIProvider.Timeouts()
        timeouts.firstByte = firstByte
        timeouts.idle = idle
        timeouts.call = .seconds(30)
        return timeouts
    }

    private func withProvider<Result>(
        _ steps: [TestUpstream.Step], timeouts: OpenAIProvider.Timeouts = timeouts(), apiKey: String? = "sk-secret",
        _ body: (OpenAIProvider, TestUpstream) async throws -> Result
    ) async throws -> Result {
        let upstream = try await TestUpstream.start(steps)
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: OpenAIProvider.clientConfiguration())
        var configuration = OpenAIProvider.Configuration(
            baseURL: upstream.baseURL, apiKey: apiKey, upstreamModel: "up-1")
        configuration.timeouts = timeouts
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(OpenAIProvider(client: client, configuration: configuration), upstream))
        } catch {
            result = .failure(error)
        }
        await upstream.stop()
        try await client.shutdown()
        return try result.get()
    }

    private let prompt = ModelRequest(model: "m", messages: [ModelMessage(role: "user", text: "Hello")])

    private func collect(_ provider: OpenAIProvider) async -> ([ModelEvent], ProviderError?) {
        let stream = provider.stream(prompt)
        var events: [ModelEvent] = []
        do {
            while let event = try await stream.next() { events.append(event) }
            return (events, nil)
        } catch {
            return (events, error)
        }
    }

    @Test("a whole answer: events in order, the key sent, usage always asked for, parameters passed through")
    func wholeAnswer() async throws {
        let steps: [TestUpstream.Step] = [
            .head(200), .body(": keep-alive\n\n" + Self.chunk), .body(String(Self.chunk.prefix(20))),
            .body(String(Self.chunk.dropFirst(20))), .body(Self.stop + Self.usage + Self.done), .end,
        ]
        try await withProvider(steps) { provider, upstream in
            var request = prompt
            request.outputTokensMax = 64
            request.tools = [["type": "function", "function": ["name": "f"]]]
            request.parameters = JSONObject([
                ("temperature", .number("0.5")), ("seed", 4), ("stream", false), ("model", "x"), ("max_tokens", 1),
                ("vendor_option", ["a": true]),
            ])
            let stream = provider.stream(request)
            var events: [ModelEvent] = []
            while let event = try await stream.next() { events.append(event) }
            #expect(events == [Self.word, Self.word, Self.used, .finished(reason: "stop")])
            let body = try #require(upstream.record.bodies.first)
            #expect(
                body == #"{"model":"up-1","messages":[{"role":"user","content":"Hello"}],"#
                    + #""tools":[{"type":"function","function":{"name":"f"}}],"max_tokens":64,"temperature":0.5,"#
                    + #""seed":4,"vendor_option":{"a":true},"stream":true,"stream_options":{"include_usage":true}}"#)
            #expect(upstream.record.headers.first?["authorization"] == ["Bearer sk-secret"])
            // A finished answer leaves a connection that a later call can use, once the body's end was read.
            for _ in 0..<9 { #expect(await collect(provider).1 == nil) }
            #expect(upstream.record.bodies.count == 10 && upstream.record.connections < 10)
        }
    }

    @Test("an answer without [DONE], and one without usage, are answers")
    func lenient() async throws {
        let (events, error) = try await withProvider([.head(200), .body(Self.chunk + Self.stop), .end]) { provider, _ in
            await collect(provider)
        }
        #expect(events == [Self.word, .finished(reason: "stop")] && error == nil)
    }

    @Test("a body that stays open after [DONE] does not hold the run up")
    func openAfterDone() async throws {
        let (events, error) = try await withProvider([.head(200), .body(Self.chunk + Self.stop + Self.done), .stall]) {
            provider, _ in await collect(provider)
        }
        #expect(events == [Self.word, .finished(reason: "stop")] && error == nil)
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: [TestUpstream.Step]
        let kind: ProviderError.Kind
        var events = 0
        var isRetryable = true
        var isBilled = true
    }

    static let faults: [Fault] = [
        Fault(testDescription: "silence before the head", steps: [.stall], kind: .firstByteTimeout),
        Fault(testDescription: "silence after the head", steps: [.head(200), .stall], kind: .firstByteTimeout),
        Fault(
            testDescription: "a stall between chunks", steps: [.head(200), .body(chunk), .stall], kind: .idleTimeout,
            events: 1),
        Fault(
            testDescription: "a drop in the middle of a chunk",
            steps: [.head(200), .body(chunk + "data: {\"cho"), .pause(.milliseconds(20)), .drop], kind: .dropped, events: 1),
        Fault(testDescription: "an end too early", steps: [.head(200), .body(chunk), .end], kind: .dropped, events: 1),
        Fault(testDescription: "a drop before the head", steps: [.drop], kind: .connect),
        Fault(
            testDescription: "a chunk that is no JSON", steps: [.head(200), .body(chunk + "data: {oops\n\n"), .stall],
            kind: .malformed, events: 1),
        Fault(
            testDescription: "an error object in the stream",
            steps: [.head(200), .body(chunk + "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"), .stall],
            kind: .inBand, events: 1),
        Fault(
            testDescription: "429", steps: [.head(429), .body(#"{"error":{"message":"slow down"}}"#), .end],
            kind: .status(429), isBilled: false),
        Fault(
            testDescription: "402", steps: [.head(402), .body(#"{"error":{"message":"no credit"}}"#), .end],
            kind: .status(402), isRetryable: false, isBilled: false),
        Fault(
            testDescription: "500 with a page", steps: [.head(500), .body("<html>"), .end], kind: .status(500),
            isBilled: false),
        Fault(
            testDescription: "a redirect is not followed", steps: [.head(302), .end], kind: .status(302),
            isRetryable: false, isBilled: false),
        Fault(
            testDescription: "a line without end",
            steps: [.head(200), .flood("data: " + String(repeating: "x", count: 4_000))], kind: .malformed),
    ]

    @Test("each fault is a typed error, after what came before it", arguments: faults)
    func fault(_ fault: Fault) async throws {
        let timeouts = Self.timeouts(
            firstByte: fault.kind == .firstByteTimeout ? .milliseconds(300) : .seconds(20),
            idle: fault.kind == .idleTimeout ? .milliseconds(300) : .seconds(20))
        let (events, error) = try await withProvider(fault.steps, timeouts: timeouts) { provider, _ in await collect(provider) }
        #expect(events == Array(repeating: Self.word, count: fault.events))
        #expect(error?.kind == fault.kind, "\(String(describing: error))")
        #expect(error?.isRetryable == fault.isRetryable && error?.mayBeBilled == fault.isBilled)
    }

    @Test("an upstream that is not there is not billed")
    func unreachable() async throws {
        let error = try await withProvider([.stall]) { provider, upstream in
            await upstream.stop()
            return await collect(provider).1
        }
        #expect(error?.kind == .connect && error?.mayBeBilled == false)
    }

    @Test("a slow drip that never ends hits the deadline of the whole call")
    func callTimeout() async throws {
        var timeouts = Self.timeouts()
        timeouts.call = .milliseconds(400)
        var steps: [TestUpstream.Step] = [.head(200)]
        for _ in 0..<20 { steps += [.body(Self.chunk), .pause(.milliseconds(50))] }
        let (events, error) = try await withProvider(steps, timeouts: timeouts) { provider, _ in await collect(provider) }
        #expect(error?.kind == .callTimeout && events.count < 20)
    }

    @Test("the key is not repeated to clients, and messages are cut to 200 characters")
    func secrets() async throws {
        let body = #"{"error":{"message":"bad key sk-secret! \#(String(repeating: "y", count: 400))"}}"#
        let error = try await withProvider([.head(401), .body(body), .end]) { provider, _ in await collect(provider).1 }
        let message = try #require(error?.message)
        #expect(message.contains("bad key ***!") && !message.contains("sk-secret") && message.count < 260)
    }

    /// Says that a connection is closed within 100 ms, by the best of five tries: a machine that does something else may take
    /// its time, but a connection that waits for a timer never makes it.
    private func closesSoon(_ latency: () async throws -> TimeAmount) async throws {
        var tries: [TimeAmount] = []
        for _ in 0..<5 where tries.allSatisfy({ $0 >= .milliseconds(100) }) { tries.append(try await latency()) }
        #expect(tries.contains { $0 < .milliseconds(100) }, "\(tries)")
    }

    private func closeLatency(
        _ steps: [TestUpstream.Step], _ act: (any ModelStream) async throws -> NIODeadline
    ) async throws -> TimeAmount {
        var timeouts = Self.timeouts()
        timeouts.idle = .seconds(5)
        return try await withProvider(steps, timeouts: timeouts) { provider, upstream in
            let stream = provider.stream(prompt)
            _ = try await stream.next()
            let asked = try await act(stream)
            let limit = asked + .seconds(2)
            while upstream.record.closedAt.isEmpty, .now() < limit { await Task.yield() }
            return (try #require(upstream.record.closedAt.first)) - asked
        }
    }

    @Test("close while the upstream is silent closes its connection within 100 ms (item 5)")
    func closeWhileSilent() async throws {
        try await closesSoon {
            try await closeLatency([.head(200), .body(Self.chunk), .stall]) { stream in
                stream.close()
                return .now()
            }
        }
    }

    @Test("close while the upstream floods closes its connection within 100 ms (item 5)")
    func closeWhileFlooding() async throws {
        try await closesSoon {
            try await closeLatency([.head(200), .flood(Self.chunk)]) { stream in
                for _ in 0..<100 { _ = try await stream.next() }
                stream.close()
                return .now()
            }
        }
    }

    @Test("cancelling a task that waits for the next chunk closes the connection within 100 ms (item 5)")
    func cancelWhileWaiting() async throws {
        try await closesSoon {
            try await withProvider([.head(200), .body(Self.chunk), .stall]) { provider, upstream in
                let (signal, continuation) = AsyncStream.makeStream(of: Void.self)
                let reader = Task { [prompt] in
                    let stream = provider.stream(prompt)
                    _ = try await stream.next()
                    continuation.yield()
                    _ = try await stream.next()
                }
                for await _ in signal { break }
                let asked = NIODeadline.now()
                reader.cancel()
                await #expect(throws: ProviderError.cancelled) { try await reader.value }
                while upstream.record.closedAt.isEmpty, .now() < asked + .seconds(2) { await Task.yield() }
                return (try #require(upstream.record.closedAt.first)) - asked
            }
        }
    }

    @Test("a consumer that does not read stops the upstream after bounded bytes, and is not timed out for it")
    func backPressure() async throws {
        let flood = String(repeating: Self.chunk, count: 100)
        try await withProvider([.head(200), .flood(flood)], timeouts: Self.timeouts(idle: .milliseconds(300))) { provider, upstream in
            let stream = provider.stream(prompt)
            _ = try await stream.next()
            var samples: [Int] = []
            // Socket buffers fill for a while. Four equal samples span more than the idle timeout: the consumer is
            // slow, not the upstream.
            while samples.count < 4 || Set(samples.suffix(4)).count > 1, samples.count < 60 {
                samples.append(upstream.record.flooded)
                try await Task.sleep(for: .milliseconds(120))
            }
            #expect(Set(samples.suffix(4)).count == 1, "\(samples)")
            #expect(samples.allSatisfy { $0 < 16 << 20 })
            #expect(try await stream.next() == Self.word)
            stream.close()
        }
    }

    @Test("a cut in the run closes the upstream within 100 ms and charges what was delivered as an estimate (item 5)")
    func cutClosesUpstream() async throws {
        try await closesSoon {
            try await withProvider([.head(200), .flood(Self.chunk)]) { provider, upstream in
                let meter = TestMeter(tokens: 40, slice: 10)
                let handle = try #require(await coordinator(meter, provider).start(request("Hello")).handle)
                let events = await handle.log.all()
                let cutAt = NIODeadline.now()
                guard case .cut(_, let settled)? = events.last?.body else {
                    Issue.record("not cut")
                    return .zero
                }
                #expect(settled.outputTokens == 40 && settled.isEstimated)
                while upstream.record.closedAt.isEmpty, .now() < cutAt + .seconds(2) { await Task.yield() }
                return (try #require(upstream.record.closedAt.first)) - cutAt
            }
        }
    }

    @Test("an answer without usage is charged as an estimate")
    func withoutUsage() async throws {
        try await withProvider([.head(200), .body(Self.chunk + Self.stop + Self.done), .end]) { provider, _ in
            let handle = try #require(await coordinator(TestMeter(), provider).start(request("Hello")).handle)
            guard case .complete(" word", "stop", let settled)? = await handle.log.all().last?.body else {
                Issue.record("not complete")
                return
            }
            #expect(settled.isEstimated && settled.outputTokens == 1 && settled.inputTokens > 0)
        }
    }

    @Test("the prompt's bound is not below its bytes, and the estimate not above the bound")
    func promptBound() {
        let text = "日本語のテキスト and code(); \u{1F600}"
        let request = ModelRequest(
            model: "m",
            messages: [
                ModelMessage(role: "system", text: "s"),
                ModelMessage(
                    role: "user",
                    content: [
                        ["type": "text", "text": .string(text)],
                        ["type": "image_url", "image_url": ["url": "https://example.org/x.png"]],
                    ]),
            ], tools: [["type": "function", "function": ["name": "lookup"]]])
        guard case .atMost(let bound, let estimate) = PromptTokens.count(request, overhead: 96) else {
            Issue.record("not a bound")
            return
        }
        #expect(bound > text.utf8.count + 48_169 && bound < 49_500)
        #expect(estimate > 1_000 && estimate <= bound)
    }
}
