import Logging
import RedisClient
import Telemetry
import Testing

@testable import Engine
@testable import kdcube

/// A real Redis with nodes on it, and a run that the first of them has and shares.
final class RunLogRig {
    /// One node's part, with its loops.
    final class Node: Sendable {
        let redis: RunLogRedis
        let metrics: RunLogMetrics
        let writer: RunLogWriter
        let followed: FollowedRuns
        private let loops: [Task<Void, Never>]

        init(_ name: String, _ server: RedisProcess) {
            let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            metrics = RunLogMetrics(MetricRegistry())
            redis = RunLogRedis(server.url, logger: quiet)
            redis.connect()
            let writer = RunLogWriter(redis, node: name, metrics: metrics, logger: quiet)
            let followed = FollowedRuns(redis, metrics: metrics, ending: { _, _ in nil })
            (self.writer, self.followed) = (writer, followed)
            loops = [Task { await writer.run() }, Task { await followed.run() }]
        }

        func call(_ command: RedisCommand) async throws -> RedisValue { try await redis.call(command, tag: RunLogRig.tenant.org.text) }

        func close() async {
            for loop in loops { loop.cancel() }
            await redis.close()
        }
    }

    static let tenant = Tenant(org: "acme", project: "web", user: "ada", key: nil)

    let server: RedisProcess
    let own: RunHandle
    /// The run's node, and one that reads it.
    let one: Node
    let two: Node
    private var others: [Node] = []

    /// Its nodes are closed when `body` has ended well.
    static func run(_ body: (RunLogRig) async throws -> Void) async throws {
        let rig = RunLogRig(try await RedisProcess())
        try await body(rig)
        for node in [rig.one, rig.two] + rig.others { await node.close() }
    }

    private init(_ server: RedisProcess) {
        self.server = server
        let identity = RunIdentity(run: RunID(), conversation: ConversationID(), turn: TurnID())
        own = RunHandle(
            identity: identity, tenant: Self.tenant, model: "demo", startedAt: 1_000, log: RunLog(identity: identity, startedAt: 1_000))
        (one, two) = (Node("one", server), Node("two", server))
        one.writer.share(own)
    }

    func anotherNode() -> Node {
        let node = Node("another", server)
        others.append(node)
        return node
    }

    // MARK: At the run's node

    func write(_ count: Int) {
        for number in 0..<count { own.log.append(text: "w\(number) ", marker: .answer, index: 0, at: 1_000 + Int64(number)) }
    }

    func complete(_ answer: String = "") { own.log.append(.complete(finalAnswer: answer, finishReason: "stop", .nothing), at: 2_000) }

    // MARK: Elsewhere

    func find(at node: Node, for tenant: Tenant = RunLogRig.tenant) async -> RunHandle? {
        await node.followed.find(own.identity.run, for: tenant)?.handle
    }

    /// The run as `node` has it, once `condition` holds of that.
    func copy(at node: Node, once condition: (RunHandle) -> Bool = { _ in true }) async throws -> RunHandle {
        let isThere = await eventually { await find(at: node).map(condition) ?? false }
        #expect(isThere)
        return try #require(await find(at: node))
    }

    func isWhole(_ copy: RunHandle) -> Bool {
        copy.log.terminal == own.log.terminal && Self.text(copy) == Self.text(own) && copy.log.lastSeq == own.log.lastSeq
    }

    private static func text(_ run: RunHandle) -> String {
        run.log.read(after: 0, maxBytes: .max).map { if case .delta(let delta) = $0.body { delta.text } else { "<\($0.body.type)>" } }
            .joined()
    }
}
