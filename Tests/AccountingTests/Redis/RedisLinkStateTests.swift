import NIOCore
import Testing

@testable import AccountingRedis
@testable import RedisClient

@Suite("The life of a Redis connection, without one")
struct RedisLinkStateTests {
    @Test("It is ready only after it was prepared")
    func happy() {
        var state = RedisLinkState()
        #expect(state.apply(.start) == [.connect])
        #expect(state.apply(.connected) == [.prepare])
        #expect(!state.isReady)
        #expect(state.apply(.prepared) == [.report(.ready)])
        #expect(state.isReady)
    }

    @Test("A loss fails what waits, says so, and tries again with a growing count")
    func loss() {
        var state = RedisLinkState()
        _ = state.apply(.start)
        #expect(state.apply(.connectFailed("a")) == [.report(.unreachable("a")), .failPending(.lost("a")), .retry(attempt: 0)])
        #expect(state.apply(.retryDue) == [.connect])
        _ = state.apply(.connected)
        #expect(
            state.apply(.prepareFailed("b")) == [.disconnect, .report(.unreachable("b")), .failPending(.lost("b")), .retry(attempt: 1)])
        #expect(state.apply(.prepareFailed("again")).isEmpty)
        _ = state.apply(.retryDue)
        _ = state.apply(.connected)
        _ = state.apply(.prepared)
        #expect(state.apply(.disconnected("c")) == [.report(.unreachable("c")), .failPending(.lost("c")), .retry(attempt: 0)])
        #expect(!state.isReady)
    }

    @Test("One address that fails is followed by the next at once; only a round without any is an outcome, and the rounds are paced")
    func severalAddresses() {
        var state = RedisLinkState(addresses: 3)
        #expect(state.apply(.start) == [.connect] && state.address == 0)
        #expect(state.apply(.connectFailed("a")) == [.failPending(.lost("a")), .connect] && state.address == 1)
        _ = state.apply(.connected)
        #expect(state.apply(.prepareFailed("b")) == [.disconnect, .failPending(.lost("b")), .connect] && state.address == 2)
        _ = state.apply(.connected)
        #expect(state.apply(.disconnected("c")) == [.report(.unreachable("c")), .failPending(.lost("c")), .retry(attempt: 0)])
        #expect(state.apply(.retryDue) == [.connect] && state.address == 0)
        _ = state.apply(.connectFailed("a"))
        _ = state.apply(.connected)
        #expect(state.apply(.prepared) == [.report(.ready)] && state.address == 1)
        // A lost connection is tried again where it was, and then elsewhere.
        #expect(state.apply(.disconnected("d")) == [.report(.unreachable("d")), .failPending(.lost("d")), .retry(attempt: 0)])
        #expect(state.apply(.retryDue) == [.connect] && state.address == 1)
        #expect(state.apply(.connectFailed("d")) == [.failPending(.lost("d")), .connect] && state.address == 2)
    }

    @Test("A Redis that stands alone among several addresses is an outcome by itself, never passed over in silence")
    func standsAlone() {
        var state = RedisLinkState(addresses: 2)
        _ = state.apply(.start)
        _ = state.apply(.connected)
        #expect(
            state.apply(.standsAlone("h:1"))
                == [.disconnect, .report(.notCluster("h:1")), .failPending(.notCluster("h:1")), .retry(attempt: 0)])
        #expect(state.apply(.prepared).isEmpty && !state.isReady)
    }

    @Test("After close nothing starts again, and a connection that arrives late is closed")
    func closed() {
        var state = RedisLinkState()
        _ = state.apply(.start)
        #expect(state.apply(.stop) == [.failPending(.closed), .disconnect, .report(.closed)])
        #expect(state.apply(.connected) == [.disconnect])
        #expect(state.apply(.retryDue).isEmpty)
        #expect(state.apply(.start).isEmpty)
        #expect(state.apply(.stop).isEmpty)
    }

    @Test("Pauses double up to the longest, and at least half of each is kept", arguments: [UInt64(1), 2, 3])
    func backoff(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let backoff = RedisBackoff(first: 20, longest: 500)
        for (attempt, whole) in [(0, Int64(20)), (1, 40), (2, 80), (4, 320), (5, 500), (60, 500), (10_000, 500)] {
            for _ in 0..<50 {
                let pause = backoff.pause(attempt: attempt, random: &random)
                #expect((whole / 2...whole).contains(pause), "seed \(seed), attempt \(attempt)")
            }
        }
    }
}

@Suite("The commands that wait for a reply")
struct RedisPipelineTests {
    private final class Log { var lines: [String] = [] }

    private func waiting(_ log: Log, _ name: String) -> RedisPipeline.Completion {
        { result in
            switch result {
            case .success(let value): log.lines.append("\(name) \(value.number ?? -1)")
            case .failure(let fault): log.lines.append("\(name) \(fault)")
            }
        }
    }

    @Test("A reply that comes after its deadline is not taken for the next command's")
    func abandoned() {
        let log = Log()
        var pipeline = RedisPipeline(limit: 3)
        let start = NIODeadline.uptimeNanoseconds(1_000)
        pipeline.append(deadline: start, waiting(log, "a"))
        pipeline.append(deadline: start + .nanoseconds(5), waiting(log, "b"))
        for late in pipeline.expired(at: start) { late(.failure(.timeout)) }
        #expect(log.lines == ["a timeout"])
        #expect(pipeline.nextDeadline == start + .nanoseconds(5))
        #expect(pipeline.oldestDeadline == start)
        guard case .abandoned = pipeline.answered() else { Issue.record("the place of a is kept for its reply"); return }
        guard case .caller(let completion) = pipeline.answered() else { Issue.record("b still waits"); return }
        completion(.success(.integer(2)))
        #expect(log.lines == ["a timeout", "b 2"])
        guard case .nobody = pipeline.answered() else { Issue.record("nobody waits any more"); return }
        #expect(pipeline.isEmpty)
    }

    @Test("Abandoned places count against the limit")
    func limit() {
        let log = Log()
        var pipeline = RedisPipeline(limit: 2)
        pipeline.append(deadline: .uptimeNanoseconds(1), waiting(log, "a"))
        pipeline.append(deadline: .uptimeNanoseconds(2), waiting(log, "b"))
        #expect(pipeline.expired(at: .uptimeNanoseconds(2)).count == 2)
        #expect(pipeline.isFull)
        #expect(pipeline.removeAll().isEmpty, "both have been told")
        #expect(!pipeline.isFull)
    }
}
