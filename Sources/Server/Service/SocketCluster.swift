internal import Logging
internal import NIOPosix
internal import RedisClient
internal import Telemetry
internal import TransportRedis

extension RedisCluster {
    /// The cluster that this server joins; nil unless `transport.cluster` says so. On connections of its own, so that what servers tell
    /// each other never waits in front of the counters.
    static func configured(_ settings: kdcube.Configuration, metrics: MetricRegistry, logger: Logger) throws -> RedisCluster? {
        let transport = settings.transport
        guard transport.cluster else { return nil }
        guard let url = try? RedisURL(parsing: settings.stores.redis) else {
            throw CommandFailure(
                "stores.redis is no Redis address such as redis://127.0.0.1:6379/0, or redis://h1:6379,h2:6379 for a cluster")
        }
        var cluster = Configuration(url: url, logger: logger)
        cluster.key = transport.clusterKey
        cluster.pythonChannel = transport.clusterPythonChannel.isEmpty ? nil : transport.clusterPythonChannel
        return RedisCluster(cluster, on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics)
    }
}
