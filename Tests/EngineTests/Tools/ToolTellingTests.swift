import JSON
import Testing

@testable import Engine

@Suite("What tools tell, and how long they take (pure)")
struct ToolTellingTests {
    private static let call = ToolCall(index: 0, id: "c", name: "run_code", maker: .server, arguments: "{}")
    private static let interval = EngineLimits.toolProgressInterval.wholeNanoseconds

    private static func steps(_ outputs: [ToolTelling.Output]) -> [RunStep] {
        outputs.compactMap { output in
            guard case .append(.step(let step)) = output else { return nil }
            return step
        }
    }

    private static func text(_ outputs: [ToolTelling.Output]) -> String {
        steps(outputs).compactMap { $0.data["text"]?.stringValue }.joined()
    }

    @Test("the first text is told at once; what follows within the interval is joined, and told when it is over")
    func joins() {
        var telling = ToolTelling(Self.call, EngineLimits())
        var left = 1 << 20
        let first = telling.take(.output(.stdout, "a"), now: 1_000, runLeft: &left)
        #expect(Self.text(first) == "a" && telling.flushDue == nil)
        #expect(Self.steps(first)[0].data == JSONObject([("tool", "run_code"), ("call_id", "c"), ("stream", "stdout"), ("text", "a")]))
        #expect(telling.take(.output(.stdout, "b"), now: 2_000, runLeft: &left).isEmpty)
        #expect(telling.take(.output(.stdout, "c"), now: 3_000, runLeft: &left).isEmpty)
        #expect(telling.flushDue == 1_000 + Self.interval)
        #expect(Self.text(telling.flush(now: 1_000 + Self.interval, runLeft: &left)) == "bc" && telling.flushDue == nil)
        #expect(telling.take(.output(.stdout, "d"), now: 1_001 + Self.interval, runLeft: &left).isEmpty)
        #expect(Self.text(telling.take(.output(.stdout, "e"), now: 1_000 + 2 * Self.interval, runLeft: &left)) == "de")
    }

    @Test("the streams keep apart and in order; other news do not overtake text, and the end tells the rest")
    func order() {
        var telling = ToolTelling(Self.call, EngineLimits())
        var left = 1 << 20
        var outputs = telling.take(.output(.stdout, "1"), now: 0, runLeft: &left)
        outputs += telling.take(.output(.stdout, "2"), now: 1, runLeft: &left)
        outputs += telling.take(.output(.stderr, "3"), now: 2, runLeft: &left)
        let nested = ToolNews.NestedCall(callID: "n1", name: "crm.lookup", status: .started, data: JSONObject([("args", ["id": 4])]))
        outputs += telling.take(.nested(nested), now: 3, runLeft: &left)
        outputs += telling.take(.output(.stdout, "4"), now: 4, runLeft: &left)
        outputs += telling.end(now: 5, runLeft: &left)
        outputs += telling.take(.output(.stdout, "5"), now: 6, runLeft: &left) + telling.end(now: 7, runLeft: &left)
        let steps = Self.steps(outputs)
        #expect(steps.map { $0.data["text"] } == ["1", "2", "3", nil, "4"])
        #expect(steps.map { $0.data["stream"] } == ["stdout", "stdout", "stderr", nil, "stdout"])
        #expect(steps[3].title == "crm.lookup" && steps[3].status == .started && steps[3].isServerCall)
        #expect(steps[3].data["call_id"] == "n1" && steps[3].data["parent_call_id"] == "c" && steps[3].data["args"] == ["id": 4])
    }

    @Test("text is joined to the same text, whatever its pieces, within the limit and cut at it")
    func pieces() async {
        await forSeeds(0..<200) { seed, generator in
            var limits = EngineLimits()
            limits.toolProgressBytesMax = Int.random(in: 0...20_000, using: &generator)
            var telling = ToolTelling(Self.call, limits)
            var left = Int.random(in: 0...20_000, using: &generator)
            let most = min(left, limits.toolProgressBytesMax)
            var outputs: [ToolTelling.Output] = []
            var said = ""
            var now: Int64 = 0
            for _ in 0..<Int.random(in: 0...40, using: &generator) {
                let piece = ["x", "é", "e\u{301}", "👩‍👩‍👧", "\n"].randomElement(using: &generator) ?? ""
                let text = String(repeating: piece, count: Int.random(in: 0...900, using: &generator))
                said += text
                now += Int64.random(in: 0...Self.interval, using: &generator)
                outputs += telling.take(.output(.stdout, text), now: now, runLeft: &left)
                if generator.chance(20) { outputs += telling.flush(now: now, runLeft: &left) }
            }
            outputs += telling.end(now: now, runLeft: &left)
            let cost = Self.steps(outputs).filter { $0.data["text"] != nil }.reduce(0) { $0 + RunEventBody.step($1).byteCount }
            #expect(cost <= most, "seed \(seed)")
            let told = Self.text(outputs)
            let truncations = Self.steps(outputs).filter { $0.data["truncated"] == true }.count
            #expect(truncations <= 1 && (truncations == 0) == (told.utf8.elementsEqual(said.utf8)), "seed \(seed)")
            #expect(said.utf8.starts(with: told.utf8), "seed \(seed)")
        }
    }

    @Test("approvals: the run waits for each that is pending until it is decided, or the call ends")
    func approvals() {
        func approval(_ id: String, _ state: String) -> ToolNews {
            .approval(RunApproval(id: id, tool: "t", args: [:], from: "x", quorum: 1, expiresAt: 1, state: state))
        }
        func changes(_ outputs: [ToolTelling.Output]) -> [Int] {
            outputs.compactMap { output in
                guard case .approvals(let change) = output else { return nil }
                return change
            }
        }
        var telling = ToolTelling(Self.call, EngineLimits())
        var left = 0
        #expect(changes(telling.take(approval("a", "pending"), now: 0, runLeft: &left)) == [1])
        #expect(changes(telling.take(approval("a", "pending"), now: 0, runLeft: &left)).isEmpty)
        #expect(changes(telling.take(approval("b", "pending"), now: 0, runLeft: &left)) == [1])
        #expect(changes(telling.take(approval("a", "approved"), now: 0, runLeft: &left)) == [-1])
        #expect(telling.take(approval("a", "approved"), now: 0, runLeft: &left).isEmpty)
        #expect(telling.take(approval("unheard", "denied"), now: 0, runLeft: &left).isEmpty)
        #expect(changes(telling.end(now: 0, runLeft: &left)) == [-1])
        #expect(changes(telling.end(now: 0, runLeft: &left)).isEmpty)
    }

    @Test("approvals are bounded: those beyond the limit are told to nobody")
    func approvalsMax() {
        var telling = ToolTelling(Self.call, EngineLimits())
        var left = 0
        var told = 0
        for number in 0..<(EngineLimits.toolApprovalsPerCallMax + 5) {
            let approval = RunApproval(
                id: "a\(number)", tool: "t", args: [:], from: "x", quorum: 1, expiresAt: 1, state: "pending")
            told += telling.take(.approval(approval), now: 0, runLeft: &left).count
        }
        #expect(told == 2 * EngineLimits.toolApprovalsPerCallMax)
    }

    @Test("two clocks: the tools' stands while any approval is waited for, and both go on in the next round")
    func clock() {
        var limits = EngineLimits()
        (limits.toolTimeMax, limits.approvalTimeMax) = (.nanoseconds(100), .nanoseconds(1_000))
        var clock = ToolClock(limits)
        #expect(clock.due == nil)
        clock.begin(10)
        #expect(clock.due == 110)
        clock.approvals(changedBy: 1, 40)
        clock.approvals(changedBy: 1, 50)
        #expect(clock.due == 1_040)
        clock.approvals(changedBy: -1, 500)
        #expect(clock.due == 1_040)
        clock.approvals(changedBy: -1, 600)
        #expect(clock.due == 670)
        clock.end(640)
        #expect(clock.due == nil && !clock.isOver)
        clock.begin(10_000)
        #expect(clock.due == 10_030)
        clock.approvals(changedBy: 1, 10_000)
        #expect(clock.due == 10_440)
        clock.approvals(changedBy: -1, 10_000)
        clock.end(10_030)
        #expect(clock.isOver)
    }
}
