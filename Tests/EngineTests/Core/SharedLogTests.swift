import JSON
import Testing

@testable import Engine

@Suite("A run's log at another node (pure)")
struct SharedLogTests {
    private let identity = RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID())

    private func log(bytesMax: Int = 1 << 20) -> RunLog {
        var limits = EngineLimits()
        limits.logBytesMax = bytesMax
        return RunLog(identity: identity, startedAt: 1_000, limits: limits)
    }

    private static let bodies: [RunEventBody] = [
        .start(model: "demo", message: "say \"hi\"\n\u{0}é"),
        .delta(RunDelta(utf8: Array("日本 \u{1F600}".utf8), marker: .thinking, index: 2)),
        .step(RunStep(step: "tool", status: .running, title: "t", data: JSONObject([("a", ["b": .array([1, .null, true])])]))),
        .usage(
            UsageReport(
                inputTokens: 3, outputTokens: 5, costUSD: "0.000000013",
                windows: [
                    WindowReport(scope: "org:acme", unit: "usd", window: "day", zone: "Europe/Berlin", limit: "1", used: "0.5", held: "0"),
                    WindowReport(scope: "org:acme", unit: "tokens", window: "total", limit: "100", used: "8", held: "64"),
                ], warning: 80)),
        .approval(RunApproval(id: "a", tool: "pay", args: ["n": 1], from: "group:x", quorum: 2, agreed: 1, expiresAt: 9, state: "pending")),
        .cut(
            CutDescription(
                reason: .budgetExceeded, scopeKind: "org", scopeID: "acme", model: "m", unit: "usd", window: "day", zone: "UTC",
                limit: "1.00", used: "1.00", resetsAt: 77, decisionID: "d"), SettledUsage(inputTokens: 1, outputTokens: 2, costUSD: "1")),
        .cut(CutDescription(reason: .killed), .nothing),
        .complete(
            finalAnswer: "done", finishReason: "stop", SettledUsage(inputTokens: 1, outputTokens: 2, costUSD: "0", isEstimated: true)),
        .error(code: "node_lost", message: "gone", .nothing),
    ]

    @Test("every event is read as it was written, in one part or in many", arguments: bodies)
    func codec(_ body: RunEventBody) throws {
        let event = SharedEvent(firstSeq: 7, seq: 7, timestamp: 1_234, body: body)
        #expect(SharedEvent(json: event.jsonBytes) == event)
        let bytes = event.jsonBytes
        for size in [1, 7, bytes.count] {
            var reader = SharedLogReader()
            var found: SharedEvent?
            for (part, start) in stride(from: 0, to: bytes.count, by: size).enumerated() {
                let end = min(start + size, bytes.count)
                #expect(found == nil)
                found = reader.take(id: "7-\(part)", text: bytes[start..<end], isLast: end == bytes.count)
            }
            #expect(found == event)
        }
    }

    @Test("what cannot be ours is no event")
    func malformed() {
        let delta = #""delta":{"text":"abc","index":0,"marker":"answer"}"#
        for text in [
            "", "{}", "[]", #"{"type":"chat.delta","seq":1,"ts":1}"#, #"{"type":"gap","seq":1,"ts":1}"#,
            #"{"type":"chat.delta","seq":0,"ts":1,\#(delta)}"#, #"{"type":"chat.delta","seq":2,"first_seq":3,"ts":1,\#(delta)}"#,
            #"{"type":"chat.delta","seq":2,"first_seq":1,"ts":1,\#(delta)}"#,
            #"{"type":"chat.delta","seq":2,"first_seq":1,"ts":1,"lengths":[1,1],\#(delta)}"#,
            #"{"type":"chat.delta","seq":2,"first_seq":1,"ts":1,"lengths":[4,-1],\#(delta)}"#,
            #"{"type":"chat.delta","seq":1,"ts":1,"lengths":[3],\#(delta)}"#,
        ] { #expect(SharedEvent(json: Array(text.utf8)) == nil, "\(text)") }
        var reader = SharedLogReader()
        let event = SharedEvent(firstSeq: 2, seq: 2, timestamp: 1, body: .start(model: "m", message: "x"))
        #expect(reader.take(id: "2-1", text: event.jsonBytes, isLast: true) == nil, "its beginning is missing")
        #expect(reader.take(id: "3-0", text: event.jsonBytes, isLast: true) == nil, "another event's id")
        #expect(reader.take(id: "2", text: event.jsonBytes, isLast: true) == nil)
        // The owner died between two parts.
        #expect(reader.take(id: "4-0", text: event.jsonBytes.prefix(5), isLast: false) == nil)
        #expect(reader.take(id: "5-0", text: event.jsonBytes, isLast: true) == nil)
        #expect(reader.take(id: "2-0", text: event.jsonBytes, isLast: true) == event && reader.position == "2-0")
    }

    @Test("a log that is followed in any pieces, some twice, is read like the run's own from every number")
    func followed() {
        var generator = SeededGenerator(seed: 21)
        let own = log()
        let copy = log()
        let words = ["a", " be", "é", "…", "\u{1F600}", ""]
        var position = 0
        for number in 1...400 {
            if generator.chance(8) {
                own.append(.step(RunStep(step: "s\(number)", status: .running, title: "", data: JSONObject())), at: 1_000)
            } else {
                own.append(
                    text: words.randomElement(using: &generator) ?? "", marker: generator.chance(10) ? .thinking : .answer, index: 0,
                    at: 1_000)
            }
            guard generator.chance(20) else { continue }
            // Now and then from too early, as after a lost answer.
            let after = max(position - (generator.chance(30) ? 5 : 0), 0)
            for event in own.readShared(after: after, maxBytes: 64) {
                copy.follow(event)
                position = max(position, event.seq)
            }
        }
        own.append(.complete(finalAnswer: "", finishReason: "stop", .nothing), at: 1_001)
        while position < own.lastSeq {
            for event in own.readShared(after: position, maxBytes: 64) {
                copy.follow(event)
                position = event.seq
            }
        }
        #expect(copy.lastSeq == own.lastSeq && copy.terminal == own.terminal)
        for after in 0...own.lastSeq { #expect(copy.read(after: after, maxBytes: .max) == own.read(after: after, maxBytes: .max)) }
    }

    @Test("where events are missing, readers are told of the gap and go on")
    func gaps() {
        let copy = log()
        copy.follow(SharedEvent(firstSeq: 1, seq: 1, timestamp: 1_000, body: .start(model: "m", message: "")))
        copy.follow(
            SharedEvent(
                firstSeq: 5, seq: 6, timestamp: 1_000, body: .delta(RunDelta(utf8: [97, 98], marker: .answer, index: 0)), lengths: [1, 1]))
        #expect(copy.read(after: 1, maxBytes: .max).map { [$0.firstSeq, $0.seq] } == [[2, 4], [5, 6]])
        #expect(copy.read(after: 0, maxBytes: .max).first?.body == .gap)
        #expect(copy.lastSeq == 6)
        // What is asked for in the middle of a merged delta.
        #expect(
            copy.read(after: 5, maxBytes: .max) == [
                LogEntry(firstSeq: 6, seq: 6, timestamp: 1_000, body: .delta(RunDelta(utf8: [98], marker: .answer, index: 0)))
            ])
    }

    @Test("the end of a lost run stands above every number, keeps what is there, and is the only one")
    func lostEnd() {
        let copy = log()
        let end = RunEventBody.error(code: "node_lost", message: "", .nothing)
        copy.follow(SharedEvent(firstSeq: 1, seq: 1, timestamp: 1_000, body: .start(model: "m", message: "x")))
        copy.follow(SharedEvent(lostAt: 2_000, terminal: end))
        copy.follow(SharedEvent(lostAt: 3_000, terminal: .complete(finalAnswer: "", finishReason: "stop", .nothing)))
        copy.follow(SharedEvent(firstSeq: 2, seq: 2, timestamp: 1_000, body: .start(model: "m", message: "late")))
        #expect(copy.terminal == end && copy.lastSeq == 1 << 32)
        let all = copy.read(after: 0, maxBytes: .max)
        #expect(all.map(\.body) == [.start(model: "m", message: "x"), .gap, end])
        #expect(all.map { [$0.firstSeq, $0.seq] } == [[1, 1], [2, 1 << 32 - 1], [1 << 32, 1 << 32]])
        for after in [1, 2, 77] {
            let rest = copy.read(after: after, maxBytes: 1)
            #expect(rest.map(\.body) == [.gap, end] && rest[0].firstSeq == after + 1)
        }
        #expect(copy.read(after: 1 << 32, maxBytes: .max).isEmpty)
        // Of a run of which nothing came.
        let empty = log()
        empty.follow(SharedEvent(lostAt: 2_000, terminal: end))
        #expect(empty.read(after: 0, maxBytes: .max).map(\.body) == [.gap, end])
    }

    @Test("a mirror is rung for each event, and counts as no reader")
    func mirror() {
        let own = log()
        nonisolated(unsafe) var rings = 0
        own.mirror { rings += 1 }
        own.append(.start(model: "m", message: ""), at: 1_000)
        #expect(rings == 1 && !own.hasReaders)
        let reader = own.subscribe {}
        #expect(own.hasReaders)
        reader?.cancel()
        #expect(!own.hasReaders)
        own.append(text: "x", marker: .answer, index: 0, at: 1_000)
        #expect(rings == 2)
    }

    @Test("what was dropped before it was shared is left out, and the next event says so by its number")
    func dropped() {
        let own = log(bytesMax: 256)
        for _ in 0..<100 { own.append(text: "0123456789", marker: .answer, index: 0, at: 1_000) }
        let shared = own.readShared(after: 3, maxBytes: .max)
        #expect(shared.first?.firstSeq == own.firstSeq && own.firstSeq > 4)
        #expect(shared.last?.seq == 100)
    }
}
