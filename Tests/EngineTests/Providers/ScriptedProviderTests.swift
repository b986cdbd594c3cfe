import Engine
import JSON
import Testing

@testable import EngineProviders

@Suite("Scripted model (no network)")
struct ScriptedProviderTests {
    private func prompt(_ text: String, max: Int? = nil) -> ModelRequest {
        ModelRequest(model: "demo", messages: [ModelMessage(role: "user", text: text)], outputTokensMax: max)
    }

    private func play(_ request: ModelRequest) async throws(ProviderError) -> [ModelEvent] {
        let stream = ScriptedProvider(clock: ManualClock()).stream(request)
        var events: [ModelEvent] = []
        while let event = try await stream.next() { events.append(event) }
        return events
    }

    private func text(_ events: [ModelEvent]) -> [String] {
        events.compactMap { event in
            guard case .delta(let delta) = event else { return nil }
            return delta.text
        }
    }

    @Test("one word a delta, exact usage, the same every time")
    func plain() async throws {
        let request = prompt("Say something\n@rate 0")
        let events = try await play(request)
        #expect(events == (try await play(request)))
        let words = text(events)
        #expect((180...230).contains(words.count))
        #expect(words.dropFirst().allSatisfy { $0.first?.isWhitespace == true })
        let provider = ScriptedProvider()
        #expect(provider.promptTokens(request) == .exact(5))
        #expect(
            events.suffix(2) == [
                .usage(ModelUsage(inputFresh: 5, outputVisible: words.count)), .finished(reason: "stop"),
            ])
    }

    @Test("@tokens N gives exactly N, shorter or longer than the text", arguments: [0, 1, 7, 500, 2_345])
    func tokens(count: Int) async throws {
        let events = try await play(prompt("@tokens \(count)\n@rate 0"))
        #expect(text(events).count == count)
        #expect(events.last == .finished(reason: "stop"))
    }

    @Test("the client's limit ends the answer with length")
    func limit() async throws {
        let events = try await play(prompt("@tokens 20\n@rate 0", max: 5))
        #expect(text(events).count == 5 && events.last == .finished(reason: "length"))
        #expect(try await play(prompt("@tokens 5\n@rate 0", max: 5)).last == .finished(reason: "stop"))
    }

    @Test("@rate paces by the clock")
    func rate() async throws {
        let clock = ManualClock()
        let stream = ScriptedProvider(clock: clock).stream(prompt("@tokens 3\n@rate 50"))
        _ = try await stream.next()
        async let advanced: Void = {
            await clock.waitForSleeper()
            clock.advance(by: .milliseconds(19))
            #expect(clock.sleepers == 1)
            clock.advance(by: .milliseconds(1))
        }()
        let second = try await stream.next()
        await advanced
        #expect(second != nil && clock.nowNanoseconds == 20_000_000)
    }

    @Test("@tool and @code emit tool calls whose fragments join to the arguments")
    func tools() async throws {
        let events = try await play(
            prompt("@rate 0\n@tool mail.send {\"to\": \"a b\"}\n@code\n```python\nprint(1)\nprint(2)\n```\n@tokens 2"))
        var arguments = ["", ""]
        var names: [String] = []
        for case .toolCallDelta(let delta) in events {
            arguments[delta.index] += delta.argumentsFragment
            if let name = delta.name { names.append(name) }
            #expect(delta.tokens == 1)
        }
        #expect(text(events).count == 2)
        #expect(names == ["mail.send", "run_code"])
        #expect(arguments == ["{\"to\": \"a b\"}", "{\"code\":\"print(1)\\nprint(2)\"}"])
        #expect(events.last == .finished(reason: "tool_calls"))
    }

    @Test("@fail after N fails after exactly N tokens")
    func fails() async {
        let stream = ScriptedProvider().stream(prompt("@tokens 9\n@rate 0\n@fail after 4"))
        var count = 0
        await #expect(throws: ProviderError.self) {
            while let event = try await stream.next() { if case .delta = event { count += 1 } }
        }
        #expect(count == 4)
    }

    @Test("@nousage leaves the usage out")
    func noUsage() async throws {
        let events = try await play(prompt("@tokens 2\n@rate 0\n@nousage"))
        #expect(events.count == 3 && events.last == .finished(reason: "stop"))
    }

    @Test(
        "what is no well-formed control is plain text",
        arguments: [
            "@tokens many", "@tokens -1", "@tokens 99999999999", "@rate", "@fail 3", "@tool", "@tool x [1]", "@tool x {",
            "@code\nno fence", "@code\n```\nopen", " tokens 4", "@Tokens 4",
        ])
    func malformed(line: String) {
        #expect(Script(line) == Script())
    }

    @Test("after a tool's result it answers with that result and obeys no control again")
    func toolResult() async throws {
        let request = ModelRequest(
            model: "demo",
            messages: [
                ModelMessage(role: "user", text: "@rate 0\n@tool x {}"), ModelMessage(role: "tool", text: "42 apples"),
            ])
        let clock = ManualClock()
        let stream = ScriptedProvider(clock: clock).stream(request)
        #expect(try await stream.next() == .delta(ModelDelta(text: "The", tokens: 1)))
    }

    /// What it says when tools have answered these results, a round each.
    private func play(_ text: String, after rounds: [[String]], said: String = "") async throws(ProviderError) -> [ModelEvent] {
        var messages = [ModelMessage(role: "user", text: text)]
        for (round, results) in rounds.enumerated() {
            let calls = results.indices.map { index -> JSONValue in
                ["id": .string("r\(round)\(index)"), "function": ["name": .string("tool\(index)")]]
            }
            messages.append(ModelMessage(role: "assistant", content: .string(said), extra: JSONObject([("tool_calls", .array(calls))])))
            for (index, result) in results.enumerated() {
                let id = JSONObject([("tool_call_id", .string("r\(round)\(index)"))])
                messages.append(ModelMessage(role: "tool", content: .string(result), extra: id))
            }
        }
        return try await play(ModelRequest(model: "demo", messages: messages))
    }

    @Test("@then: what follows it is done after the tools have answered, and the calls' names go on")
    func then() async throws {
        let text = "@rate 0\n@tool a {}\n@then\n@tokens 2\n@tool b {}\n@tool c {}\n@then\n@code\n```\n@then\n```\n@then\n@tokens 1"
        var seen: [[String?]] = []
        var words: [Int] = []
        for rounds in 0..<5 {
            let events = try await play(text, after: Array(repeating: ["x"], count: rounds))
            words.append(self.text(events).count)
            seen.append(
                events.compactMap { event in
                    guard case .toolCallDelta(let delta) = event, let name = delta.name else { return nil }
                    return "\(name) \(delta.id ?? "")"
                })
        }
        #expect(seen == [["a call_1"], ["b call_2", "c call_3"], ["run_code call_3"], [], []])
        // The last round's own length; after the script, the result.
        #expect(words == [0, 2, 0, 1, 4])
    }

    @Test("after the script it tells all results, with their tools' names where they are several")
    func allResults() async throws {
        let one = try await play("@rate 0\n@then", after: [["four"]])
        #expect(text(one).joined() == "The tool answered: four" && one.last == .finished(reason: "stop"))
        let both = try await play("@rate 0\n@then", after: [["zero"], ["four", "five"]], said: "Hm.")
        #expect(text(both).joined() == "\n\nThe tools answered:\ntool0: four\ntool1: five")
    }

    @Test("a later round is as fast as the one before it; without @then an answer to a tool keeps its own pace")
    func paceOfRounds() {
        #expect(Script.rounds("@rate 7\n@then\n@tokens 1\n@then\n@rate 9\n@then").map(\.rate) == [7, 7, 9, 9])
        #expect(Script.afterLast(of: Script.rounds("@rate 7\n@then")).rate == 7)
        #expect(Script.afterLast(of: Script.rounds("@rate 7")) == Script())
        #expect(Script.rounds("@then later").count == 1 && Script.rounds("@then").count == 2)
        let many = Script.rounds(String(repeating: "@then\n", count: ScriptLimits.roundsMax + 9))
        #expect(many.count == ScriptLimits.roundsMax)
    }

    @Test("words are counted as they are split")
    func counting() async {
        await forSeeds(0..<200) { seed, generator in
            let pieces = ["a", " ", "\n", "bc", "\t", "é", "  "]
            let text = (0..<20).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            let tokens = ScriptedText.tokens(of: text)
            #expect(tokens.joined() == text, "seed \(seed)")
            let words = text.split(whereSeparator: \.isWhitespace).count
            #expect(ScriptedText.count(text) == words, "seed \(seed)")
        }
    }
}
