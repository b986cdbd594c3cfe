public import Hummingbird
public import Logging
public import NIOCore
internal import NIOPosix
public import ServiceLifecycle
internal import Synchronization
public import Telemetry

/// The one port: REST and SSE through a Hummingbird responder, Engine.IO through an ingress, on the same connections.
///
/// A `Service`: ``run()`` binds, serves, and returns when the last connection has ended after a graceful shutdown.
public final class RealtimeServer: Service {
    /// Told the addresses that were bound, before the first connection is served.
    public typealias OnBound = @Sendable ([SocketAddress]) async -> Void

    private let configuration: FrontConfiguration
    private let shared: FrontShared
    private let group: any EventLoopGroup
    private let onBound: OnBound
    private let logger: Logger
    private let haste = Mutex(Haste())

    /// How a shutdown that is under way is ended; a short `Mutex` guards it.
    private struct Haste {
        var isHurried = false
        var loops: FrontLoops?
    }

    /// A server without Socket.IO.
    ///
    /// - Parameters:
    ///   - responder: answers every request that is not Engine.IO; `Router(context:).buildResponder()` makes one.
    ///   - onBound: told the addresses once all are bound, in the order of `configuration.hosts`.
    public convenience init<Responder: HTTPResponder>(
        configuration: FrontConfiguration, responder: Responder, eventLoopGroup: any EventLoopGroup, metrics: MetricRegistry,
        logger: Logger,
        onBound: @escaping OnBound = { _ in }
    ) where Responder.Context: RequestContext, Responder.Context.Source == ApplicationRequestContextSource {
        self.init(
            configuration: configuration, ingress: nil, responder: responder, eventLoopGroup: eventLoopGroup, metrics: metrics,
            logger: logger,
            onBound: onBound)
    }

    /// A server with Socket.IO on the same port.
    ///
    /// - Parameters:
    ///   - configuration: its path of Engine.IO and its largest polling body are taken from `sockets`.
    ///   - sockets: takes every request under its ``TransportConfiguration/path``, and lends its event loops, metrics and logger.
    ///   - responder: answers every other request; `Router().buildResponder()` of Hummingbird makes one.
    ///   - onBound: told the addresses once all are bound, in the order of `configuration.hosts`.
    public convenience init<Responder: HTTPResponder>(
        configuration: FrontConfiguration, sockets: SocketIOServer, responder: Responder, onBound: @escaping OnBound = { _ in }
    ) where Responder.Context: RequestContext, Responder.Context.Source == ApplicationRequestContextSource {
        var configuration = configuration
        configuration.enginePath = sockets.configuration.path
        configuration.pollingBodyBytesMax = sockets.configuration.maxPayload
        self.init(
            configuration: configuration, ingress: sockets, responder: responder, eventLoopGroup: sockets.eventLoopGroup,
            metrics: sockets.metrics, logger: sockets.logger, onBound: onBound)
    }

    /// - Parameter ingress: takes every request under `configuration.enginePath`; nil leaves the path to the responder.
    package init<Responder: HTTPResponder>(
        configuration: FrontConfiguration, ingress: (any EngineIOIngress)?, responder: Responder, eventLoopGroup: any EventLoopGroup,
        metrics: MetricRegistry, logger: Logger, onBound: @escaping OnBound = { _ in }
    ) where Responder.Context: RequestContext, Responder.Context.Source == ApplicationRequestContextSource {
        self.configuration = configuration
        self.group = eventLoopGroup
        self.onBound = onBound
        self.logger = logger
        shared = FrontShared(
            configuration, ingress: ingress,
            respond: { request, channel, logger in
                let context = Responder.Context(source: .init(channel: channel, logger: logger))
                do {
                    return try await responder.respond(to: request, context: context)
                } catch let error as any HTTPResponseError {
                    return try error.response(from: request, context: context)
                }
            },
            metrics: FrontMetrics(metrics), logger: logger)
    }

    /// Serves until a graceful shutdown, which gives open requests `configuration.shutdownGrace`, or until the task is
    /// cancelled, which gives them nothing.
    ///
    /// - Throws: when an address cannot be bound.
    public func run() async throws {
        if let limit = OpenFiles.raiseLimit(), limit < configuration.connectionsMax {
            logger.warning(
                "fewer descriptors than connections", metadata: ["limit": "\(limit)", "connections": "\(configuration.connectionsMax)"])
        }
        let loops = try await FrontLoops(group: group, every: configuration.sweepInterval, tls: configuration.tls)
        do {
            let listeners = try await Listener.bind(configuration, shared: shared, loops: loops, group: group)
            await onBound(listeners.compactMap(\.localAddress))
            async let _: Void = giveMemoryBack()
            var grace = await waitForShutdown()
            for listener in listeners { try? await listener.close() }
            shared.ingress?.quiesce()
            let isHurried = haste.withLock { haste in
                haste.loops = loops
                return haste.isHurried
            }
            if isHurried { grace = .zero }
            await loops.shutDown(grace: grace)
        } catch {
            await loops.shutDown(grace: .zero)
            throw error
        }
    }

    /// Gives open requests no more time at the shutdown, be it under way or still to come.
    public func hurry() {
        let loops = haste.withLock { haste in
            haste.isHurried = true
            return haste.loops
        }
        loops?.closeAll()
    }

    /// For as long as the server runs: ends when ``run()`` leaves.
    private func giveMemoryBack() async {
        var freed = FreedMemory()
        while (try? await Task.sleep(for: FreedMemory.interval)) != nil {
            let connections = shared.connectionCounts()
            guard freed.look(now: connections.now, most: connections.most) else { continue }
            await FreedMemory.giveBack()
            shared.metrics.memoryReturns.add()
        }
    }

    private func waitForShutdown() async -> Duration {
        do {
            try await gracefulShutdown()
            return configuration.shutdownGrace
        } catch {
            return .zero
        }
    }
}
