import Accounting
import Engine
import HTTPTypes
import JSON
import Testing

@testable import kdcube

@Suite("Ledger lines and budget headers (pure)")
struct LedgerLineTests {
    private func row(user: String?, nano: Int64 = 17_500, model: String = "demo") throws -> LedgerRow {
        LedgerRow(
            chargeID: "run.1:1:settle", kind: .settle, lease: "run.1",
            attribution: Attribution(
                path: try TenancyPath(org: "acme", project: "web", user: user, key: "k1"), run: "run", model: model, priceVersion: "v1"),
            nanoUSD: nano, usage: UsageClasses(inputFresh: 1, inputCacheRead: 2, inputCacheWrite: 3, outputVisible: 4, outputReasoning: 5),
            requests: 1, estimated: true, at: Milliseconds(1_764_000_000_042))
    }

    @Test(
        "a text that a spreadsheet would compute becomes text; numbers stay numbers",
        arguments: [
            ("=1+1", "'=1+1"), ("@sum", "'@sum"), ("+49", "'+49"), ("-x", "'-x"), ("ann", "ann"), ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""), ("two\nlines", "\"two\nlines\""), ("", ""), ("a=b", "a=b"),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
        ])
    func fields(text: String, field: String) {
        let quoted = field.hasPrefix("'") ? "\"\(field)\"" : field
        #expect(CSV.field(.text(text)) == quoted)
        #expect(CSV.field(.number("-0.01")) == "-0.01")
    }

    @Test("both formats say the same, money exact with its sign, time to the millisecond")
    func formats() throws {
        let lines = LedgerFormat.csv.text([try row(user: nil, nano: -17_500)]).split(separator: "\r\n")
        #expect(
            lines == [
                "run.1:1:settle,2025-11-24T16:00:00.042Z,settle,true,acme,web,,k1,run,demo,v1,-0.0000175,1,2,3,4,5,1,true,run.1,0"
            ])
        #expect(LedgerFormat.csv.head.split(separator: ",").count == 21)
        let json = try JSONValue(parsing: LedgerFormat.jsonl.text([try row(user: "=x")]))
        #expect(json["cost_usd"]?.stringValue == "0.0000175" && json["user"]?.stringValue == "=x")
        #expect(json["at"]?.stringValue == "2025-11-24T16:00:00.042Z" && json["estimated"]?.boolValue == true)
        #expect(json.objectValue?.members.map(\.key).sorted() == LedgerRow.columns.sorted())
    }

    @Test("days, instants and milliseconds are read; anything else is named")
    func selection() throws {
        let day = try LedgerSelection(scope: "org:acme", run: nil, from: "2025-11-24", to: "2025-11-24T16:00:00Z").query
        #expect(day.from == Milliseconds(1_763_942_400_000) && day.to == Milliseconds(1_764_000_000_000))
        #expect(try LedgerSelection(scope: nil, run: nil, from: "1764000000042", to: nil).query.from == Milliseconds(1_764_000_000_042))
        #expect(throws: LedgerSelection.Failure.self) { try LedgerSelection(scope: "team:x", run: nil, from: nil, to: nil) }
        #expect(throws: LedgerSelection.Failure.self) { try LedgerSelection(scope: nil, run: nil, from: "noon", to: nil) }
    }

    private func window(_ scope: String, _ unit: String, limit: String, used: String, held: String = "0", resetsAt: Int64?) -> WindowReport
    {
        WindowReport(scope: scope, unit: unit, window: "day", limit: limit, used: used, held: held, suspense: "1", resetsAt: resetsAt)
    }

    @Test("headers tell of the tightest window of each unit what nobody uses, holds or left in suspense")
    func headers() {
        let now = Milliseconds(1_764_000_000_000)
        let fields = BudgetHeaders.fields(
            [
                window("org:a", "tokens", limit: "1000", used: "100", resetsAt: now.rawValue + 90_000),
                window("user:a/b/c", "tokens", limit: "500", used: "100", held: "150", resetsAt: now.rawValue + 12),
                window("org:a", "requests", limit: "3", used: "9", resetsAt: nil),
            ], now: now)
        #expect(fields[.limitTokens] == "500" && fields[.remainingTokens] == "249" && fields[.resetTokens] == "12ms")
        #expect(fields[.remainingRequests] == "0" && fields[.resetRequests] == nil && fields[.budgetLimit] == nil)
        #expect(DurationText.of(milliseconds: 1_001) == "2s" && DurationText.of(seconds: 360) == "6m0s")
        #expect(DurationText.of(seconds: 86_399) == "23h59m59s")
    }
}
