internal import NIOCore
internal import Telemetry

/// What every namespace and every session of a server share. Immutable.
final class SocketServices: Sendable {
    let eventLoops: [any EventLoop]
    let connectTimeout: TimeAmount
    let ackTimeout: Duration
    let lifetime: ConnectionLifetime?
    let cluster: (any ClusterPort)?
    let packets: PacketFrames
    let servesRevision3: Bool
    let rateLimits: RateLimits
    let limited: PacketLimitMetrics
    /// Nil when connections cannot be recovered.
    let recovery: Recovery?
    let sockets: Metric
    let parseErrors: Metric
    let refusedRooms: Metric
    let refusedNamespaces: Metric
    let unknownNamespaces: Metric
    let refusedEvents: Metric
    let refusedEmits: Metric
    let replacedVolatile: Metric
    private let faults: [String: Metric]

    init(
        configuration: TransportConfiguration, eventLoops: [any EventLoop], cluster: (any ClusterPort)?, metrics: MetricRegistry
    ) {
        self.eventLoops = eventLoops
        self.cluster = cluster
        servesRevision3 = configuration.allowEIO3
        rateLimits = configuration.rateLimits
        limited = PacketLimitMetrics(metrics)
        packets = PacketFrames(parser: configuration.parser)
        recovery = configuration.recovery.map {
            Recovery(
                $0, configuration: configuration, eventLoops: eventLoops, stream: (cluster as? any RecoveringCluster)?.recoveryStream,
                metrics: metrics)
        }
        connectTimeout = configuration.connectTimeout.timeAmount
        ackTimeout = configuration.ackTimeout
        lifetime = configuration.connectionLifetime
        sockets = metrics.gauge("kdcube_sockets", "Sockets that have joined a namespace.")
        parseErrors = metrics.counter("kdcube_socketio_parse_errors_total", "Sessions closed because of a malformed Socket.IO packet.")
        refusedRooms = metrics.counter("kdcube_rooms_refused_total", "Joins refused because a socket is in too many rooms.")
        refusedNamespaces = metrics.counter(
            "kdcube_socketio_namespaces_refused_total", "Namespaces not made because their dynamic namespace has too many children.")
        unknownNamespaces = metrics.counter(
            "kdcube_socketio_namespaces_unknown_total", "Attempts to join a namespace that is not there.")
        refusedEvents = metrics.counter("kdcube_socketio_events_refused_total", "Events refused by a middleware.")
        refusedEmits = metrics.counter("kdcube_socketio_emits_refused_total", "Events not sent because their name is reserved.")
        replacedVolatile = metrics.counter(
            "kdcube_socketio_volatile_replaced_total", "Volatile events replaced by a later one before the transport could take them.")
        var faults: [String: Metric] = [:]
        for name in EventFault.names {
            faults[name] = metrics.counter(
                "kdcube_socketio_event_faults_total", "Typed events that were not handled or not sent, by what was wrong.",
                [("fault", name)])
        }
        self.faults = faults
    }

    func count(_ fault: EventFault) { faults[fault.name]?.add() }
}
