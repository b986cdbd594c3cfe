internal import Logging
internal import NIOCore
internal import NIOPosix
internal import RedisClient
internal import Telemetry
internal import Transport
internal import TransportRedis

extension RedisCluster {
    /// The cluster that this server joins; nil unless `transport.cluster` says so. On connections of its own, so that what servers tell
    /// each other never waits in front of the counters.
    static func configured(
        _ settings: kdcube.Configuration, metrics: MetricRegistry, roll: (any ClusterRoll)? = nil, logger: Logger
    ) throws -> RedisCluster? {
        let transport = settings.transport
        guard transport.cluster else { return nil }
        guard let url = try? RedisURL(parsing: settings.stores.redis) else {
            throw CommandFailure(
                "stores.redis is no Redis address such as redis://127.0.0.1:6379/0, or redis://h1:6379,h2:6379 for a cluster")
        }
        var cluster = Configuration(url: url, logger: logger)
        cluster.roll = roll
        cluster.key = transport.clusterKey
        cluster.streamEntriesMax = transport.clusterStreamEvents
        cluster.pythonChannel = transport.clusterPythonChannel.isEmpty ? nil : transport.clusterPythonChannel
        return RedisCluster(cluster, on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics)
    }
}

extension ClusterMembership {
    /// This server's place among those of the cluster, with its id claimed; nil unless `transport.cluster` says so.
    static func configured(
        _ settings: kdcube.Configuration, metrics: MetricRegistry, logger: Logger
    ) async throws -> ClusterMembership? {
        guard settings.transport.cluster, let url = try? RedisURL(parsing: settings.stores.redis) else { return nil }
        let membership = ClusterMembership(
            url: url, on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics, logger: logger)
        await membership.start()
        return membership
    }
}

extension Configuration.Server {
    /// Where the other servers of a cluster reach this one, over TLS where the port speaks that.
    func peerAddress(port: Int) -> PeerAddress? {
        let isSecure = tls != nil
        if !advertise.isEmpty { return PeerAddress(advertise).map { PeerAddress(host: $0.host, port: $0.port, isSecure: isSecure) } }
        guard host == "0.0.0.0" || host == "::" else { return PeerAddress(host: host, port: port, isSecure: isSecure) }
        let devices = (try? System.enumerateDevices()) ?? []
        let numbers = devices.compactMap { device -> String? in
            guard case .v4? = device.address, let number = device.address?.ipAddress, !number.hasPrefix("127.") else { return nil }
            return number
        }
        return PeerAddress(host: numbers.first ?? "127.0.0.1", port: port, isSecure: isSecure)
    }
}
