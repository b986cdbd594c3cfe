import Accounting
import Engine
import JSON
import Testing

@testable import kdcube

@Suite("What all servers do, put together (pure)")
struct FleetTests {
    private let now: Int64 = 1_764_000_000_000

    private func row(_ run: String, org: OrgID = "acme", tokens: Int64 = 1, node: String = "n1") -> StreamRow {
        StreamRow(
            run: run, org: org, project: "web", user: "ann", key: nil, model: "demo", conversation: "c1", phase: "streaming", waiting: nil,
            tool: nil, startedAt: now - 5_000, deliveredTokens: tokens, inputTokens: 2, outputTokens: tokens, cost: NanoUSD(1_500),
            rate: StreamRate(tokens: 125, cost: 2_000_000), stops: nil, node: node)
    }

    private func report(_ node: String, _ rows: [StreamRow], at: Int64 = 0) -> ServerReport {
        var report = ServerReport(node: node, at: now + at)
        report.version = "1"
        report.runs = Int64(rows.count)
        report.streams = rows
        for row in rows { report.totals[row.org] = (report.totals[row.org] ?? OrgTotals()) + OrgTotals(runs: 1, rate: row.rate) }
        report.rate = rows.reduce(StreamRate()) { $0 + $1.rate }
        return report
    }

    @Test("a row is read as it was written, and has what the page shows")
    func rows() throws {
        let row = row("run_a", tokens: 7)
        #expect(StreamRow(row.json) == row)
        #expect(row.json["state"] == "running" && row.json["tokens_per_second"]?.numberText == "12.5")
        #expect(row.json["cost_per_minute_usd"] == "0.002" && row.json["usage"]?["output_tokens"] == 7)
        #expect(StreamRow(["run_id": "run_a"]) == nil && StreamRow(.null) == nil)
    }

    @Test("a report is read as it was written; one of another release, or none at all, does no harm")
    func reports() throws {
        var written = report("n1", [row("run_a"), row("run_b", org: "beta")])
        written.minutes.change("acme", now: now) { $0.tokens = 9 }
        written.problems = ["Redis cannot be reached"]
        let read = try #require(ServerReport(try NodeReport(written)))
        #expect(read == written)
        #expect(ServerReport(try NodeReport(node: "n", at: Milliseconds(1), report: #"{"runs":3,"new":[]}"#))?.runs == 3)
        for text in ["", "[]", "{", "7"] { #expect(ServerReport(try NodeReport(node: "n", at: Milliseconds(1), report: text)) == nil) }
        let hostile = #"{"streams":[1,{}],"minutes":{"a":[[1]],"b":7},"orgs":{"a":[1]}}"#
        let empty = try #require(ServerReport(try NodeReport(node: "n", at: Milliseconds(1), report: hostile)))
        #expect(empty.streams.isEmpty && empty.totals.isEmpty && empty.minutes.orgs.isEmpty)
    }

    @Test("a tenant sees its own rows, an operator all; of a run that two servers name the newest word counts")
    func tenants() {
        let reports = [
            report("n1", [row("run_a", tokens: 5), row("run_b", org: "beta")], at: 5),
            report("n2", [row("run_a", tokens: 1, node: "n2"), row("run_c", node: "n2")]),
        ]
        let view = FleetView(reports: reports, minutes: MinuteBook(), isWhole: true)
        #expect(view.streams(.one("acme")).map(\.run) == ["run_a", "run_c"])
        #expect(view.streams(.one("acme")).first?.node == "n1")
        #expect(view.streams(.one("other")).isEmpty)
        #expect(view.streams(.all).count == 3)
        #expect(view.totals(.one("beta")) == OrgTotals(runs: 1, rate: StreamRate(tokens: 125, cost: 2_000_000)))
        #expect(view.totals(.all).runs == 4)
    }

    @Test("now: an hour of minutes, sums, and what is wrong anywhere said once")
    func nows() throws {
        var minutes = MinuteBook()
        minutes.change("acme", now: now) {
            $0 = MinuteBook.Minute(runs: 2, tokens: 10, cost: 1_000_000_000, cuts: 1, allowed: 3, denied: 1)
        }
        minutes.change("beta", now: now) { $0.cuts = 7 }
        var first = report("n1", [row("run_a")])
        first.problems = ["a", "b"]
        var second = report("n2", [])
        second.problems = ["b"]
        let view = FleetView(reports: [first, second], minutes: minutes, isWhole: false)
        let now = view.now(.one("acme"), approvals: 4, at: self.now)
        #expect(now["runs"] == 1 && now["cuts_last_hour"] == 1 && now["approvals_waiting"] == 4 && now["health"] == "degraded")
        #expect(now["decisions_last_hour"] == ["allow": 3, "deny": 1])
        #expect(now["problems"] == ["a", "b", "other servers cannot be seen"])
        let lines = try #require(now["lines"])
        for name in ["runs", "tokens", "cost_usd", "cuts"] { #expect(lines[name]?.arrayValue?.count == 60) }
        #expect(lines["cost_usd"]?.arrayValue?.last == "1.00" && lines["cuts"]?.arrayValue?.first == 0)
        #expect(view.now(.all, approvals: 0, at: self.now)["cuts_last_hour"] == 8)
    }

    @Test("only what has changed is told, and what is no more")
    func diffs() {
        var diff = StreamDiff()
        #expect(diff.take([row("run_a"), row("run_b")]).data.count == 2)
        let second = diff.take([row("run_a"), row("run_b", tokens: 2)])
        #expect(second.data.map(\.run) == ["run_b"] && second.gone.isEmpty)
        let third = diff.take([row("run_c")])
        #expect(third.data.map(\.run) == ["run_c"] && third.gone == ["run_a", "run_b"])
        #expect(diff.take([row("run_c")]).data.isEmpty)
    }

    @Test("the named organisations of a report are bounded, and the sum stays right")
    func totals() throws {
        let totals = Dictionary(
            uniqueKeysWithValues: try (0..<300).map { number in
                (try OrgID("org\(number)") as OrgID?, OrgTotals(runs: Int64(number), rate: StreamRate()))
            })
        let bounded = ServerReport.bounded(totals)
        #expect(bounded.count == LiveLimits.orgs + 1 && bounded["org299"]?.runs == 299 && bounded["org0"] == nil)
        #expect(bounded.values.reduce(0) { $0 + $1.runs } == totals.values.reduce(0) { $0 + $1.runs })
    }

    @Test(
        "ranges of the chain go from its beginning to its end without gaps",
        arguments: [
            (10, 8, Int64?.some(5), ["1-5 anchored", "6-8 signed", "9-10 open"]), (10, 10, nil, ["1-10 signed"]),
            (10, 0, 0, ["1-10 open"]), (0, 0, nil, []), (5, 9, 9, ["1-5 anchored"]),
        ])
    func ranges(last: Int64, signed: Int64, anchored: Int64?, expected: [String]) {
        let standing = AuditStanding(org: "a", first: last > 0 ? 1 : nil, last: last, signedTo: signed, anchoredTo: anchored, signedAt: nil)
        #expect(standing.ranges.map { "\($0.from)-\($0.to) \($0.state)" } == expected)
    }
}
