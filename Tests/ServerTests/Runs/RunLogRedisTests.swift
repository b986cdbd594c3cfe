import JSON
import Logging
import RedisClient
import Synchronization
import Telemetry
import Testing

@testable import Engine
@testable import kdcube

@Suite("Run logs in a real Redis (needs redis-server)")
struct RunLogRedisTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let tenant = Tenant(org: "acme", project: "web", user: "ada", key: nil)

    /// One node's part, with its loops.
    private final class Node: Sendable {
        let redis: RunLogRedis
        let metrics: RunLogMetrics
        let writer: RunLogWriter
        let followed: FollowedRuns
        let orders: RunOrders
        private let loops: Mutex<[Task<Void, Never>]>

        init(_ name: String, _ server: RedisProcess, ending: @escaping FollowedRuns.Ending = { _, _ in nil }) {
            metrics = RunLogMetrics(MetricRegistry())
            redis = RunLogRedis(server.url, logger: quiet)
            redis.connect()
            writer = RunLogWriter(redis, node: name, metrics: metrics, logger: quiet)
            followed = FollowedRuns(redis, metrics: metrics, ending: ending)
            orders = RunOrders(redis: redis, node: name, metrics: metrics)
            loops = Mutex([])
            let (writer, followed) = (writer, followed)
            loops.withLock { $0 = [Task { await writer.run() }, Task { await followed.run() }] }
        }

        func close() async {
            for loop in loops.withLock({ $0 }) { loop.cancel() }
            await redis.close()
        }
    }

    private func run() -> RunHandle {
        let identity = RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID())
        return RunHandle(
            identity: identity, tenant: tenant, model: "demo", startedAt: 1_000, log: RunLog(identity: identity, startedAt: 1_000))
    }

    private func write(_ count: Int, to run: RunHandle) {
        for number in 0..<count { run.log.append(text: "w\(number) ", marker: .answer, index: 0, at: 1_000 + Int64(number)) }
    }

    private func isWhole(_ copy: RunHandle, _ own: RunHandle) -> Bool {
        copy.log.terminal == own.log.terminal && text(copy) == text(own) && copy.log.lastSeq == own.log.lastSeq
    }

    private func text(_ run: RunHandle) -> String {
        run.log.read(after: 0, maxBytes: .max).map { if case .delta(let delta) = $0.body { delta.text } else { "<\($0.body.type)>" } }
            .joined()
    }

    private func find(_ run: RunHandle, at node: Node, for tenant: Tenant? = nil) async -> RunHandle? {
        await node.followed.find(run.identity.run, for: tenant ?? self.tenant)?.handle
    }

    @Test("a run is read at another node from its beginning and as it goes on, by its owner's tenant alone")
    func follows() async throws {
        let server = try await RedisProcess()
        let (one, two) = (Node("one", server), Node("two", server))
        let own = run()
        one.writer.share(own)
        own.log.append(.start(model: "demo", message: "hi"), at: 1_000)
        write(300, to: own)
        #expect(await eventually { await find(own, at: two) != nil })
        let copy = try #require(await find(own, at: two))
        #expect(copy.identity == own.identity && copy.model == "demo" && copy.startedAt == 1_000 && copy.tenant == tenant)
        for other in [
            Tenant(org: "beta", project: "web", user: "ada", key: nil), Tenant(org: "acme", project: "api", user: "ada", key: nil),
            Tenant(org: "acme", project: "web", user: "bob", key: nil), Tenant(org: "acme", project: "web", user: nil, key: "k"),
        ] { #expect(await find(own, at: two, for: other) == nil) }
        write(300, to: own)
        own.log.append(.complete(finalAnswer: String(repeating: "日本", count: 50_000), finishReason: "stop", .nothing), at: 2_000)
        #expect(await eventually { isWhole(copy, own) })
        // One follower for all readers; and one that comes after the end reads the same.
        #expect(try #require(await find(own, at: two)).log === copy.log)
        let three = Node("three", server)
        #expect(await eventually { if let late = await find(own, at: three) { isWhole(late, own) } else { false } })
        for node in [one, two, three] { await node.close() }
    }

    @Test("a Redis that stands still holds nobody up, and readers elsewhere have every event once when it goes on")
    func frozen() async throws {
        let server = try await RedisProcess()
        let (one, two) = (Node("one", server), Node("two", server))
        let own = run()
        one.writer.share(own)
        write(10, to: own)
        #expect(await eventually { await find(own, at: two)?.log.lastSeq == 10 })
        let copy = try #require(await find(own, at: two))
        server.freeze()
        write(10, to: own)
        // Some of it is on its way, and its answer did not come in time.
        #expect(await eventually { one.metrics.writeFailures.value > 0 })
        write(500, to: own)
        own.log.append(.complete(finalAnswer: "", finishReason: "stop", .nothing), at: 2_000)
        #expect(own.log.lastSeq == 521 && copy.log.lastSeq == 10)
        server.thaw()
        #expect(await eventually { isWhole(copy, own) })
        for node in [one, two] { await node.close() }
    }

    @Test("of a Redis that was emptied the rest comes to those who read along, and late readers are told of a gap")
    func emptied() async throws {
        let server = try await RedisProcess()
        let (one, two, three) = (Node("one", server), Node("two", server), Node("three", server))
        let own = run()
        one.writer.share(own)
        write(10, to: own)
        #expect(await eventually { await find(own, at: two)?.log.lastSeq == 10 })
        let copy = try #require(await find(own, at: two))
        _ = try await one.redis.call(RedisCommand("FLUSHALL"), tag: "acme")
        write(10, to: own)
        own.log.append(.complete(finalAnswer: "", finishReason: "stop", .nothing), at: 2_000)
        #expect(await eventually { isWhole(copy, own) })
        // The end brings the head again.
        #expect(await eventually { await find(own, at: three)?.log.terminal != nil })
        let late = try #require(await find(own, at: three))
        #expect(late.log.read(after: 0, maxBytes: .max).first.map { [$0.firstSeq, $0.seq] } == [1, 10])
        for node in [one, two, three] { await node.close() }
    }

    @Test("the end that a survivor writes comes to followers at once, and what the dead node may still send is refused")
    func lost() async throws {
        let server = try await RedisProcess()
        let (one, two) = (Node("one", server), Node("two", server))
        let own = run()
        one.writer.share(own)
        write(10, to: own)
        #expect(await eventually { await find(own, at: two)?.log.lastSeq == 10 })
        let copy = try #require(await find(own, at: two))
        let end = SharedEvent(lostAt: 3_000, terminal: .error(code: LostRuns.code, message: "", .nothing))
        let key = RunLogKeys.log(org: "acme", own.identity.run)
        for entry in RunLogEntry.entries(of: end) { _ = try await two.redis.call(entry.command(key, onlyIfKept: true), tag: "acme") }
        #expect(await eventually { copy.log.terminal == end.body })
        write(10, to: own)
        own.log.append(.complete(finalAnswer: "", finishReason: "stop", .nothing), at: 2_000)
        await one.writer.flush()
        let length = try await two.redis.call(RedisCommand("XREVRANGE", key, "+", "-", "COUNT", "1"), tag: "acme")
        #expect(length.elements?.first?.elements?.first?.string == "4294967296-0")
        // A log that is gone is not begun anew by an end.
        _ = try await two.redis.call(RedisCommand("DEL", key), tag: "acme")
        for entry in RunLogEntry.entries(of: end) { _ = try await two.redis.call(entry.command(key, onlyIfKept: true), tag: "acme") }
        #expect(try await two.redis.call(RedisCommand("EXISTS", key), tag: "acme").number == 0)
        for node in [one, two] { await node.close() }
    }
}
