import Accounting
import JSON
import Testing

@testable import kdcube

@Suite("A run's story and timeline (pure)")
struct RunStoryTests {
    private let start = Milliseconds(1_764_000_000_000)
    private let digest = String(repeating: "a", count: 64)

    private func path() throws -> TenancyPath { try TenancyPath(org: "acme", project: "web", user: "ann", key: "k1") }

    private func record(
        _ seq: Int64, _ kind: ToolDecision.Kind, allowed: Bool = true, tool: String = "run.admission", message: String? = nil,
        code: String? = nil
    ) throws -> RecordedDecision {
        RecordedDecision(
            seq: seq,
            decision: try ToolDecision(
                id: "dec_\(seq)", path: path(), run: "run_a", callID: "", source: .server, tool: tool, argumentsDigest: digest,
                arguments: nil, decision: allowed ? .allow : .deny, code: code, message: message,
                at: start + Milliseconds(seq * 1_000), kind: kind, subject: kind == .admission ? "demo" : nil),
            outcome: nil, outcomeSeq: nil)
    }

    private func row(_ number: Int64, _ kind: LedgerRow.Kind = .commit) throws -> LedgerRow {
        LedgerRow(
            chargeID: "c\(number)", kind: kind, lease: "l",
            attribution: Attribution(path: try path(), run: "run_a", model: "demo", priceVersion: "1"),
            nanoUSD: 1_000, usage: UsageClasses(inputFresh: 1, outputVisible: 2), requests: 0, estimated: false,
            at: start + Milliseconds(number * 1_000 + 500))
    }

    private func explanation(_ state: RunExplanation.State, rows: [LedgerRow], end: RunEnd? = nil) throws -> RunExplanation {
        RunExplanation(run: "run_a", path: try path(), model: "demo", state: state, end: end, rows: rows, windows: [])
    }

    @Test(
        "what a run has ended with is its last row but for the notes to it",
        arguments: [LedgerRow.Kind.settle, .resolve, .commit, .suspense])
    func settled(_ kind: LedgerRow.Kind) throws {
        let isOver = kind == .settle || kind == .resolve
        let rows = [try row(1), try row(2, kind)]
        #expect(rows.settled?.kind == (isOver ? kind : nil))
        #expect((rows + [try row(3, .overrun)]).settled?.kind == (isOver ? kind : nil))
    }

    @Test("a cut run: who, how much, the calls, why, and the record, in five sentences; the timeline in its order")
    func cut() throws {
        let end = RunEnd(
            run: "run_a", path: try path(), model: "demo", outcome: .cut, detail: #"{"cut":{"unit":"usd"},"message":"It is spent."}"#,
            at: start + Milliseconds(4_000))
        let records = [
            try record(1, .admission), try record(2, .call, tool: "crm.lookup"),
            try record(3, .call, allowed: false, tool: "payments.refund", message: "Not you."),
            try record(4, .cut, allowed: false, message: "It is spent.", code: "budget_exceeded"),
        ]
        let story = RunStory(explanation: try explanation(.cut, rows: [try row(1), try row(3)], end: end), records: records)
        #expect(
            story.story == [
                "User ann of project acme/web asked the model demo at 2025-11-24T16:00:01Z.",
                "It read 2 tokens and wrote 4, which cost $0.000002.", "2 calls of tools were asked for; 1 of them was denied.",
                "It is spent.", "The record of that decision is dec_4.",
            ])
        #expect(story.timeline.map(\.kind) == ["admission", "charge", "tool", "tool", "charge", "cut", "end"])
        #expect(story.timeline[3].text == "payments.refund denied: Not you." && story.timeline[5].decisionID == "dec_4")
        #expect(story.json["story"]?.arrayValue?.count == 5 && story.json["state"] == "cut")
    }

    @Test("what ended the run is said before its end is kept, and a kill is no cut")
    func early() throws {
        let kill = try record(2, .cut, allowed: false, message: "An operator stopped this.", code: "killed")
        let story = RunStory(explanation: try explanation(.cut, rows: []), records: [try record(1, .admission), kill])
        #expect(story.story.contains("An operator stopped this."))
        #expect(story.timeline.map(\.kind) == ["admission", "kill", "end"])
    }

    @Test("a run that lives, one that completed, and one of which nothing but charges is left")
    func others() throws {
        let running = RunStory(explanation: try explanation(.running, rows: []), records: [try record(1, .admission)])
        #expect(running.story[1].hasPrefix("So far it has") && running.timeline.map(\.kind) == ["admission"])
        let complete = RunStory(explanation: try explanation(.complete, rows: [try row(1, .settle)]), records: [])
        #expect(complete.story.last == "It ended by itself and was not cut." && complete.timeline.map(\.kind) == ["charge", "end"])
        let refused = RunStory(
            explanation: try explanation(.cut, rows: []), records: [try record(1, .admission, allowed: false, message: "No room.")])
        #expect(refused.timeline.first?.text == "not admitted: No room.")
    }

    @Test("a run of thousands of charges shows its beginning and its end")
    func long() throws {
        let rows = try (1...5_000).map { try row(Int64($0)) }
        let timeline = RunStory(explanation: try explanation(.running, rows: rows), records: []).timeline
        #expect(timeline.count == RunStory.charges && timeline.last?.at == rows.last?.at.rawValue)
    }

    @Test(
        "counts stand as in the tables beside it",
        arguments: [(0, "0"), (999, "999"), (1_331, "1,331"), (-12_345_678, "-12,345,678")] as [(Int64, String)])
    func grouped(count: Int64, text: String) { #expect(count.grouped == text) }
}
