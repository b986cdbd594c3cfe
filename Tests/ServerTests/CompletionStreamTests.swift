import Engine
import Foundation
import HTTPTypes
import JSON
import Testing

@testable import kdcube

@Suite("A streamed completion in OpenAI's dialect")
struct CompletionStreamTests {
    private let settled = SettledUsage(inputTokens: 3, outputTokens: 2, costUSD: "0.01")
    private let cut = CutDescription(
        reason: .budgetExceeded, scopeKind: "project", scopeID: "acme/web", unit: "usd", window: "day", limit: "5.00", used: "5.00",
        resetsAt: 1_000)

    private func lines(_ bodies: [RunEventBody], includesUsage: Bool = true, errorOnCut: Bool = true) throws -> [JSONValue] {
        let chunks = ChatCompletionChunks(id: "c", created: 1, model: "m", includesUsage: includesUsage)
        var stream = CompletionStream(chunks: chunks, run: RunID(), errorOnCut: errorOnCut)
        let entries = bodies.enumerated().map { LogEntry(firstSeq: $0.offset + 1, seq: $0.offset + 1, timestamp: 0, body: $0.element) }
        let text = String(decoding: stream.bytes(for: entries), as: UTF8.self)
        return try text.split(separator: "\n\n").map { line in
            let data = try #require(line.hasPrefix("data: ") ? line.dropFirst(6) : nil)
            return data == "[DONE]" ? "[DONE]" : try JSONValue(parsing: String(data))
        }
    }

    private func delta(_ text: String, _ marker: DeltaMarker = .answer, index: Int = 0) -> RunEventBody {
        .delta(RunDelta(utf8: Array(text.utf8), marker: marker, index: index))
    }

    @Test("a cut ends with finish reason, x_cut, usage, error and [DONE], in this order")
    func cutOrder() throws {
        let lines = try lines([delta("Hel"), .cut(cut, settled)])
        try #require(lines.count == 5)
        #expect(lines[0]["choices"]?.arrayValue?[0]["delta"]?["content"] == "Hel")
        #expect(lines[1]["choices"]?.arrayValue?[0]["finish_reason"] == "length")
        #expect(lines[1]["x_cut"]?["scope"]?["id"] == "acme/web")
        #expect(lines[2]["usage"]?["completion_tokens"] == 2)
        #expect(lines[3]["error"]?["code"] == "budget_exceeded")
        #expect(lines[4] == "[DONE]")
    }

    @Test("on_cut=finish leaves the error out")
    func finish() throws {
        let lines = try lines([.cut(cut, settled)], includesUsage: false, errorOnCut: false)
        #expect(lines.count == 2 && lines[0]["x_cut"] != nil && lines[1] == "[DONE]")
    }

    @Test("other chunks carry `usage: null` only for a client that asked for usage")
    func usage() throws {
        #expect(try lines([delta("a")])[0]["usage"] == .null)
        #expect(try lines([delta("a")], includesUsage: false)[0]["usage"] == nil)
        let ended = try lines([.complete(finalAnswer: "a", finishReason: "cancelled", settled)])
        #expect(ended[0]["choices"]?.arrayValue?[0]["finish_reason"] == "stop")
        #expect(ended[1]["choices"] == [] && ended[1]["usage"]?["total_tokens"] == 5)
    }

    @Test("a failure becomes an error event before [DONE] (complaint 35)")
    func failure() throws {
        let lines = try lines([.error(code: "upstream_error", message: "gone", settled)], includesUsage: false)
        #expect(lines.count == 2 && lines[0]["error"]?["code"] == "upstream_error" && lines[1] == "[DONE]")
    }

    @Test("a tool call is opened with id and name and continued with arguments; as one object it is whole")
    func toolCall() throws {
        let data = JSONObject([("tool", "f"), ("call_id", "call_1"), ("index", 0)])
        let bodies: [RunEventBody] = [
            .step(RunStep(step: "tool_call", status: .started, title: "f", data: data)), delta(#"{"a""#, .tool), delta(":1}", .tool),
            .complete(finalAnswer: "", finishReason: "tool_calls", settled),
        ]
        let lines = try lines(bodies, includesUsage: false)
        #expect(lines[0]["choices"]?.arrayValue?[0]["delta"]?["tool_calls"]?.arrayValue?[0]["function"]?["name"] == "f")
        #expect(lines[1]["choices"]?.arrayValue?[0]["delta"]?["tool_calls"]?.arrayValue?[0]["function"]?["arguments"] == #"{"a""#)
        var answer = CompletionAnswer(id: "c", run: RunID(), created: 1, model: "m")
        for body in bodies { answer.add(body) }
        let call = try answer.json()["choices"]?.arrayValue?[0]["message"]?["tool_calls"]?.arrayValue?[0]
        #expect(call?["function"]?["arguments"] == #"{"a":1}"# && call?["id"] == "call_1")
    }

    @Test("a cut answer that is sent whole says so and never shows a truncated tool call")
    func cutWhole() throws {
        var answer = CompletionAnswer(id: "c", run: RunID(), created: 1, model: "m")
        let data = JSONObject([("tool", "f"), ("call_id", "call_1"), ("index", 0)])
        answer.add(.step(RunStep(step: "tool_call", status: .started, title: "f", data: data)))
        answer.add(delta(#"{"amount":1"#, .tool))
        answer.add(.cut(cut, settled))
        let json = try answer.json()
        #expect(json["choices"]?.arrayValue?[0]["finish_reason"] == "length" && json["x_cut"]?["reason"] == "budget_exceeded")
        #expect(json["choices"]?.arrayValue?[0]["message"]?["tool_calls"] == nil)
    }

    @Test("refusals carry the status and the retry advice of their cause")
    func refusals() {
        let budget = HTTPFailure(cut)
        #expect(budget.status.code == 402 && budget.headers[.shouldRetry] == "false")
        let rate = HTTPFailure(
            CutDescription(
                reason: .rateLimited, scopeKind: "org", scopeID: "a", unit: "tokens", window: "minute", limit: "5", used: "5",
                resetsAt: 9_000),
            now: .init(timeIntervalSince1970: 5))
        #expect(rate.status.code == 429 && rate.headers[.retryAfter] == "4")
        #expect(HTTPFailure(CutDescription(reason: .accountingUnavailable)).status.code == 503)
        #expect(HTTPFailure(StartFailure(.modelNotFound, "")).status.code == 404)
        #expect(HTTPFailure(StartFailure(.serverShutdown, "")).headers[.retryAfter] == "1")
    }
}
