import RedisClient
import Telemetry
import Testing

@testable import Engine
@testable import kdcube

@Suite("Run logs in a real Redis (needs redis-server)")
struct RunLogRedisTests {
    @Test("a run is read at another node from its beginning and as it goes on, by its owner's tenant alone")
    func follows() async throws {
        try await RunLogRig.run { rig in
            rig.own.log.append(.start(model: "demo", message: "hi"), at: 1_000)
            rig.write(300)
            let copy = try await rig.copy(at: rig.two)
            #expect(copy.identity == rig.own.identity && copy.model == "demo" && copy.startedAt == 1_000 && copy.tenant == RunLogRig.tenant)
            for other in [
                Tenant(org: "beta", project: "web", user: "ada", key: nil), Tenant(org: "acme", project: "api", user: "ada", key: nil),
                Tenant(org: "acme", project: "web", user: "bob", key: nil), Tenant(org: "acme", project: "web", user: nil, key: "k"),
            ] { #expect(await rig.find(at: rig.two, for: other) == nil) }
            rig.write(300)
            rig.complete(String(repeating: "日本", count: 50_000))
            #expect(await eventually { rig.isWhole(copy) })
            // One follower for all readers; and one that comes after the end reads the same.
            #expect(try await rig.copy(at: rig.two).log === copy.log)
            _ = try await rig.copy(at: rig.anotherNode()) { rig.isWhole($0) }
        }
    }

    @Test("a Redis that stands still holds nobody up, and readers elsewhere have every event once when it goes on")
    func frozen() async throws {
        try await RunLogRig.run { rig in
            rig.write(10)
            let copy = try await rig.copy(at: rig.two) { $0.log.lastSeq == 10 }
            rig.server.freeze()
            rig.write(10)
            // Some of it is on its way, and its answer did not come in time.
            #expect(await eventually { rig.one.metrics.writeFailures.value > 0 })
            rig.write(500)
            rig.complete()
            #expect(rig.own.log.lastSeq == 521 && copy.log.lastSeq == 10)
            rig.server.thaw()
            #expect(await eventually { rig.isWhole(copy) })
        }
    }

    @Test("of a Redis that was emptied the rest comes to those who read along, and late readers are told of a gap")
    func emptied() async throws {
        try await RunLogRig.run { rig in
            let three = rig.anotherNode()
            rig.write(10)
            let copy = try await rig.copy(at: rig.two) { $0.log.lastSeq == 10 }
            _ = try await rig.one.call(RedisCommand("FLUSHALL"))
            rig.write(10)
            rig.complete()
            #expect(await eventually { rig.isWhole(copy) })
            // The end brings the head again.
            let late = try await rig.copy(at: three) { $0.log.terminal != nil }
            #expect(late.log.read(after: 0, maxBytes: .max).first.map { [$0.firstSeq, $0.seq] } == [1, 10])
        }
    }

    @Test("the end that a survivor writes comes to followers at once, and what the dead node may still send is refused")
    func lost() async throws {
        try await RunLogRig.run { rig in
            rig.write(10)
            let copy = try await rig.copy(at: rig.two) { $0.log.lastSeq == 10 }
            let end = SharedEvent(lostAt: 3_000, terminal: .error(code: LostRuns.code, message: "", .nothing))
            let key = RunLogKeys.log(org: RunLogRig.tenant.org, rig.own.identity.run)
            func writeEnd() async throws {
                for entry in RunLogEntry.entries(of: end) { _ = try await rig.two.call(entry.command(key, onlyIfKept: true)) }
            }
            try await writeEnd()
            #expect(await eventually { copy.log.terminal == end.body })
            rig.write(10)
            rig.complete()
            await rig.one.writer.flush()
            let length = try await rig.two.call(RedisCommand("XREVRANGE", key, "+", "-", "COUNT", "1"))
            #expect(length.elements?.first?.elements?.first?.string == "4294967296-0")
            // A log that is gone is not begun anew by an end.
            _ = try await rig.two.call(RedisCommand("DEL", key))
            try await writeEnd()
            #expect(try await rig.two.call(RedisCommand("EXISTS", key)).number == 0)
        }
    }
}
