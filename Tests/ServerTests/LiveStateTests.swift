import Accounting
import Engine
import JSON
import Testing

@testable import kdcube

@Suite("What a server says of its live runs (pure)")
struct LiveStateTests {
    private let start: Int64 = 1_764_000_000_000

    private func sample(
        _ run: String, _ tokens: Int64, org: OrgID = "acme", cost: Int64 = 0, state: RunStateMachine.State = .streaming,
        windows: [WindowReport] = []
    ) -> StreamSample {
        StreamSample(
            run: run, tenant: Tenant(org: org, project: "web", user: "ann", key: "k1"), model: "demo", state: state, startedAt: start,
            outputTokens: tokens, cost: NanoUSD(cost), windows: windows)
    }

    // MARK: Speeds

    @Test("a speed follows the last five seconds, and what a prompt cost is no speed")
    func rates() {
        var meter = RateMeter(startedAt: start, seenAt: start, cost: 1_000)
        #expect(meter.note(tokens: 0, cost: 1_000, now: start) == StreamRate())
        #expect(meter.note(tokens: 10, cost: 1_100, now: start + 1_000) == StreamRate(tokens: 100, cost: 6_000))
        for second in 2...10 {
            _ = meter.note(tokens: Int64(second) * 10, cost: 1_000 + Int64(second) * 100, now: start + Int64(second) * 1_000)
        }
        #expect(meter.note(tokens: 110, cost: 2_100, now: start + 11_000) == StreamRate(tokens: 100, cost: 6_000))
        // It stops: five seconds later nothing is left of its speed.
        for second in 12...16 { _ = meter.note(tokens: 110, cost: 2_100, now: start + Int64(second) * 1_000) }
        #expect(meter.note(tokens: 110, cost: 2_100, now: start + 16_500) == StreamRate())
        #expect(meter.isSilent(now: start + 16_500))
    }

    @Test("what was spent before a stream was first seen is no speed, its tokens are")
    func late() {
        var meter = RateMeter(startedAt: start, seenAt: start + 1_000, cost: 5_000)
        #expect(meter.note(tokens: 100, cost: 5_000, now: start + 1_000) == StreamRate(tokens: 1_000, cost: 0))
        #expect(meter.note(tokens: 200, cost: 6_000, now: start + 2_000) == StreamRate(tokens: 1_000, cost: 60_000))
    }

    @Test("many looks in a second keep a handful of points, and a clock that is put back begins anew")
    func clocks() {
        var meter = RateMeter(startedAt: start, seenAt: start, cost: 0)
        for look in 1...40 { _ = meter.note(tokens: Int64(look), cost: 0, now: start + Int64(look) * 250) }
        #expect(meter.note(tokens: 41, cost: 0, now: start + 41 * 250).tokens == 40)
        #expect(meter.note(tokens: 50, cost: 0, now: start - 60_000) == StreamRate())
        #expect(meter.note(tokens: 60, cost: 0, now: start - 59_000).tokens == 100)
    }

    // MARK: Which window stops it

    private func window(_ scope: String, _ limit: String, used: String, unit: String = "usd", resetsAt: Int64? = nil) -> WindowReport {
        WindowReport(scope: scope, unit: unit, window: "day", limit: limit, used: used, held: "0", resetsAt: resetsAt)
    }

    @Test("the window that is spent first stops it, by the speed of all of its streams")
    func forecast() throws {
        let org = window("org:acme", "1.00", used: "0.40")
        let user = window("user:acme/web/ann", "1.00", used: "0.70")
        var forecast = StreamForecast()
        // Sixty cents a minute each: the user has one stream, the organisation four.
        for _ in 0..<3 { forecast.add([org], StreamRate(tokens: 0, cost: 600_000_000)) }
        forecast.add([org, user], StreamRate(tokens: 0, cost: 600_000_000))
        let stop = try #require(forecast.stop(among: [org, user], now: start))
        #expect(stop.scope == "org:acme" && stop.seconds == 15)
        #expect(stop.json["limit"] == "1.00" && stop.json["seconds"] == 15 && StreamStop(stop.json) == stop)
    }

    @Test("what other servers run of the same scopes spends of a window as well")
    func elsewhere() throws {
        let org = window("org:acme", "1.00", used: "0.40")
        func row(_ run: String, _ name: OrgID) -> StreamRow {
            StreamRow(
                run: run, org: name, project: "web", user: "bob", key: nil, model: "demo", conversation: "c", phase: "streaming",
                waiting: nil, tool: nil, startedAt: start, deliveredTokens: 0, inputTokens: 0, outputTokens: 0, cost: NanoUSD(0),
                rate: StreamRate(tokens: 0, cost: 600_000_000), stops: nil, node: "n2")
        }
        var forecast = StreamForecast()
        forecast.add([org], StreamRate(tokens: 0, cost: 600_000_000))
        for other in [row("run_b", "acme"), row("run_c", "acme"), row("run_d", "beta")] { forecast.add(other) }
        #expect(forecast.stop(among: [org], now: start)?.seconds == 20, "three at sixty cents a minute, and none of another organisation")
    }

    @Test("a window that begins anew before it is spent stops nothing; then the fullest is named without a time")
    func resets() throws {
        let soon = window("org:acme", "1.00", used: "0.90", resetsAt: start + 5_000)
        let requests = window("org:acme", "10", used: "10", unit: "requests")
        var forecast = StreamForecast()
        forecast.add([soon, requests], StreamRate(tokens: 10, cost: 600_000_000))
        let stop = try #require(forecast.stop(among: [requests, soon], now: start))
        #expect(stop.scope == "org:acme" && stop.unit == .usd && stop.seconds == nil)
        #expect(forecast.stop(among: [requests], now: start) == nil, "what is counted by run stops no run that lives")
        let tokens = window("org:acme", "100", used: "40", unit: "tokens")
        forecast.add([tokens], StreamRate(tokens: 100, cost: 0))
        #expect(forecast.stop(among: [tokens], now: start)?.seconds == 6)
    }

    // MARK: The state

    @Test("rows, totals and minutes come of successive looks; a run that ended is counted once")
    func state() {
        var state = LiveState(node: "n1")
        state.take([sample("run_a", 0, cost: 5_000), sample("run_b", 10, org: "beta")], now: start)
        #expect(state.rows.map(\.run) == ["run_a", "run_b"] && state.runs == 2)
        state.take([sample("run_a", 20, cost: 9_000), sample("run_b", 30, org: "beta")], now: start + 1_000)
        #expect(state.totals["acme"] == OrgTotals(runs: 1, rate: StreamRate(tokens: 200, cost: 240_000)))
        state.concluded("run_a", org: "acme", isCut: true, tokens: 25, cost: 10_000, now: start + 1_500)
        // It is in the table for a moment yet.
        state.take([sample("run_a", 25, cost: 10_000), sample("run_b", 30, org: "beta")], now: start + 1_600)
        #expect(state.rows.map(\.run) == ["run_b"])
        // One that nobody ever looked at.
        state.concluded("run_c", org: "acme", isCut: false, tokens: 3, cost: 100, now: start + 1_700)
        state.take([], now: start + 2_000)
        #expect(state.runs == 0 && state.totals.isEmpty)
        let sum = state.minutes.line("acme", now: start + 2_000).reduce(MinuteBook.Minute()) { $0 + $1 }
        #expect(sum == MinuteBook.Minute(runs: 1, tokens: 28, cost: 10_100, cuts: 1))
        #expect(state.minutes.line("beta", now: start + 2_000).last?.tokens == 30)
        #expect(state.minutes.line(nil, now: start + 2_000).last?.tokens == 58)
    }

    @Test("rows are shared fairly when there are more streams than rows")
    func shares() {
        let crowd = (0..<10).map { (sample("run_\($0)", 0, org: "big"), StreamRate(tokens: 0, cost: Int64($0))) }
        let one = (sample("run_z", 0, org: "small"), StreamRate())
        let shared = LiveState.fairShare(crowd + [one], most: 4).map(\.0.run)
        #expect(Set(shared) == ["run_z", "run_9", "run_8", "run_7"])
        #expect(LiveState.fairShare(crowd, most: 10).count == 10)
    }

    @Test(
        "what a run waits for",
        arguments: [
            (RunStateMachine.State.admitted, false, "model"), (.streaming, false, ""), (.streaming, true, "model"),
            (.waiting(.tool), false, "tool"), (.waiting(.approval), true, "approval"), (.waiting(.grant), false, ""),
            (.waiting(.lease), false, "model"),
        ])
    func waits(state: RunStateMachine.State, silent: Bool, expected: String) {
        #expect(sample("run_a", 0, state: state).waiting(silent: silent) ?? "" == expected)
    }

    // MARK: Minutes

    @Test("an hour is kept, and of so many organisations; what others did is in the sum")
    func minutes() throws {
        var book = MinuteBook()
        for number in 0..<LiveLimits.orgs + 5 { try book.change(OrgID("org\(number)"), now: start + Int64(number)) { $0.tokens += 1 } }
        #expect(book.orgs.count <= LiveLimits.orgs + 1)
        #expect(book.line(nil, now: start + 1_000).last?.tokens == Int64(LiveLimits.orgs + 5))
        #expect(MinuteBook(book.json) == book)
        book.prune(now: start + 59 * 60_000)
        #expect(book.line(nil, now: start + 59 * 60_000).first?.tokens == Int64(LiveLimits.orgs + 5))
        book.prune(now: start + 60 * 60_000)
        #expect(book.orgs.isEmpty && book.line(nil, now: start + 60 * 60_000).count == LiveLimits.minutes)
        for minute in 0..<200 { book.change("acme", now: start + Int64(minute) * 60_000) { $0.cuts += 1 } }
        #expect(book.orgs["acme"]?.count == LiveLimits.minutes)
    }
}
