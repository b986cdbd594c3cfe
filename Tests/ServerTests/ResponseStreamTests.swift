import Engine
import JSON
import Testing

@testable import kdcube

@Suite("A streamed response in OpenAI's dialect")
struct ResponseStreamTests {
    private let settled = SettledUsage(inputTokens: 3, outputTokens: 2, costUSD: "0.01")
    private let cut = CutDescription(
        reason: .budgetExceeded, scopeKind: "project", scopeID: "acme/web", unit: "usd", window: "day", limit: "5.00", used: "5.00",
        resetsAt: 1_000)
    private let run = RunID()

    private func object(_ request: String = #"{"model":"m","input":"hi"}"#) throws -> ResponseObject {
        ResponseObject(run: run, model: "m", startedAt: 5_000, echo: try ResponseRequest(JSONValue(parsing: request)).echo)
    }

    private func entries(_ bodies: [RunEventBody]) -> [LogEntry] {
        bodies.enumerated().map { LogEntry(firstSeq: $0.offset + 1, seq: $0.offset + 1, timestamp: 7_000, body: $0.element) }
    }

    /// The data of all events, checked for what holds of every stream: names repeat types, numbers are contiguous from zero.
    private func events(_ bodies: [RunEventBody], errorOnCut: Bool = true) throws -> [JSONValue] {
        var stream = ResponseStream(try object(), errorOnCut: errorOnCut)
        let text = String(decoding: stream.opening() + stream.bytes(for: entries(bodies)), as: UTF8.self)
        #expect(text.hasSuffix("\n\n"))
        let events = try text.split(separator: "\n\n").map { event in
            let lines = event.split(separator: "\n")
            try #require(lines.count == 2 && lines[0].hasPrefix("event: ") && lines[1].hasPrefix("data: "))
            let data = try JSONValue(parsing: String(lines[1].dropFirst(6)))
            #expect(data["type"]?.stringValue == String(lines[0].dropFirst(7)))
            return data
        }
        #expect(events.compactMap { $0["sequence_number"]?.integerValue } == Array(0..<Int64(events.count)))
        return events
    }

    private func types(_ events: [JSONValue]) -> [String] { events.compactMap { $0["type"]?.stringValue } }

    private func delta(_ text: String, _ marker: DeltaMarker = .answer, index: Int = 0) -> RunEventBody {
        .delta(RunDelta(utf8: Array(text.utf8), marker: marker, index: index))
    }

    private func call(_ index: Int, server: Bool = false) -> RunEventBody {
        var data = JSONObject([("tool", .string("f\(index)")), ("call_id", .string("call_\(index)")), ("index", .integer(Int64(index)))])
        if server { data["server"] = true }
        return .step(RunStep(step: "tool_call", status: .started, title: "f\(index)", data: data))
    }

    private let message = [
        "response.output_item.added", "response.content_part.added", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done",
    ]

    @Test("a text is opened, grows, is closed part by part, and stands in the response")
    func text() throws {
        let events = try events([
            .start(model: "m", message: "hi"), delta("Hel"), delta("lo"), .complete(finalAnswer: "Hello", finishReason: "stop", settled),
        ])
        let grows = [message[0], message[1], message[2], message[2], message[3], message[4], message[5]]
        #expect(types(events) == ["response.created", "response.in_progress"] + grows + ["response.completed"])
        #expect(events[0]["response"]?["status"] == "in_progress" && events[0]["response"]?["output"] == [])
        let item = try #require(events[2]["item"])
        #expect(item["status"] == "in_progress" && item["content"] == [] && item["role"] == "assistant")
        for event in events[3...7] { #expect(event["item_id"] == item["id"] && event["content_index"] == 0) }
        #expect(events[4]["delta"] == "Hel" && events[4]["logprobs"] == [] && events[4]["output_index"] == 0)
        #expect(events[6]["text"] == "Hello" && events[7]["part"]?["text"] == "Hello")
        let response = try #require(events[9]["response"])
        #expect(response["output"]?.arrayValue == [try #require(events[8]["item"])])
        #expect(response["id"] == .string("resp_" + run.suffix) && response["created_at"] == 5 && response["completed_at"] == 7)
        #expect(response["usage"]?["total_tokens"] == 5 && response["incomplete_details"] == .null && response["error"] == .null)
    }

    @Test("reasoning is an item of its own, before and after the text")
    func reasoning() throws {
        let events = try events([
            delta("hm", .thinking), delta("a"), delta("so", .thinking), delta("b"),
            .complete(finalAnswer: "ab", finishReason: "stop", settled),
        ])
        let reasoning = [
            "response.output_item.added", "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "response.output_item.done",
        ]
        #expect(types(Array(events[2..<26])) == reasoning + message + reasoning + message)
        #expect(events[4]["summary_index"] == 0 && events[4]["delta"] == "hm" && events[4]["logprobs"] == nil)
        let output = try #require(events[26]["response"]?["output"]?.arrayValue)
        #expect(output.compactMap { $0["type"]?.stringValue } == ["reasoning", "message", "reasoning", "message"])
        #expect(output[0]["summary"] == [["type": "summary_text", "text": "hm"]])
        #expect(Set(output.compactMap { $0["id"]?.stringValue }).count == 4)
    }

    @Test("a call grows by its arguments; two may grow at a time, and those of the server are nobody's")
    func calls() throws {
        let events = try events([
            delta("ok"), call(0), delta(#"{"a""#, .tool, index: 0), call(1), delta("{}", .tool, index: 1), delta(":1}", .tool, index: 0),
            call(2, server: true), delta("{}", .tool, index: 2), .complete(finalAnswer: "ok", finishReason: "tool_calls", settled),
        ])
        let arguments = ["response.function_call_arguments.done", "response.output_item.done"]
        let grows = "response.function_call_arguments.delta"
        #expect(
            types(Array(events[2...])) == message + ["response.output_item.added", grows, "response.output_item.added", grows, grows]
                + arguments + arguments + ["response.completed"])
        #expect(events[8]["item"]?["status"] == "in_progress" && events[8]["item"]?["arguments"] == "")
        #expect(events[12]["output_index"] == 1 && events[12]["delta"] == ":1}")
        #expect(events[13]["arguments"] == #"{"a":1}"# && events[13]["name"] == "f0")
        let output = try #require(events.last?["response"]?["output"]?.arrayValue)
        #expect(output.count == 3 && output[1]["arguments"] == #"{"a":1}"# && output[1]["call_id"] == "call_0")
        #expect(output[2]["status"] == "completed" && output[2]["name"] == "f1")
    }

    @Test("a cut ends with the incomplete text, response.incomplete and an error, in this order (complaint 35)")
    func cutOrder() throws {
        let events = try events([delta("Hel"), .cut(cut, settled)])
        #expect(types(Array(events[2...])) == message + ["response.incomplete", "error"])
        #expect(events[7]["item"]?["status"] == "incomplete")
        let response = try #require(events[8]["response"])
        #expect(response["status"] == "incomplete" && response["incomplete_details"]?["reason"] == "max_output_tokens")
        #expect(response["incomplete_details"]?["code"] == "budget_exceeded" && response["completed_at"] == .null)
        #expect(response["x_cut"]?["scope"]?["id"] == "acme/web" && response["x_cut"]?["run_id"] == .string(run.text))
        #expect(response["usage"]?["output_tokens"] == 2)
        #expect(events[9]["code"] == "budget_exceeded" && events[9]["error"]?["code"] == "budget_exceeded")
        #expect(events[9]["message"] == events[9]["error"]?["message"])
    }

    @Test("on_cut=finish leaves the error out")
    func finish() throws {
        #expect(types(try events([delta("a"), .cut(cut, settled)], errorOnCut: false)).last == "response.incomplete")
    }

    @Test("a call that was cut off is closed as incomplete and stands in no response")
    func cutCall() throws {
        for ending in [RunEventBody.cut(cut, settled), .complete(finalAnswer: "", finishReason: "length", settled)] {
            let events = try events([call(0), delta(#"{"amount":1"#, .tool), ending])
            #expect(!types(events).contains("response.function_call_arguments.done"))
            #expect(events[4]["type"] == "response.output_item.done" && events[4]["item"]?["status"] == "incomplete")
            #expect(events[5]["type"] == "response.incomplete" && events[5]["response"]?["output"] == [])
        }
    }

    @Test("a failure is response.failed with a code that SDKs know, and then the error with ours")
    func failure() throws {
        let events = try events([delta("a"), .error(code: "upstream_error", message: "gone", settled)])
        #expect(types(Array(events[8...])) == ["response.failed", "error"])
        let error = try #require(events[8]["response"]?["error"])
        #expect(error["code"] == "server_error" && error["x_code"] == "upstream_error" && error["message"] == "gone")
        #expect(events[9]["code"] == "upstream_error")
    }

    @Test("an answer that was cancelled is no whole one, and nothing follows a gap")
    func otherEnds() throws {
        let cancelled = try events([delta("a"), .complete(finalAnswer: "a", finishReason: "cancelled", settled)])
        #expect(cancelled.last?["type"] == "response.incomplete" && cancelled.last?["response"]?["status"] == "cancelled")
        let lost = try events([.gap, delta("a"), .complete(finalAnswer: "a", finishReason: "stop", settled)])
        #expect(types(lost) == ["response.created", "response.in_progress", "error"] && lost[2]["code"] == "events_lost")
        let filtered = try events([.complete(finalAnswer: "", finishReason: "content_filter", settled)])
        #expect(filtered[2]["response"]?["incomplete_details"]?["reason"] == "content_filter")
    }

    @Test("the response repeats what was asked, and says truly that it is not stored")
    func echo() throws {
        let request = """
            {"model":"m","input":"hi","instructions":"Be brief.","tools":[{"type":"function","name":"f","parameters":{}}],"store":true,
            "temperature":0.5,"metadata":{"a":"b"},"max_output_tokens":9,"reasoning":{"effort":"low"},"truncation":"auto"}
            """
        let response = try JSONValue(parsing: object(request).bytes(ResponseOutput(of: run)))
        #expect(response["instructions"] == "Be brief." && response["max_output_tokens"] == 9 && response["metadata"] == ["a": "b"])
        #expect(response["temperature"] == .number("0.5") && response["reasoning"] == ["effort": "low", "summary": .null])
        #expect(response["tools"]?.arrayValue?.count == 1 && response["tool_choice"] == "auto" && response["parallel_tool_calls"] == true)
        #expect(response["store"] == false && response["truncation"] == "disabled" && response["text"] == ["format": ["type": "text"]])
    }

    @Test("the names of a run and of its response lead to each other")
    func names() {
        #expect(RunID(responseID: run.responseID) == run)
        #expect(RunID(responseID: run.text) == nil && RunID(responseID: "resp_") == nil)
    }
}
