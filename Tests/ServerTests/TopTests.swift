import Accounting
import JSON
import Testing

@testable import kdcube

@Suite("kdcube top (pure)")
struct TopTests {
    private let now: Int64 = 1_764_000_000_000

    private func row(_ run: String, cost: Int64 = 0, user: String? = "ann", waiting: String? = nil, stops: StreamStop? = nil) -> StreamRow {
        StreamRow(
            run: run, org: "acme", project: "web", user: user, key: nil, model: "demo", conversation: "", phase: "streaming",
            waiting: waiting, tool: waiting == "tool" ? "payments.refund" : nil, startedAt: now - 65_000, deliveredTokens: 5,
            inputTokens: 1,
            outputTokens: 5, cost: NanoUSD(2_000), rate: StreamRate(tokens: 123, cost: cost), stops: stops, node: "n1")
    }

    private func sample(_ rows: [StreamRow], servers: Int = 2, problems: [String] = []) -> TopSample {
        let view = FleetView(reports: [], minutes: MinuteBook(), isWhole: true)
        guard case .object(var object) = view.now(.all, approvals: 3, at: now) else { fatalError("an object") }
        object["problems"] = .array(problems.map { .string($0) })
        return TopSample(at: now, servers: servers, now: .object(object), streams: rows)
    }

    private func lines(_ sample: TopSample, width: Int = 200, height: Int = 30, foot: String = "q quits") -> [String] {
        TopFrame(sample: sample, foot: foot, now: now).lines(width: width, height: height)
    }

    @Test("the dearest stream is first, with what will stop it")
    func table() throws {
        let stop = StreamStop(
            scope: "org:acme", unit: .usd, window: "day", zone: nil, limit: 1, used: 1, held: 0, resetsAt: nil, seconds: 3_725)
        let shown = lines(sample([row("run_a"), row("run_b", cost: 3_000_000, stops: stop), row("run_c", waiting: "tool")]))
        #expect(shown[0] == "kdcube top · 2 servers · 2025-11-24T16:00:00Z")
        #expect(shown[1].contains("approvals 3") && shown[1].contains("health ok") && shown[1].contains("tokens/s 0.0"))
        let (head, first) = (shown[3], shown[4])
        #expect(head.hasPrefix("#  RUN    WHO"))
        #expect(first.hasPrefix("1  run_b  acme/web/ann  demo") && first.contains("12.3") && first.contains("0.003"))
        #expect(first.hasSuffix("org:acme usd/day in 1 h 2 min") && first.contains("1 min 5 s"))
        #expect(shown.contains { $0.contains("run_c") && $0.contains("waits: payments.refund") })
        #expect(shown.last == "q quits")
    }

    @Test("no line is wider than the terminal, and no picture higher", arguments: [(20, 5), (80, 24), (200, 8), (40, 1)])
    func sizes(width: Int, height: Int) {
        let many = (0..<50).map { row("run_\($0)") }
        let shown = lines(sample(many, problems: ["Redis cannot be reached"]), width: width, height: height)
        #expect(shown.count <= height && shown.allSatisfy { $0.count <= width })
        if height > 7 { #expect(shown.contains { $0.hasPrefix("… and ") }) }
    }

    @Test("an empty picture says what to do, and no name moves the cursor")
    func edges() {
        #expect(lines(sample([], servers: 0)).contains("no server reports here: start one with kdcube serve"))
        #expect(lines(sample([])).contains("nothing runs"))
        let hostile = lines(sample([row("run_a", user: "\u{1B}[2Jann\u{7}\u{9B}")])).joined()
        #expect(hostile.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        #expect(lines(sample([], problems: ["a", "b"]))[2] == "! a; b")
    }

    private func type(_ text: String, _ keys: inout TopKeys, runs: [String]) -> TopKeys.Order? {
        text.utf8.reduce(nil) { order, byte in keys.take(byte, runs: runs) ?? order }
    }

    @Test("k asks for the run, by number or id, as they were numbered when it asked")
    func keys() {
        var keys = TopKeys()
        #expect(type("k", &keys, runs: ["run_a", "run_b"]) == nil && keys.foot.hasPrefix("kill which run?"))
        #expect(type("2\r", &keys, runs: ["run_c", "run_a"]) == .kill("run_b"))
        #expect(type("krun_a\r", &keys, runs: ["run_a"]) == .kill("run_a"))
        #expect(type("k12\u{7F}\u{7F}1\r", &keys, runs: ["run_a"]) == .kill("run_a"))
        #expect(type("k9\r", &keys, runs: ["run_a"]) == nil && keys.foot.hasPrefix("there is no run 9"))
        #expect(type("k\r", &keys, runs: ["run_a"]) == nil && keys.foot.hasPrefix("nothing was killed"))
        #expect(type("k1\u{1B}", &keys, runs: ["run_a"]) == nil && type("1\r", &keys, runs: ["run_a"]) == nil)
        #expect(type("q", &keys, runs: []) == .quit && type("\u{3}", &keys, runs: []) == .quit)
        #expect(type("kq", &keys, runs: []) == nil && type("\u{3}", &keys, runs: []) == .quit, "a letter of an id does not end it")
    }

    @Test("what goes into an address is escaped")
    func addresses() { #expect(AdminClient.escaped("a b&c=*/é~") == "a%20b%26c%3D%2A%2F%C3%A9~") }
}
