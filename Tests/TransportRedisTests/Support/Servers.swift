import JSON
import Logging
import NIOCore
import NIOPosix
import RedisClient
import Synchronization
import Telemetry
import Transport

@testable import TransportRedis

/// A Socket.IO server without a port, in a cluster.
final class Node: Sendable {
    let name: String
    let server: SocketIOServer
    let cluster: RedisCluster
    let metrics = MetricRegistry()
    /// What `serverSideEmit` brought, in its order.
    let heard = Mutex<[String]>([])

    init(_ name: String, _ url: RedisURL, roll: (any ClusterRoll)? = nil) throws {
        self.name = name
        var configuration = RedisCluster.Configuration(url: url, logger: quiet)
        configuration.roll = roll
        cluster = RedisCluster(configuration, on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics)
        server = SocketIOServer(
            configuration: try TransportConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton, cluster: cluster,
            metrics: metrics, logger: quiet)
        cluster.attach(server)
        server.namespace("/").onServerSide("say") { [weak self] arguments in
            self?.heard.withLock { $0.append(arguments.first?.stringValue ?? "") }
            return .string(name)
        }
    }

    var main: Namespace { server.namespace("/") }

    func shows(_ line: String) -> Bool { metrics.prometheusText().split(separator: "\n").contains { $0 == line } }

    /// Runs the nodes' clusters while `body` does, which begins when each hears the others.
    static func running(_ nodes: [Node], _ body: () async throws -> Void) async throws {
        let tasks = nodes.map { node in Task { await node.cluster.run() } }
        let all = await eventually { nodes.allSatisfy { $0.cluster.takesPart(in: "/") } }
        let result: Result<Void, any Error>
        do {
            if !all { throw RedisProcess.Missing() }
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

/// A server of Node.js as the others see it: listens to its channels, and publishes what it is told to.
final class Peer: Sendable {
    let uid: String
    private let publisher: RedisConnection
    private let subscriber: RedisSubscriber
    private let heard: AsyncStream<String>
    private let topics: [RedisTopic]

    init(_ uid: String, _ url: RedisURL) async throws {
        self.uid = uid
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        heard = stream
        var configuration = RedisConnection.Configuration(url: url, logger: quiet)
        configuration.deadlineMilliseconds = 10_000
        publisher = RedisConnection(configuration, on: loop)
        subscriber = RedisSubscriber(url: url, logger: quiet, on: loop) { event in
            if case .message(let message) = event { continuation.yield(String(buffer: message.payload)) }
        }
        let topics = ["-request#/#", "-response#/#", "-response#/#\(uid)#"].map { RedisTopic.channel("socket.io" + $0) }
        self.topics = topics
        subscriber.subscribe(topics)
        subscriber.connect()
        try await publisher.start()
        guard await eventually({ topics.allSatisfy { subscriber.listens(to: $0) } }) else { throw RedisProcess.Missing() }
    }

    func publish(_ text: String, to channel: String) async throws { _ = try await publisher.call(RedisCommand("PUBLISH", channel, text)) }

    /// The next `count` messages on its channels that hold `mark`.
    func next(_ count: Int, with mark: String) async -> [String] {
        var found: [String] = []
        for await text in heard where text.contains(mark) {
            found.append(text)
            if found.count == count { break }
        }
        return found.sorted()
    }

    func close() async {
        await subscriber.close()
        await publisher.close()
    }
}
