import JSON
import NIOCore
import Testing
import TransportWire

@testable import Transport

/// The log of events that sockets may have missed (R5, R8). Needs nothing.
@Suite("Recovery: the log") struct RecoveryLogTests {
    private func entry(
        _ log: RecoveryLog, _ now: UInt64, _ rooms: [String]?, except: [String] = [], _ text: String = "", namespace: String = "/"
    ) -> RecoveryLog.Entry {
        RecoveryLog.Entry(
            offset: log.next(at: now), namespace: namespace, target: BroadcastTarget(rooms: rooms, except: except),
            frames: SharedFrames(ByteBuffer(string: text.isEmpty ? "\(now)" : text), servesRevision3: false))
    }

    private func texts(_ frames: [SharedFrames]?) -> [String]? { frames?.map { String(buffer: $0.frames) } }

    @Test("R2: offsets grow, also when the clock stands, and their text has one length") func offsets() {
        var log = RecoveryLog(eventsMax: 10, bytesMax: 1 << 20, retention: 100, at: 5)
        var seen: [RecoveryOffset] = [log.last]
        for now: UInt64 in [5, 5, 4, 9] {
            #expect(log.append(entry(log, now, nil), at: now) == 0)
            seen.append(log.last)
        }
        #expect(seen.map(\.rawValue) == [5, 6, 7, 8, 9])
        #expect(RecoveryOffset(rawValue: 7).text == "0000000000000007" && RecoveryOffset("0000000000000007", .clock)?.rawValue == 7)
        for text in ["", "7", "000000000000007", "00000000000000007", "000000000000000x", "+000000000000007", "０００００"] {
            #expect(RecoveryOffset(text, .clock) == nil)
        }
        var frames = ByteBuffer(string: "[\"\(RecoveryOffset.Form.clock.placeholder)\"]")
        RecoveryOffset(rawValue: 1_700_000_000_000_042).write(into: &frames, at: 2)
        #expect(String(buffer: frames) == "[\"1700000000000042\"]")
    }

    @Test("R2: offsets of a stream are the ids of its entries, in one length, and are read with and without leading zeros")
    func entries() {
        let offset = RecoveryOffset(millisecond: 1_700_000_000_000, number: 42)
        #expect(offset.text == "1700000000000-00000042" && offset.entryID == "1700000000000-42" && offset.text.utf8.count == 22)
        for text in [offset.text, offset.entryID] { #expect(RecoveryOffset(text, .entry) == offset) }
        for text in [
            "", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1- 2", "a-1", "18446744073709551616-0", "1-18446744073709551615",
            "00000000000000000000000000000000000000000001-1",
        ] { #expect(RecoveryOffset(text, .entry) == nil, "\(text)") }
        let sorted = [
            .start, RecoveryOffset(millisecond: 0, number: 1), RecoveryOffset(millisecond: 9, number: 7),
            RecoveryOffset(millisecond: 9, number: 8), RecoveryOffset(millisecond: 10, number: 0),
        ]
        #expect(sorted.dropFirst(2).sorted() == Array(sorted.dropFirst(2)) && sorted[0] < sorted[2])
        #expect(sorted[2].successor == sorted[3] && sorted[3].predecessor == sorted[2])
        #expect(sorted[3] < sorted[4].predecessor && sorted[4].predecessor < sorted[4])
        // What has no room is a place at which there is nothing.
        #expect(RecoveryOffset(millisecond: 1, number: 1 << 40).text == "0000000000001-99999999")
        var frames = ByteBuffer(string: RecoveryOffset.Form.entry.placeholder)
        RecoveryOffset(millisecond: 1, number: 1 << 40).write(into: &frames, at: 0)
        #expect(String(buffer: frames) == "0000000000001-99999999")
    }

    @Test(
        "the offset is written into the finished frames, and not into those of Socket.IO 2, whose clients know of none",
        arguments: PacketParser.allCases,
        [RecoveryOffset(rawValue: 1_700_000_000_000_042), .init(millisecond: 1_700_000_000_000, number: 3)])
    func stamps(_ parser: PacketParser, _ offset: RecoveryOffset) {
        let arguments: [[JSONValue]] = [
            [], ["text"], [.bytes([1, 2, 3])], [.bytes(Array(repeating: 7, count: 124)), .string(offset.form.placeholder)],
        ]
        let packets = PacketFrames(parser: parser)
        for arguments in arguments {
            for namespace in ["/", "/custom"] {
                let (frames, index) = packets.eventWithOffset("event", arguments, offset.form, namespace: namespace)
                let plain = packets.event("event", arguments, namespace: namespace)
                let expected = packets.event("event", arguments + [.string(offset.text)], namespace: namespace)
                for servesRevision3 in [true, false] {
                    var shared = SharedFrames(frames, servesRevision3: servesRevision3, insteadForRevision3: plain)
                    for _ in 1...2 { shared.write(offset, at: index, servesRevision3: servesRevision3) }
                    #expect(shared.frames == expected)
                    let other = servesRevision3 ? SharedFrames(plain, servesRevision3: true).revision3 : expected
                    #expect(shared.revision3 == other)
                }
            }
        }
    }

    @Test("what is cut off, or lost for some, is not told as if nothing were missing") func gaps() {
        var log = RecoveryLog(eventsMax: 10, bytesMax: 1 << 20, retention: 100, last: RecoveryOffset(millisecond: 0, number: 0))
        func offset(_ number: UInt64) -> RecoveryOffset { RecoveryOffset(millisecond: 5, number: number) }
        func add(_ number: UInt64, _ rooms: [String]?) {
            let frames = SharedFrames(ByteBuffer(string: "\(number)"), servesRevision3: false)
            _ = log.append(.init(offset: offset(number), namespace: "/", target: .init(rooms: rooms), frames: frames), at: 5)
        }
        func missed(_ after: UInt64, _ rooms: [String]) -> [String]? {
            texts(log.missed(after: offset(after), in: "/", rooms: rooms.map { ($0, .start) }, start: .start))
        }
        add(1, ["a"])
        add(2, nil)
        log.lose(BroadcastTarget(rooms: ["a"]), in: "/", at: offset(3))
        add(4, ["b"])
        #expect(missed(0, ["b"]) == ["2", "4"] && missed(0, ["a"]) == nil && missed(3, ["a"]) == [])
        log.pass(offset(5))
        #expect(missed(5, []) == [] && missed(6, []) == nil)
        log.cut(at: offset(7))
        add(8, nil)
        #expect(missed(6, ["b"]) == nil && missed(7, ["b"]) == ["8"] && missed(8, []) == [])
        log.checkInvariants()
    }

    @Test("R5: everybody's, and those of the rooms, in order and once; nothing that excludes one of them") func filter() {
        var log = RecoveryLog(eventsMax: 100, bytesMax: 1 << 20, retention: 1_000, at: 0)
        let targets: [([String]?, [String])] = [
            (nil, []), (["a"], []), (["b"], []), (["a", "c"], []), (nil, ["me"]), (["a"], ["c"]), ([], []), (["a", "a"], []), (["me"], []),
        ]
        for (index, target) in targets.enumerated() {
            _ = log.append(entry(log, UInt64(index + 1), target.0, except: target.1), at: UInt64(index + 1))
        }
        _ = log.append(entry(log, 20, nil, namespace: "/other"), at: 20)
        log.checkInvariants()
        func missed(_ offset: UInt64, _ rooms: [(String, UInt64)]) -> [String]? {
            texts(
                log.missed(
                    after: RecoveryOffset(rawValue: offset), in: "/", rooms: rooms.map { ($0.0, RecoveryOffset(rawValue: $0.1)) },
                    start: .start))
        }
        #expect(missed(0, [("me", 0), ("a", 0), ("c", 0)]) == ["1", "2", "4", "8", "9"])
        #expect(missed(4, [("me", 0), ("a", 0)]) == ["6", "8", "9"])
        // What was emitted to a room before the socket was in it is not for it.
        #expect(missed(0, [("me", 0), ("a", 5)]) == ["1", "6", "8", "9"])
        #expect(missed(20, [("me", 0)]) == [])
        // Never given by this server.
        #expect(missed(21, [("me", 0)]) == nil)
    }

    @Test("R8: a busy room takes the early events of its own members alone") func roomsApart() {
        var log = RecoveryLog(eventsMax: 10, bytesMax: 1 << 20, retention: 1_000_000, at: 0)
        _ = log.append(entry(log, 1, ["quiet"], "first"), at: 1)
        for now: UInt64 in 2...30 { _ = log.append(entry(log, now, ["busy"]), at: now) }
        _ = log.append(entry(log, 31, ["quiet"], "second"), at: 31)
        log.checkInvariants()
        func missed(_ offset: UInt64, _ room: String) -> [String]? {
            texts(log.missed(after: RecoveryOffset(rawValue: offset), in: "/", rooms: [(room, .start)], start: .start))
        }
        #expect(missed(1, "quiet") == ["second"])
        #expect(missed(0, "quiet") == nil)
        #expect(missed(1, "busy") == nil)
        #expect(missed(25, "busy") == ["26", "27", "28", "29", "30"])
        #expect(missed(0, "nowhere") == [])
    }

    @Test("it keeps to its limits of events, bytes and time") func limits() {
        var log = RecoveryLog(eventsMax: 50, bytesMax: 4_000, retention: 100, at: 0)
        for now: UInt64 in 1...200 {
            _ = log.append(entry(log, now, now % 3 == 0 ? nil : ["r\(now % 70)"], except: ["x"]), at: now)
            log.checkInvariants()
        }
        #expect(log.append(entry(log, 201, nil, String(repeating: "x", count: 10_000)), at: 201) > 0)
        #expect(log.count == 0 && log.bytes == 0)
        _ = log.append(entry(log, 202, nil), at: 202)
        log.forgetOld(at: 400)
        #expect(log.count == 0 && log.floor >= RecoveryOffset(rawValue: 202))
        log.checkInvariants()
    }

    @Test("R5: as a list that is read from end to end", arguments: 1...40 as ClosedRange<UInt64>) func model(_ seed: UInt64) {
        var dice = LogDice(state: seed)
        var log = RecoveryLog(eventsMax: .random(in: 5...60, using: &dice), bytesMax: 1 << 20, retention: 1 << 40, at: 0)
        let names = ["a", "b", "c", "d", "me"]
        var all: [RecoveryLog.Entry] = []
        var kept = 0
        for step: UInt64 in 1...120 {
            let rooms = Bool.random(using: &dice) ? nil : names.filter { _ in Int.random(in: 0..<3, using: &dice) == 0 }
            let except = names.filter { _ in Int.random(in: 0..<8, using: &dice) == 0 }
            let entry = entry(log, step, rooms, except: except)
            all.append(entry)
            kept += rooms?.isEmpty == true ? 0 : 1
            kept -= log.append(entry, at: step)
            log.checkInvariants()
            let mine = names.filter { _ in Bool.random(using: &dice) }.map {
                (name: $0, since: RecoveryOffset(rawValue: .random(in: 0...step, using: &dice)))
            }
            let after = RecoveryOffset(rawValue: .random(in: 0...step, using: &dice))
            let expected = all.filter { one in
                let isForMe =
                    one.target.rooms?.contains { room in mine.contains { $0.name == room && $0.since < one.offset } } ?? true
                return one.offset > after && isForMe && !one.target.except.contains { name in mine.contains { $0.name == name } }
            }
            if let missed = log.missed(after: after, in: "/", rooms: mine, start: .start) {
                #expect(texts(missed) == expected.map { String(buffer: $0.frames.frames) }, "seed \(seed)")
            } else {
                // It says so only when something may be gone.
                #expect(kept < all.count, "seed \(seed)")
            }
        }
    }
}

struct LogDice: RandomNumberGenerator {
    var state: UInt64

    /// SplitMix64 (public domain, S. Vigna).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
