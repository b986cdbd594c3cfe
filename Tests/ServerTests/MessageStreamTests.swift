import Engine
import JSON
import Testing

@testable import kdcube

@Suite("A message in Anthropic's dialect")
struct MessageStreamTests {
    private static var settled: SettledUsage {
        var settled = SettledUsage(inputTokens: 13, outputTokens: 5, costUSD: "0.01")
        (settled.details.cacheRead, settled.details.cacheWrite) = (7, 2)
        return settled
    }
    private static let cut = CutDescription(
        reason: .budgetExceeded, scopeKind: "project", scopeID: "acme/web", unit: "usd", window: "day", limit: "5.00", used: "5.00",
        resetsAt: 1_000)
    private let object = MessageObject(run: RunID(), model: "m", promptEstimate: 11)

    private func delta(_ text: String, _ marker: DeltaMarker = .answer, index: Int = 0) -> RunEventBody {
        .delta(RunDelta(utf8: Array(text.utf8), marker: marker, index: index))
    }

    private func call(_ index: Int, isServers: Bool = false) -> RunEventBody {
        var data = JSONObject([("tool", "f"), ("call_id", .string("c\(index)")), ("index", .integer(Int64(index)))])
        if isServers { data["server"] = true }
        return .step(RunStep(step: "tool_call", status: .started, title: "f", data: data))
    }

    private func events(_ bodies: [RunEventBody], errorOnCut: Bool = true) throws -> [JSONValue] {
        var stream = MessageStream(object, errorOnCut: errorOnCut, requestID: "req")
        let entries = bodies.enumerated().map { LogEntry(firstSeq: $0.offset + 1, seq: $0.offset + 1, timestamp: 0, body: $0.element) }
        let text = String(decoding: stream.opening() + stream.bytes(for: entries), as: UTF8.self)
        return try text.split(separator: "\n\n").map { event in
            let lines = event.split(separator: "\n")
            let data = try JSONValue(parsing: String(lines[1].dropFirst("data: ".count)))
            #expect(lines.count == 2 && data["type"]?.stringValue == String(lines[0].dropFirst("event: ".count)))
            return data
        }
    }

    private func names(_ events: [JSONValue]) -> [String] {
        events.map { ($0["type"]?.stringValue ?? "") + ($0["index"].map { ":\($0.jsonText)" } ?? "") }
    }

    @Test("thinking, text and calls are blocks that follow each other; the server's own calls are not shown")
    func blocks() throws {
        let bodies = [
            delta("hm", .thinking), delta("Hel"), delta("lo"), call(0, isServers: true), delta("{}", .tool, index: 0), call(1),
            delta(#"{"a":1}"#, .tool, index: 1), .complete(finalAnswer: "Hello", finishReason: "tool_calls", Self.settled),
        ]
        let events = try events(bodies)
        #expect(
            names(events) == [
                "message_start", "ping", "content_block_start:0", "content_block_delta:0", "content_block_stop:0", "content_block_start:1",
                "content_block_delta:1", "content_block_delta:1", "content_block_stop:1", "content_block_start:2", "content_block_delta:2",
                "content_block_stop:2", "message_delta", "message_stop",
            ])
        #expect(events[0]["message"]?["usage"]?["input_tokens"] == 11 && events[0]["message"]?["stop_reason"] == .null)
        #expect(events[9]["content_block"] == ["type": "tool_use", "id": "c1", "name": "f", "input": .object(JSONObject())])
        #expect(events[10]["delta"] == ["type": "input_json_delta", "partial_json": #"{"a":1}"#])
        #expect(events[12]["delta"]?["stop_reason"] == "tool_use")
        #expect(
            events[12]["usage"] == [
                "input_tokens": 4, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 7, "output_tokens": 5,
            ])
        let whole = try whole(bodies)
        #expect(
            whole["content"] == [
                ["type": "thinking", "thinking": "hm", "signature": ""], ["type": "text", "text": "Hello"],
                ["type": "tool_use", "id": "c1", "name": "f", "input": ["a": 1]],
            ])
    }

    @Test("thinking is sealed by its author, also where it is not shown")
    func seals() throws {
        func seal(_ key: String, _ text: String) -> RunEventBody {
            .step(RunStep(step: ThinkingSeal.step, status: .completed, title: "", data: JSONObject([(key, .string(text))])))
        }
        let bodies = [
            delta("hm", .thinking), seal("signature", "s1"), seal("signature", "s2"), seal("redacted", "r"), delta("a"),
            .complete(finalAnswer: "a", finishReason: "stop", Self.settled),
        ]
        let events = try events(bodies)
        #expect(
            names(events).dropFirst(2).dropLast(2) == [
                "content_block_start:0", "content_block_delta:0", "content_block_delta:0", "content_block_stop:0", "content_block_start:1",
                "content_block_delta:1", "content_block_stop:1", "content_block_start:2", "content_block_stop:2", "content_block_start:3",
                "content_block_delta:3", "content_block_stop:3",
            ])
        #expect(events[4]["delta"] == ["type": "signature_delta", "signature": "s1"])
        #expect(
            try whole(bodies)["content"] == [
                ["type": "thinking", "thinking": "hm", "signature": "s1"], ["type": "thinking", "thinking": "", "signature": "s2"],
                ["type": "redacted_thinking", "data": "r"], ["type": "text", "text": "a"],
            ])
    }

    private func whole(_ bodies: [RunEventBody]) throws -> JSONValue {
        var content = ContentBlocks()
        for body in bodies { _ = content.take(body) }
        return try object.whole(content)
    }

    @Test("a cut closes its block, says why, and ends with an error or as the key wants it")
    func cut() throws {
        let bodies = [delta("Hel"), call(0), delta(#"{"amount":1"#, .tool), .cut(Self.cut, Self.settled)]
        let ending = try events(bodies).suffix(3)
        #expect(names(Array(ending)) == ["content_block_stop:1", "message_delta", "error"])
        #expect(ending.dropFirst().first?["delta"]?["stop_reason"] == "max_tokens")
        #expect(ending.dropFirst().first?["x_cut"]?["scope"]?["id"] == "acme/web")
        #expect(ending.last?["error"]?["type"] == "billing_error" && ending.last?["error"]?["code"] == "budget_exceeded")
        #expect(ending.last?["request_id"] == "req")
        #expect(names(try events(bodies, errorOnCut: false)).suffix(2) == ["message_delta", "message_stop"])
        let whole = try whole(bodies)
        #expect(whole["stop_reason"] == "max_tokens" && whole["x_cut"]?["reason"] == "budget_exceeded")
        #expect(whole["content"] == [["type": "text", "text": "Hel"]], "a truncated call must not look like one that may be made")
    }

    @Test("a failure and a gap are errors, and nothing follows them")
    func failures() throws {
        let failed = try events([delta("a"), .error(code: "upstream_error", message: "gone", Self.settled), delta("b")])
        #expect(names(failed).suffix(3) == ["content_block_stop:0", "message_delta", "error"])
        #expect(failed.last?["error"]?["type"] == "api_error" && failed.last?["error"]?["code"] == "upstream_error")
        #expect(try events([.gap, delta("b")]).last?["error"]?["code"] == "events_lost")
        #expect(throws: HTTPFailure.self) { try whole([.error(code: "upstream_error", message: "gone", Self.settled)]) }
        #expect(throws: HTTPFailure.self) { try whole([]) }
    }

    @Test(
        "finish reasons in Anthropic's words",
        arguments: [
            ("stop", "end_turn"), ("length", "max_tokens"), ("tool_calls", "tool_use"), ("content_filter", "refusal"),
            ("stop_sequence", "stop_sequence"), ("cancelled", "end_turn"), ("tool_denied", "end_turn"),
        ])
    func reasons(ours: String, theirs: String) { #expect(ours.anthropicStopReason == theirs) }
}
