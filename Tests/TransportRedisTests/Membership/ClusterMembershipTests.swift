import NIOPosix
import RedisClient
import Telemetry
import Testing
import Transport

@testable import TransportRedis

/// Nodes on a real Redis.
@Suite("Which nodes are up, on a Redis", .timeLimit(.minutes(1)))
struct ClusterMembershipTests {
    private func node(_ redis: RedisProcess) -> ClusterMembership {
        ClusterMembership(
            url: redis.url, on: MultiThreadedEventLoopGroup.singleton.next(), metrics: MetricRegistry(), logger: quiet)
    }

    private func address(_ port: Int) -> PeerAddress { PeerAddress(host: "127.0.0.1", port: port) }

    @Test func nodesFindEachOtherAndHearOfOneThatLeaves() async throws {
        let redis = try await RedisProcess()
        let (first, second) = (node(redis), node(redis))
        await first.start()
        await second.start()
        #expect(first.id != second.id && first.status.state == .member)
        let one = Task { await first.run() }
        let other = Task { await second.run() }
        first.announce(uid: "kdc-first", address: address(1))
        second.announce(uid: "kdc-second", address: address(2))
        #expect(await eventually { first.address(of: second.id) == address(2) && second.address(of: first.id) == address(1) })
        #expect(first.uids == ["kdc-first", "kdc-second"])
        #expect(first.nodes == [ClusterNode(id: second.id, address: address(2), uid: "kdc-second")])
        // It says so itself: nobody waits until it is silent.
        other.cancel()
        await other.value
        #expect(await eventually { first.address(of: second.id) == nil })
        one.cancel()
        await one.value
    }

    @Test func whatIsKnownStaysWhileRedisIsAway() async throws {
        let redis = try await RedisProcess()
        let (first, second) = (node(redis), node(redis))
        await first.start()
        await second.start()
        let running = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await first.run() }
                group.addTask { await second.run() }
            }
        }
        first.announce(address: address(1))
        second.announce(address: address(2))
        #expect(await eventually { first.address(of: second.id) != nil && second.address(of: first.id) != nil })
        redis.end()
        #expect(await eventually { first.status.state == .outOfContact })
        #expect(first.address(of: second.id) == address(2))
        // With an empty table: both claim their ids again, and nobody is dropped before the others had the time.
        try await redis.launch()
        #expect(await eventually { first.status.state == .member && second.status.state == .member })
        #expect(first.address(of: second.id) == address(2) && second.address(of: first.id) == address(1))
        running.cancel()
        await running.value
    }

    @Test func aNodeBeginsWithoutRedisAndClaimsItsIDLater() async throws {
        let redis = try await RedisProcess()
        redis.end()
        let membership = node(redis)
        await membership.start()
        let id = membership.id
        #expect(membership.status == MembershipStatus(state: .waiting, others: 0))
        let running = Task { await membership.run() }
        try await redis.launch()
        #expect(await eventually { membership.status.state == .member })
        #expect(membership.id == id)
        running.cancel()
        await running.value
    }
}
