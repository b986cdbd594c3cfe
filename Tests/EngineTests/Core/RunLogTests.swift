import JSON
import Synchronization
import Testing

@testable import Engine

@Suite("Run log (pure)")
struct RunLogTests {
    private let identity = RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID())

    private func log(bytesMax: Int = 1 << 20, subscribersMax: Int = 8) -> RunLog {
        var limits = EngineLimits()
        limits.logBytesMax = bytesMax
        limits.subscribersMax = subscribersMax
        return RunLog(identity: identity, startedAt: 1_000, limits: limits)
    }

    /// One event of a generated run.
    private enum Written: Equatable {
        case text(String, DeltaMarker, Int)
        case step(Int)
    }

    /// Words of one to four bytes a character, so that a wrong slice is no UTF-8.
    private static let words = ["a", " be", "é", "…", "\u{1F600}", "\n", " tok", "\"q\"", "日本"]

    private func write(_ count: Int, to log: RunLog, _ generator: inout SeededGenerator) -> [Written] {
        var written: [Written] = []
        var marker = DeltaMarker.answer
        var index = 0
        let start = log.lastSeq
        for number in start..<(start + count) {
            if generator.chance(10) { marker = [.answer, .thinking, .tool].randomElement(using: &generator) ?? .answer }
            if generator.chance(5) { index = Int.random(in: 0...2, using: &generator) }
            if generator.chance(8) {
                log.append(.step(Self.step(number)), at: 1_000 + Int64(number))
                written.append(.step(number))
            } else {
                let text = Self.words.randomElement(using: &generator) ?? "x"
                log.append(text: text, marker: marker, index: index, at: 1_000 + Int64(number))
                written.append(.text(text, marker, index))
            }
        }
        return written
    }

    private static func step(_ number: Int) -> RunStep {
        RunStep(step: "s\(number)", status: .completed, title: "t", data: JSONObject())
    }

    /// Checks one entry against the events that it stands for.
    private func matches(_ entry: LogEntry, _ written: [Written]) -> Bool {
        let expected = written[(entry.firstSeq - 1)..<entry.seq]
        guard entry.timestamp == 1_000 + Int64(entry.seq - 1) else { return false }
        switch entry.body {
        case .delta(let delta):
            var text = ""
            for event in expected {
                guard case .text(let piece, delta.marker, delta.index) = event else { return false }
                text += piece
            }
            return text == delta.text
        case .step(let step):
            return expected.count == 1 && expected.first.map { $0 == .step(Int(step.step.dropFirst()) ?? -1) } ?? false
        default: return false
        }
    }

    @Test("any sequence of reads with any byte limits gives the exact events, without hole or repeat")
    func reconstruction() async {
        await forSeeds(0..<300) { seed, generator in
            let log = log()
            var written: [Written] = []
            var position = 0
            // Reads between writes, then to the end.
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                written += write(Int.random(in: 0...60, using: &generator), to: log, &generator)
                position = check(log, written, from: position, reads: 3, seed, &generator)
            }
            while position < written.count {
                position = check(log, written, from: position, reads: 1, seed, &generator)
            }
            #expect(log.lastSeq == written.count, "seed \(seed)")
        }
    }

    private func check(
        _ log: RunLog, _ written: [Written], from start: Int, reads: Int, _ seed: UInt64,
        _ generator: inout SeededGenerator
    ) -> Int {
        var position = start
        for _ in 0..<reads {
            let maxBytes = [0, 1, 7, 100, 400, 1 << 20].randomElement(using: &generator) ?? 0
            let entries = log.read(after: position, maxBytes: maxBytes)
            #expect(entries.isEmpty == (position == written.count), "seed \(seed)")
            for entry in entries {
                #expect(entry.firstSeq == position + 1, "seed \(seed)")
                let agrees = matches(entry, written)
                #expect(agrees, "seed \(seed) entry \(entry)")
                position = entry.seq
            }
        }
        return position
    }

    @Test("a slow reader gets neighbouring deltas of one marker and index as one, others apart")
    func merging() {
        let log = log()
        for word in ["Paid", " for", " before"] { log.append(text: word, marker: .answer, index: 0, at: 1_000) }
        log.append(text: "hm", marker: .thinking, index: 0, at: 1_001)
        log.append(text: " it", marker: .answer, index: 0, at: 1_002)
        log.append(text: "B", marker: .answer, index: 1, at: 1_003)
        let entries = log.read(after: 1, maxBytes: 1_000)
        #expect(entries.map { "\($0.firstSeq)-\($0.seq)" } == ["2-3", "4-4", "5-5", "6-6"])
        #expect(entries.map { $0.body.delta?.text } == [" for before", "hm", " it", "B"])
    }

    @Test("beyond the bound the oldest go and a read from before gives the gap with its range")
    func gap() async {
        await forSeeds(0..<100) { seed, generator in
            let bytesMax = 2_000
            let log = log(bytesMax: bytesMax)
            let written = write(1_500, to: log, &generator)
            #expect(log.byteCount <= bytesMax, "seed \(seed)")
            #expect(log.byteCount > bytesMax / 2, "seed \(seed)")
            let first = log.firstSeq
            #expect(first > 1)
            let after = Int.random(in: 0..<(first - 1), using: &generator)
            let entries = log.read(after: after, maxBytes: 1 << 20)
            #expect(entries.first?.body == .gap, "seed \(seed)")
            #expect(entries.first?.firstSeq == after + 1 && entries.first?.seq == first - 1, "seed \(seed)")
            var position = first - 1
            for entry in entries.dropFirst() {
                let agrees = entry.firstSeq == position + 1 && matches(entry, written)
                #expect(agrees, "seed \(seed) entry \(entry)")
                position = entry.seq
            }
            #expect(position == written.count, "seed \(seed)")
        }
    }

    @Test("a read from exactly the oldest event gives no gap")
    func edgeOfGap() {
        let log = log(bytesMax: 400)
        for number in 0..<200 { log.append(text: "word\(number) ", marker: .answer, index: 0, at: 1_000) }
        #expect(log.read(after: log.firstSeq - 1, maxBytes: 1 << 20).first?.body.delta != nil)
        #expect(log.read(after: log.firstSeq - 2, maxBytes: 1 << 20).first?.body == .gap)
    }

    @Test("an event larger than the bound is kept until the next one comes")
    func hugeEvent() {
        let log = log(bytesMax: 100)
        log.append(text: String(repeating: "x", count: 500), marker: .answer, index: 0, at: 1_000)
        #expect(log.read(after: 0, maxBytes: 10).first?.body.delta?.utf8.count == 500)
        log.append(text: "y", marker: .answer, index: 0, at: 1_000)
        #expect(log.firstSeq == 2 && log.lastSeq == 2)
        #expect(log.read(after: 1, maxBytes: 10).first?.body.delta?.text == "y")
    }

    @Test("the terminal event always fits and nothing follows it")
    func terminal() {
        let log = log(bytesMax: 100)
        log.append(text: "a", marker: .answer, index: 0, at: 1_000)
        let answer = String(repeating: "x", count: 500)
        log.append(.complete(finalAnswer: answer, finishReason: "stop", .nothing), at: 1_000)
        log.append(text: "late", marker: .answer, index: 0, at: 1_000)
        log.append(.error(code: "late", message: "", .nothing), at: 1_000)
        #expect(log.firstSeq == 1 && log.lastSeq == 2)
        #expect(log.terminal?.outcome == .complete)
    }

    @Test("a position beyond the end waits; a negative one is the beginning")
    func strangePositions() {
        let log = log()
        log.append(text: "a", marker: .answer, index: 0, at: 1_000)
        #expect(log.read(after: 99, maxBytes: 10).isEmpty)
        #expect(log.read(after: .max - 1, maxBytes: 10).isEmpty)
        #expect(log.read(after: .min, maxBytes: 10).count == 1)
    }

    @Test("subscribers are told of each append until they cancel, and are bounded")
    func subscriptions() {
        let log = log(subscribersMax: 2)
        let calls = Mutex(0)
        let first = log.subscribe { calls.withLock { $0 += 1 } }
        var second = log.subscribe { calls.withLock { $0 += 10 } }
        #expect(second != nil)
        #expect(log.subscribe {} == nil)
        log.append(text: "a", marker: .answer, index: 0, at: 1_000)
        second = nil
        log.append(text: "b", marker: .answer, index: 0, at: 1_000)
        first?.cancel()
        log.append(text: "c", marker: .answer, index: 0, at: 1_000)
        #expect(calls.withLock { $0 } == 12)
    }

    @Test("batches follow a live run to its terminal event, from any position")
    func batches() async {
        let log = log()
        async let reader: [LogEntry] = {
            var entries: [LogEntry] = []
            for await batch in log.batches(after: 2, maxBytes: 64) { entries += batch }
            return entries
        }()
        for number in 0..<500 {
            log.append(text: "\(number),", marker: .answer, index: 0, at: 1_000)
            if number % 50 == 0 { await Task.yield() }
        }
        log.append(.complete(finalAnswer: "", finishReason: "stop", .nothing), at: 1_000)
        let entries = await reader
        #expect(entries.text == (2..<500).map { "\($0)," }.joined())
        #expect(entries.first?.firstSeq == 3 && entries.last?.seq == 501)
        #expect(entries.terminals.count == 1)
    }

    @Test("a run of which only the end is known answers every position with a gap and that end")
    func onlyTheEnd() throws {
        let identity = RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID())
        let log = RunLog(identity: identity, endedAt: 5_000, terminal: .error(code: "node_lost", message: "", .nothing))
        for after in [0, 1, 70_000] {
            let entries = log.read(after: after, maxBytes: 1 << 10)
            try #require(entries.count == 2)
            let (gap, end) = (entries[0], entries[1])
            #expect(gap.body == .gap && end.body == .error(code: "node_lost", message: "", .nothing))
            #expect(gap.firstSeq == after + 1 && end.seq == gap.seq + 1)
            #expect(log.read(after: end.seq, maxBytes: 1).isEmpty)
        }
        #expect(log.terminal?.outcome == .error)
    }
}
