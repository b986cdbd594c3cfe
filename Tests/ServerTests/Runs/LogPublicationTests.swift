import Engine
import JSON
import NIOCore
import Testing

@testable import RedisClient
@testable import kdcube

@Suite("What of a run's log is in Redis (pure)")
struct LogPublicationTests {
    private let start = ContinuousClock().now
    private let ok = Result<RedisValue, RedisFault>.success(.text("OK"))
    private let head = RunHead(
        RunHandle(
            identity: RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID()),
            tenant: Tenant(org: "acme", project: "web", user: "ada", key: nil), model: "demo", startedAt: 5,
            log: RunLog(identity: RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID()), startedAt: 5)), node: "node-a")

    private func delta(_ seq: Int, _ text: String = "x") -> SharedEvent {
        SharedEvent(firstSeq: seq, seq: seq, timestamp: 1, body: .delta(RunDelta(utf8: Array(text.utf8), marker: .answer, index: 0)))
    }

    private func end(_ seq: Int) -> SharedEvent {
        SharedEvent(firstSeq: seq, seq: seq, timestamp: 1, body: .complete(finalAnswer: "", finishReason: "stop", .nothing))
    }

    /// The words of each command.
    private func words(_ commands: [(tag: String, command: RedisCommand)]) -> [[String]] { commands.map { $0.command.words } }

    @Test("a head is read as it was written, and of no other run or organisation")
    func heads() {
        let (text, run) = (head.json.jsonText, head.identity.run)
        #expect(RunHead(text, org: "acme", run: run) == head)
        #expect(RunHead(text, org: "beta", run: run) == nil && RunHead(text, org: "acme", run: RunID()) == nil)
        #expect(RunHead(nil, org: "acme", run: run) == nil && RunHead("{}", org: "acme", run: run) == nil)
    }

    @Test("the first round says whose run it is before anything else; later ones say nothing of it for a while")
    func announcement() {
        var publication = LogPublication(head)
        let first = publication.commands({ _ in [delta(1)] }, now: start)
        #expect(words(first).map(\.[0]) == ["SET", "XADD", "EXPIRE", "SADD", "EXPIRE"])
        #expect(first.map(\.tag) == ["acme", "acme", "acme", "node-a", "node-a"])
        #expect(publication.acknowledge(first.map { _ in ok }, at: start) == .written && publication.position == 1)
        #expect(words(publication.commands({ _ in [delta(2)] }, now: start + .seconds(1))).map(\.[0]) == ["XADD"])
        #expect(publication.acknowledge([ok], at: start) == .written)
        #expect(publication.commands({ _ in [] }, now: start + .seconds(2)).isEmpty)
        // Also when nothing happens.
        #expect(words(publication.commands({ _ in [] }, now: start + .seconds(31))).map(\.[0]) == ["SET", "EXPIRE", "SADD", "EXPIRE"])
    }

    @Test("what was not answered is sent again as it was, whatever has come meanwhile; an entry that stands there already is well")
    func repeats() {
        var publication = LogPublication(head)
        var asked: [Int] = []
        let first = publication.commands(
            {
                asked.append($0); return [delta(1), delta(2)]
            }, now: start)
        #expect(publication.acknowledge(first.map { _ in .failure(.timeout) }, at: start) == .failed && publication.position == 0)
        let again = publication.commands(
            {
                asked.append($0); return [delta(1), delta(2), delta(3)]
            }, now: start)
        #expect(words(again) == words(first) && asked == [0])
        let known = Result<RedisValue, RedisFault>.failure(
            .server(RedisServerError("ERR The ID specified in XADD is equal or smaller than the target stream top item")))
        #expect(publication.acknowledge(again.map { _ in known }, at: start) == .written && publication.position == 2)
        let full = Result<RedisValue, RedisFault>.failure(.server(RedisServerError("OOM command not allowed")))
        _ = publication.commands({ _ in [delta(3)] }, now: start)
        #expect(publication.acknowledge([full], at: start) == .failed)
    }

    @Test("after the end all that is left has a short life, and the node's list forgets the run")
    func ending() {
        var publication = LogPublication(head)
        let commands = publication.commands({ _ in [delta(1), end(2)] }, now: start)
        let texts = words(commands)
        #expect(texts.map(\.[0]) == ["SET", "XADD", "XADD", "EXPIRE", "SREM"])
        #expect(texts[0].last == "900" && texts[3].last == "900")
        #expect(publication.acknowledge(commands.map { _ in .failure(.unreachable("")) }, at: start) == .failed)
        // A Redis that never comes back is not waited for longer than the log would have been kept.
        _ = publication.commands({ _ in [] }, now: start + .seconds(899))
        #expect(publication.acknowledge(commands.map { _ in .failure(.unreachable("")) }, at: start + .seconds(899)) == .failed)
        #expect(publication.acknowledge(commands.map { _ in .failure(.unreachable("")) }, at: start + .seconds(900)) == .ended)
        #expect(publication.acknowledge(commands.map { _ in ok }, at: start + .seconds(900)) == .ended)
    }

    @Test("events that were dropped before they could be written are counted")
    func lost() {
        var publication = LogPublication(head)
        _ = publication.commands({ _ in [delta(4)] }, now: start)
        #expect(publication.eventsLost == 3)
    }

    @Test("a long event has several entries, cut between characters, and none is longer than allowed")
    func parts() throws {
        let event = delta(9, String(repeating: "日本\"é", count: 200))
        for size in [5, 16, 64, 100_000] {
            let entries = RunLogEntry.entries(of: event, bytesMax: size)
            #expect(entries.map(\.id) == entries.indices.map { "9-\($0)" })
            #expect(entries.allSatisfy { $0.text.count <= size && String(validating: $0.text, as: UTF8.self) != nil })
            #expect(entries.map(\.isLast) == entries.indices.map { $0 == entries.count - 1 })
            var reader = SharedLogReader()
            #expect(entries.map { reader.take(id: $0.id, text: $0.text, isLast: $0.isLast) }.last == event)
        }
    }

    @Test("the oldest events are given up whole, and Redis keeps no more of a run than its bound")
    func bound() throws {
        var bound = StreamBound(bytesMax: 10_000)
        var trims: [Int] = []
        for seq in 1...400 {
            for entry in RunLogEntry.entries(of: delta(seq, String(repeating: "x", count: 100)), bytesMax: 64) { bound.add(entry) }
            guard let trim = bound.trim else { continue }
            #expect(trim <= seq && trim > trims.last ?? 0)
            trims.append(trim)
            bound.trimmed()
            #expect(bound.trim == nil)
        }
        #expect(trims.count > 3)
        // One event alone may be longer than all.
        var single = StreamBound(bytesMax: 100)
        for entry in RunLogEntry.entries(of: delta(1, String(repeating: "x", count: 1_000)), bytesMax: 64) { single.add(entry) }
        #expect(single.trim == nil)
    }
}

@Suite("Which nodes are gone (pure)")
struct NodeWatchTests {
    private let start = ContinuousClock().now

    @Test("a node is gone when its count stands still for the whole time, and never this one")
    func silence() {
        var watch = NodeWatch(own: "me", silence: .seconds(35))
        #expect(watch.look(["me": 1, "a": 7, "b": 1], at: start).isEmpty)
        #expect(watch.look(["me": 1, "a": 8, "b": 1], at: start + .seconds(34)).isEmpty)
        #expect(watch.look(["me": 1, "a": 9, "b": 1], at: start + .seconds(35)) == ["b"])
        #expect(watch.look(["me": 1, "a": 9, "b": 2], at: start + .seconds(36)).isEmpty, "it was only slow")
        #expect(watch.look(["me": 1, "a": 9, "b": 2], at: start + .seconds(70)) == ["a"])
    }

    @Test("a store that was emptied, or counts anew, has no dead nodes")
    func emptied() {
        var watch = NodeWatch(own: "me", silence: .seconds(35))
        _ = watch.look(["a": 700], at: start)
        #expect(watch.look([:], at: start + .seconds(40)).isEmpty)
        #expect(watch.look(["a": 700], at: start + .seconds(45)).isEmpty, "it was away from the list")
        #expect(watch.look(["a": 1], at: start + .seconds(79)).isEmpty)
    }
}

extension RedisCommand {
    /// As they stand on the wire.
    fileprivate var words: [String] {
        var buffer = ByteBuffer()
        write(into: &buffer, incarnation: "")
        return String(buffer: buffer).split(separator: "\r\n").enumerated().filter { $0.offset > 0 && $0.offset % 2 == 0 }.map {
            String($0.element)
        }
    }
}
