internal import Logging
internal import NIOCore
internal import Synchronization
internal import Telemetry

/// What all connections of a server have in common. Immutable, apart from atomic counters.
final class FrontShared: Sendable {
    let rules: RequestPlan.Rules
    let deadlines: FrontDeadlines.Table
    let connectionsMax: Int
    let arrivingBodyBytesMax: Int
    let relaysPerLoopMax: Int
    let tls: TLSIdentity?
    let ingress: (any EngineIOIngress)?
    let respond: RequestTask.Responder
    let metrics: FrontMetrics
    let logger: Logger
    private let arrivingBytes = Atomic<Int>(0)
    private let connections = Atomic<Int>(0)
    private let mostConnections = Atomic<Int>(0)
    private let refusedConnections = Atomic<Int>(0)
    private let streams = Atomic<Int>(0)

    init(
        _ configuration: FrontConfiguration, ingress: (any EngineIOIngress)?, respond: @escaping RequestTask.Responder,
        metrics: FrontMetrics,
        logger: Logger
    ) {
        rules = RequestPlan.Rules(
            enginePath: ingress == nil ? nil : EnginePath(configuration.enginePath), pollingBodyBytesMax: configuration.pollingBodyBytesMax,
            bodyBytesMax: configuration.bodyBytesMax, pathsThatEndWithTheirClient: configuration.pathsThatEndWithTheirClient)
        deadlines = FrontDeadlines.Table(configuration)
        connectionsMax = configuration.connectionsMax
        arrivingBodyBytesMax = configuration.arrivingBodyBytesMax
        relaysPerLoopMax = configuration.relaysPerLoopMax
        tls = configuration.tls
        self.ingress = ingress
        self.respond = respond
        self.metrics = metrics
        self.logger = logger
    }

    /// What becomes of a connection that was just accepted.
    enum Admission { case serve, refuse, drop }

    func admit() -> Admission {
        let count = connections.wrappingAdd(1, ordering: .relaxed).newValue
        if count <= connectionsMax {
            mostConnections.max(count, ordering: .relaxed)
            metrics.connections.add()
            return .serve
        }
        connections.wrappingSubtract(1, ordering: .relaxed)
        metrics.count(.connections)
        if refusedConnections.wrappingAdd(1, ordering: .relaxed).newValue <= FrontLimits.refusedConnectionsMax { return .refuse }
        refusedConnections.wrappingSubtract(1, ordering: .relaxed)
        return .drop
    }

    func served() {
        connections.wrappingSubtract(1, ordering: .relaxed)
        metrics.connections.subtract()
    }

    /// The connections that are served, and the most there were since this was last asked.
    func connectionCounts() -> (now: Int, most: Int) {
        let now = connections.load(ordering: .relaxed)
        return (now, max(now, mostConnections.exchange(now, ordering: .relaxed)))
    }

    func refusalEnded() {
        refusedConnections.wrappingSubtract(1, ordering: .relaxed)
    }

    /// A stream of HTTP/2 may hold as much of answers as a connection of HTTP/1.1 does, so all together are as many as those may be.
    ///
    /// - Returns: false when there is no room for one more.
    func admitStream() -> Bool {
        if streams.wrappingAdd(1, ordering: .relaxed).newValue <= connectionsMax {
            metrics.streams.add()
            return true
        }
        streams.wrappingSubtract(1, ordering: .relaxed)
        metrics.count(.connections)
        return false
    }

    func streamEnded() {
        streams.wrappingSubtract(1, ordering: .relaxed)
        metrics.streams.subtract()
    }

    // MARK: Bodies that are still arriving

    /// - Returns: false, and nothing is reserved, when there is no room for so many bytes more.
    func reserve(_ bytes: Int) -> Bool {
        if arrivingBytes.wrappingAdd(bytes, ordering: .relaxed).newValue <= arrivingBodyBytesMax { return true }
        release(bytes)
        return false
    }

    func release(_ bytes: Int) {
        arrivingBytes.wrappingSubtract(bytes, ordering: .relaxed)
    }
}
