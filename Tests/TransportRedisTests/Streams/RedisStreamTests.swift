import JSON
import NIOPosix
import RedisClient
import Synchronization
import Telemetry
import Testing
import Transport

@testable import TransportRedis

/// One server's end of the stream, with all that it reads.
private final class End: Sendable {
    let stream: RedisStream
    let metrics = MetricRegistry()
    let read = Mutex<[RecoveryReading]>([])

    init(_ redis: RedisProcess, _ uid: String, duration: Duration = .seconds(60), entriesMax: Int = 1_000) {
        var configuration = RedisCluster.Configuration(url: redis.url, logger: quiet)
        configuration.streamEntriesMax = entriesMax
        stream = RedisStream(
            configuration, uid: uid, on: MultiThreadedEventLoopGroup.singleton.next(), metrics, ClusterMetrics(metrics))
        stream.open(duration: duration, retention: .seconds(300)) { [weak self] readings in self?.read.withLock { $0 += readings } }
    }

    func shows(_ line: String) -> Bool { metrics.prometheusText().split(separator: "\n").contains { $0 == line } }

    /// The names of the events that came live, or were not taken (with a mark), in their order.
    var events: [String] {
        read.withLock { readings in
            readings.compactMap { reading in
                switch reading {
                case .command(.emit(let name, _, _, _), _, _, isLive: true): name
                case .command(.emit(let name, _, _, _), _, _, isLive: false): "(\(name))"
                case .unstored(.emit(let name, _, _, _), _): "!\(name)"
                case .gap: "gap"
                case .lost: "lost"
                case .taken: "taken"
                default: nil
                }
            }
        }
    }

    func places() -> [RecoveryOffset] {
        read.withLock { readings in
            readings.compactMap { if case .command(_, _, let offset, _) = $0 { offset } else { nil } }
        }
    }

    func emit(_ name: String, _ arguments: [JSONValue] = []) -> Bool {
        stream.send(.emit(name, arguments, BroadcastTarget(), EmitFlags()), namespace: "/")
    }

    static func running(_ ends: [End], _ body: () async throws -> Void) async throws {
        let tasks = ends.map { end in Task { await end.stream.run() } }
        let result: Result<Void, any Error>
        do {
            guard await eventually({ ends.allSatisfy(\.stream.isReady) }) else { throw RedisProcess.Missing() }
            try await body()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        try result.get()
    }
}

/// The stream and the sockets on a real Redis.
@Suite("Stream: on a Redis", .timeLimit(.minutes(2))) struct RedisStreamTests {
    private func session(_ pid: SessionID, _ id: SessionID, _ name: String = "Ada") -> RecoverySession {
        let place = RecoveryOffset(millisecond: 1, number: 0)
        return RecoverySession(
            id: id, pid: pid, rooms: [.init(name: String(describing: id), since: place)], data: JSONObject([("name", .string(name))]),
            details: .init(namespace: "/", identity: nil, start: place, at: place))
    }

    @Test("all read the same events at the same places, their own among them; one that comes later reads what it may have missed")
    func order() async throws {
        let redis = try await RedisProcess()
        let ends = ["one", "two"].map { End(redis, $0) }
        try await End.running(ends) {
            await withTaskGroup { group in
                for end in ends {
                    group.addTask { for number in 0..<200 { #expect(end.emit("\(end.stream.uid)-\(number)", [.bytes([1])])) } }
                }
            }
            for end in ends { #expect(await eventually { end.events.count == 400 }) }
            #expect(ends[0].events == ends[1].events && ends[0].places() == ends[1].places())
            #expect(ends[0].places() == ends[0].places().sorted() && Set(ends[0].places()).count == 400)
            #expect(ends[0].events.filter { $0.hasPrefix("one") } == (0..<200).map { "one-\($0)" })

            let late = End(redis, "three")
            try await End.running([late]) {
                #expect(late.events == ends[0].events.map { "(\($0))" } && late.places() == ends[0].places())
                #expect(late.emit("new") && late.stream.isReady)
                #expect(await eventually { late.events.last == "new" && ends[0].events.last == "new" })
                let done = Mutex(false)
                _ = late.emit("last")
                late.stream.afterSent { done.withLock { $0 = late.events.last == "last" } }
                #expect(await eventually { done.withLock { $0 } })
            }
        }
    }

    @Test(
        "what is sent before Redis was heard of is not lost; what is sent while it is away is for those who are here, and a gap for the rest"
    )
    func away() async throws {
        let redis = try await RedisProcess()
        let ends = ["one", "two"].map { End(redis, $0) }
        #expect(ends[0].emit("early"))
        try await End.running(ends) {
            #expect(await eventually { ends.allSatisfy { $0.events == ["early"] || $0.events == ["(early)"] } })
            redis.end()
            #expect(await eventually { ends.allSatisfy { !$0.stream.isReady && $0.stream.writer.health != .ready } })
            #expect(!ends[0].emit("lost"))
            try await redis.launch()
            #expect(await eventually { ends.allSatisfy(\.stream.isReady) })
            // Redis has kept nothing: whoever sees it first writes a gap above all places, and the order goes on growing.
            #expect(await eventually { ends.allSatisfy { $0.events.contains("gap") } })
            #expect(await eventually { ends[0].emit("again") })
            #expect(await eventually { ends.allSatisfy { $0.events.last == "again" } })
            #expect(ends.allSatisfy { $0.places() == $0.places().sorted() && !$0.events.contains("lost") })
        }
    }

    @Test("an event that is too large is not in the stream, and said to be missing; what others write there is read or refused")
    func others() async throws {
        let redis = try await RedisProcess()
        let end = End(redis, "one")
        try await End.running([end]) {
            #expect(!end.emit("large", [.string(String(repeating: "x", count: StreamLimits.entryBytesMax))]))
            #expect(await eventually { end.events == ["lost"] })
            let event = #"{"packet":{"type":2,"data":["node"]},"opts":{"rooms":[],"except":[],"flags":{}}}"#
            for data in [event, "{", event] {
                _ = try await end.stream.writer.call(
                    RedisCommand("XADD", "socket.io", "*", "uid", "u", "nsp", "/", "type", "3", "data", data))
            }
            #expect(await eventually { end.events == ["lost", "node", "node"] })
            #expect(end.shows(#"kdcube_cluster_refused_total{reason="malformed"} 1"#))
        }
    }

    @Test("a socket is kept, found, taken once, told to be taken, and not written again by who had it") func sessions() async throws {
        let redis = try await RedisProcess()
        let ends = ["one", "two"].map { End(redis, $0) }
        try await End.running(ends) {
            let (pid, id) = (SessionID.random(node: 1), SessionID.random(node: 1))
            ends[0].stream.keep(session(pid, id), .create)
            ends[0].stream.keep(session(pid, id, "Bo"), .update)
            #expect(try await ends[0].stream.find(pid) == session(pid, id, "Bo"))
            #expect(try await ends[1].stream.find(pid)?.data["name"] == "Bo")
            let taken = try #require(try await ends[1].stream.take(pid))
            #expect(taken.session == session(pid, id, "Bo"))
            #expect(try await ends[0].stream.take(pid) == nil)
            #expect(try await ends[0].stream.find(pid) == nil)
            #expect(await eventually { ends[0].events == ["taken"] })
            #expect(ends[1].events.isEmpty, "its own mark is for the others")
            for mode: RecoverySession.Mode in [.update, .end] {
                ends[0].stream.keep(session(pid, id), mode)
                #expect(try await ends[0].stream.find(pid) == nil)
            }
            ends[1].stream.keep(session(pid, id), .create)
            ends[1].stream.forget(pid)
            #expect(try await ends[1].stream.find(pid) == nil)
            #expect(try await ends[1].stream.find(SessionID.random(node: 1)) == nil)
        }
    }

    @Test("a socket that has left is kept for its time, and one that is connected for longer") func life() async throws {
        let redis = try await RedisProcess()
        let end = End(redis, "one", duration: .seconds(10))
        try await End.running([end]) {
            let (pid, id) = (SessionID.random(node: 1), SessionID.random(node: 1))
            func life() async throws -> Int64 {
                _ = try await end.stream.find(pid)
                return try await end.stream.writer.call(RedisCommand("PTTL", SessionCodec.key(pid))).number ?? 0
            }
            end.stream.keep(session(pid, id), .create)
            let connected = try await life()
            #expect((10_001...17_000).contains(connected))
            end.stream.keep(session(pid, id), .end)
            let left = try await life()
            #expect((1...10_000).contains(left))
        }
    }

    @Test("the stream is let go of at its end, beyond what is to be kept") func trimmed() async throws {
        let redis = try await RedisProcess()
        let end = End(redis, "one", entriesMax: 100)
        try await End.running([end]) {
            for number in 0..<1_000 { #expect(end.emit("\(number)")) }
            #expect(await eventually { end.events.count == 1_000 })
            let length = try await end.stream.writer.call(RedisCommand("XLEN", "socket.io")).number ?? 0
            #expect((100...300).contains(length))
            let late = End(redis, "two")
            try await End.running([late]) { #expect(late.events.last == "(999)" && late.events.count < 400) }
        }
    }
}
