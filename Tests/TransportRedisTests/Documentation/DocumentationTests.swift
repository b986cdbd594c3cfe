import Foundation
import Logging
import NIOCore
import Testing
import TransportRedis

/// The code of TransportRedis.docc; `static` is not shown.
enum TransportRedisCode {
    static func serveCluster(_ group: any EventLoopGroup, _ logger: Logger) async throws {
        let url = try RedisURL(parsing: "redis://127.0.0.1:6379")
        let metrics = MetricRegistry()
        let cluster = RedisCluster(.init(url: url, logger: logger), on: group.next(), metrics: metrics)
        let server = SocketIOServer(
            configuration: try TransportConfiguration(), eventLoopGroup: group, cluster: cluster, metrics: metrics, logger: logger)
        cluster.attach(server)
        async let connected: Void = cluster.run()
        try await server.serve(port: 3000)
        await connected
    }

    static func joinTable(_ group: any EventLoopGroup, _ metrics: MetricRegistry, _ logger: Logger) async throws -> TransportConfiguration {
        let url = try RedisURL(parsing: "redis://127.0.0.1:6379")
        let members = ClusterMembership(url: url, on: group.next(), metrics: metrics, logger: logger)
        await members.start()
        return try TransportConfiguration(nodeID: members.id)
    }
}

/// The documentation of the library beside code that compiles. Needs nothing.
@Suite("TransportRedis: documentation")
struct DocumentationTests {
    @Test("Every piece of Swift in the catalog is code that compiles") func compiles() throws {
        let file = URL(filePath: #filePath)
        let root = file.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let article = root.appending(path: "Sources/Transport/Redis/TransportRedis.docc/TransportRedis.md")
        let code = Self.words(try String(contentsOf: file, encoding: .utf8))
        let pieces = try String(contentsOf: article, encoding: .utf8).components(separatedBy: "```swift\n").dropFirst()
        #expect(pieces.count == 2)
        for piece in pieces {
            let shown = piece.components(separatedBy: "```")[0]
            #expect(code.contains(Self.words(shown)), "\(shown)")
        }
    }

    private static func words(_ text: String) -> String {
        text.split { $0.isWhitespace }.filter { $0 != "static" }.joined(separator: " ")
    }
}
