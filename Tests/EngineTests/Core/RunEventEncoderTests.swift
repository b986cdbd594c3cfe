import JSON
import Testing

@testable import Engine

@Suite("Run event envelopes, golden (contract §3)")
struct RunEventEncoderTests {
    private static let head =
        #","ts":1700000000123,"conversation":{"conversation_id":"c1","turn_id":"t1"}"#
    private static let settled = SettledUsage(inputTokens: 3, outputTokens: 14, costUSD: "0.00125")

    struct Golden: Sendable, CustomTestStringConvertible {
        let body: RunEventBody
        var firstSeq = 7
        let name: String
        /// What stands after the conversation.
        let rest: String
        var testDescription: String { name }
    }

    static let goldens: [Golden] = [
        Golden(
            body: .start(model: "demo", message: "Hi \"you\"\n"), name: "chat_start",
            rest: #","data":{"model":"demo","message":"Hi \"you\"\n"}}"#),
        Golden(
            body: .step(
                RunStep(
                    step: "tool_call", status: .running, title: "crm.lookup",
                    data: JSONObject([("tool", "crm.lookup"), ("call_id", "call_1"), ("args", ["id": 4])]))),
            name: "chat_step",
            rest: #","event":{"step":"tool_call","status":"running","title":"crm.lookup"},"#
                + #""data":{"tool":"crm.lookup","call_id":"call_1","args":{"id":4}}}"#),
        Golden(
            body: .delta(RunDelta(utf8: Array(" café".utf8), marker: .thinking, index: 1)), name: "chat_delta",
            rest: #","delta":{"text":" café","index":1,"marker":"thinking"}}"#),
        Golden(
            body: .delta(RunDelta(utf8: Array("a b".utf8), marker: .answer, index: 0)), firstSeq: 5, name: "chat_delta",
            rest: #","delta":{"text":"a b","index":0,"marker":"answer"}}"#),
        Golden(
            body: .usage(
                UsageReport(
                    inputTokens: 3, outputTokens: 9, costUSD: "0.0009",
                    windows: [
                        WindowReport(
                            scope: "org:acme", unit: "usd", window: "day", limit: "1.00", used: "0.8", held: "0.01"),
                        WindowReport(
                            scope: "user:acme/p/u", unit: "tokens", window: "minute", limit: "100", used: "90",
                            held: "0"),
                    ], warning: 80)), name: "chat_usage",
            rest: #","usage":{"input_tokens":3,"output_tokens":9},"cost_usd":"0.0009","windows":["#
                + #"{"scope":"org:acme","unit":"usd","window":"day","limit":"1.00","used":"0.8","held":"0.01"},"#
                + #"{"scope":"user:acme/p/u","unit":"tokens","window":"minute","limit":100,"used":90,"held":0}],"#
                + #""warning":80}"#),
        Golden(
            body: .approval(
                RunApproval(
                    id: "ap1", tool: "mail.send", args: ["to": "x"], from: "group:finance", quorum: 2,
                    expiresAt: 1_700_000_060_000, state: "pending")), name: "chat_approval",
            rest: #","approval":{"id":"ap1","tool":"mail.send","args":{"to":"x"},"from":"group:finance","quorum":2,"agreed":0,"#
                + #""expires_at":1700000060000,"state":"pending"}}"#),
        Golden(
            body: .cut(
                CutDescription(
                    reason: .budgetExceeded, scopeKind: "org", scopeID: "acme", unit: "usd", window: "day",
                    limit: "1.00", used: "0.99999", resetsAt: 1_700_006_400_000, decisionID: "d1"), settled),
            name: "chat_cut",
            rest: #","cut":{"reason":"budget_exceeded","scope":{"kind":"org","id":"acme"},"unit":"usd","window":"day","#
                + #""limit":"1.00","used":"0.99999","resets_at":1700006400000,"decision_id":"d1"},"#
                + #""usage":{"input_tokens":3,"output_tokens":14},"cost_usd":"0.00125"}"#),
        Golden(
            body: .cut(CutDescription(reason: .killed), settled), name: "chat_cut",
            rest: #","cut":{"reason":"killed","scope":null,"unit":null,"window":null,"limit":null,"used":null,"#
                + #""resets_at":null,"decision_id":null},"#
                + #""usage":{"input_tokens":3,"output_tokens":14},"cost_usd":"0.00125"}"#),
        Golden(
            body: .complete(
                finalAnswer: "Done.", finishReason: "stop",
                SettledUsage(inputTokens: 3, outputTokens: 2, costUSD: "0", isEstimated: true)),
            name: "chat_complete",
            rest: #","data":{"final_answer":"Done.","finish_reason":"stop"},"#
                + #""usage":{"input_tokens":3,"output_tokens":2,"estimated":true},"cost_usd":"0"}"#),
        Golden(
            body: .error(code: "upstream_error", message: "the upstream fell silent", settled), name: "chat_error",
            rest: #","error":{"code":"upstream_error","message":"the upstream fell silent"},"#
                + #""usage":{"input_tokens":3,"output_tokens":14},"cost_usd":"0.00125"}"#),
        Golden(body: .gap, firstSeq: 1, name: "gap", rest: "}"),
    ]

    @Test("each event type has exactly these bytes", arguments: goldens)
    func golden(_ golden: Golden) throws {
        let identity = RunIdentity(
            run: try #require(RunID("run_ABCDEFGHIJKLMNOPQRSTUVWX")),
            conversation: try #require(ConversationID("c1")), turn: try #require(TurnID("t1")))
        let entry = LogEntry(firstSeq: golden.firstSeq, seq: 7, timestamp: 1_700_000_000_123, body: golden.body)
        let first = golden.firstSeq == 7 ? "" : ",\"first_seq\":\(golden.firstSeq)"
        let expected =
            "{\"type\":\"\(golden.body.type)\",\"run_id\":\"run_ABCDEFGHIJKLMNOPQRSTUVWX\",\"seq\":7\(first)"
            + Self.head + golden.rest
        let bytes = RunEventEncoder.encode(entry, of: identity)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
        #expect(golden.body.eventName == golden.name)
        #expect(throws: Never.self) { try JSONValue(parsing: bytes) }
    }

    @Test("a run's name is unpredictable, URL-safe, and only its like is accepted from outside")
    func identifiers() {
        let ids = Set((0..<1_000).map { _ in RunID().text })
        #expect(ids.count == 1_000)
        #expect(ids.allSatisfy { RunID($0) != nil })
        #expect(RunID("run_short") == nil)
        #expect(RunID("run_ABCDEFGHIJKLMNOPQRSTUV/X") == nil)
        #expect(ConversationID("") == nil)
        #expect(ConversationID("a b") == nil)
        #expect(ConversationID("é") == nil)
        #expect(ConversationID(String(repeating: "x", count: 129)) == nil)
        #expect(ConversationID(String(repeating: "x", count: 128)) != nil)
    }
}
