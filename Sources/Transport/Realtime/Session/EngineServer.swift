package import Logging
package import NIOCore
internal import NIOHTTP1
internal import Synchronization
package import Telemetry
internal import TransportWire

/// The Engine.IO v4 server: judges every request under the path (E1–E8, E38), opens sessions, and finds the session of
/// a request. Any thread; what belongs to a loop is in its ``LoopShard``.
package final class EngineServer: Sendable {
    package let configuration: TransportConfiguration
    let timing: SessionStateMachine.Timing
    let slowConsumers: Metric
    private let node: UInt32
    private let application: any SessionApplication
    private let registry = SessionRegistry()
    private let shards: [(eventLoop: any EventLoop, shard: NIOLoopBoundBox<LoopShard>)]
    private let sessions: Metric
    private let refusals: [Metric]
    private let logger: Logger
    private let observer = Mutex<(@Sendable (HandshakeRefusal) -> Void)?>(nil)
    private let isDraining = Atomic<Bool>(false)

    package init(
        configuration: TransportConfiguration, application: any SessionApplication, eventLoopGroup: any EventLoopGroup,
        metrics: MetricRegistry, logger: Logger
    ) {
        self.configuration = configuration
        self.application = application
        self.logger = logger
        let shortest = min(configuration.pingInterval, configuration.pingTimeout, configuration.connectTimeout)
        // A twelfth of the shortest wait: late enough to be cheap, early enough for a peer's own watchdog (E14).
        let granularity = TimeAmount.nanoseconds(min(max(shortest.timeAmount.nanoseconds / 12, 5_000_000), 250_000_000))
        timing = SessionStateMachine.Timing(
            pingInterval: configuration.pingInterval.timeAmount, pingTimeout: configuration.pingTimeout.timeAmount,
            upgradeTimeout: configuration.upgradeTimeout.timeAmount,
            closeTimeout: .seconds(TransportLimits.pollingCloseSeconds), tolerance: granularity * 2)
        node = configuration.nodeID ?? UInt32.random(in: 0..<1 << 24)
        shards = eventLoopGroup.makeIterator().map { eventLoop in
            (
                eventLoop,
                NIOLoopBoundBox.makeBoxSendingValue(LoopShard(eventLoop: eventLoop, granularity: granularity), eventLoop: eventLoop)
            )
        }
        sessions = metrics.gauge("kdcube_connections", "Open Engine.IO sessions, on polling and on WebSockets.")
        slowConsumers = metrics.counter("kdcube_slow_consumers_total", "Sessions closed because their reader was too slow.")
        refusals = HandshakeRefusal.Code.allCases.map {
            metrics.counter("kdcube_handshakes_refused_total", "Refused Engine.IO requests.", [("code", String($0.rawValue))])
        }
    }

    /// Hears of every refusal, on some event loop (E6).
    package func onRefusal(_ observer: @escaping @Sendable (HandshakeRefusal) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    func count(_ refusal: HandshakeRefusal) {
        refusals[refusal.code.rawValue].add()
        observer.withLock { $0 }?(refusal)
    }

    func newID() -> SessionID { SessionID.random(node: node) }

    package var eventLoops: [any EventLoop] { shards.map(\.eventLoop) }

    /// The shard of a loop of the group; nil for a loop that is none of ours.
    func shard(of eventLoop: any EventLoop) -> LoopShard? {
        shards.first { $0.eventLoop === eventLoop }?.shard.value
    }

    func forget(_ session: EngineSession) {
        registry.remove(session.id)
        sessions.subtract()
    }

    /// Refuses new sessions, and closes those that there are, after what waits for them has been sent.
    package func shutdown(_ reason: CloseReason) async {
        for closing in beginShutdown(reason) { try? await closing.get() }
    }

    @discardableResult
    private func beginShutdown(_ reason: CloseReason) -> [EventLoopFuture<Void>] {
        isDraining.store(true, ordering: .relaxed)
        return shards.map { eventLoop, shard in
            eventLoop.submit {
                for session in shard.value.sessions { session.close(reason) }
            }
        }
    }

    package func quiesce() { beginShutdown(.serverShutdown) }

    // MARK: Opening

    private func open(_ session: EngineSession) {
        registry.insert(
            session.id, SessionRegistry.Entry(session: NIOLoopBound(session, eventLoop: session.eventLoop), eventLoop: session.eventLoop))
        sessions.add()
        session.shard.add(session)
        session.open(application)
    }

    private func record(_ request: any EngineIORequest, _ query: EngineQuery) -> SessionRequest {
        SessionRequest(
            url: request.head.uri, headers: SessionRequest.worthKeeping(request.head.headers), query: query.others,
            address: request.remoteAddress?.ipAddress ?? "", isSecure: request.isSecure, issued: WallClock.milliseconds)
    }

    private var isFull: Bool { registry.count >= TransportLimits.sessionsMax || isDraining.load(ordering: .relaxed) }
}

// MARK: - Requests

extension EngineServer: EngineIOIngress {
    package func receive(_ request: any EngineIORequest) {
        let headers = CrossOriginHeaders(request.head, policy: configuration.origins)
        do throws(HandshakeRefusal) {
            if request.head.method == .OPTIONS, headers.isPreflight {
                return request.respond(EngineIOResponse(status: .noContent, headers: headers.preflight(request.head)))
            }
            let query = EngineQuery(uri: request.head.uri)
            let entry = try admit(request.head, query, headers, isUpgrade: false)
            let exchange = PollingExchange(request, headers: headers.fields)
            if let entry {
                route(request, exchange, to: entry)
            } else if isFull {
                request.respond(Self.unavailable(headers.fields))
            } else {
                openPolling(request, exchange, query)
            }
        } catch {
            count(error)
            var fields = headers.fields
            fields.add(name: "Content-Type", value: "application/json")
            request.respond(EngineIOResponse(status: error.status, headers: fields, body: error.body))
        }
    }

    package func receiveUpgrade(_ request: any EngineIORequest) {
        let headers = CrossOriginHeaders(request.head, policy: configuration.origins)
        do throws(HandshakeRefusal) {
            let query = EngineQuery(uri: request.head.uri)
            let entry = try admit(request.head, query, headers, isUpgrade: true)
            let accept = try Self.acceptKey(request.head)
            guard let shard = shard(of: request.eventLoop), entry != nil || !isFull else {
                return request.respond(Self.unavailable(headers.fields))
            }
            var fields = headers.fields
            fields.add(name: "Upgrade", value: "websocket")
            fields.add(name: "Connection", value: "Upgrade")
            fields.add(name: "Sec-WebSocket-Accept", value: accept)
            if let entry {
                let link = SessionLink(candidateFor: entry, on: request.eventLoop)
                let handler = WebSocketSessionHandler(link: link, shard: shard, configuration: configuration)
                request.upgrade(headers: fields, handler: handler)
            } else {
                openWebSocket(request, fields, query, shard)
            }
        } catch {
            count(error)
            // A client of a WebSocket sees no JSON: the reference answers in plain HTTP and hangs up (E5).
            request.respond(
                EngineIOResponse(
                    status: .badRequest, headers: ["Connection": "close", "Content-Type": "text/html"],
                    body: ByteBuffer(string: error.message), closesConnection: true))
        }
    }

    /// The checks in the reference's order (E3), with the origin policy where it has `allowRequest`, and for every
    /// request (E38). Nil when the request opens a session.
    private func admit(
        _ head: HTTPRequestHead, _ query: EngineQuery, _ origin: CrossOriginHeaders, isUpgrade: Bool
    ) throws(HandshakeRefusal) -> SessionRegistry.Entry? {
        guard !query.isTooLong else { throw HandshakeRefusal(.badRequest, "too many query parameters") }
        guard query.transport == "polling" || query.transport == "websocket" else { throw HandshakeRefusal(.unknownTransport) }
        if case .malformed = origin.verdict { throw HandshakeRefusal(.badRequest, "invalid origin") }
        if let text = query.session {
            guard let id = SessionID(text), let entry = registry.find(id) else {
                throw HandshakeRefusal(.unknownSession, "no such session on this node")
            }
            guard (query.transport == "websocket") == isUpgrade else { throw HandshakeRefusal(.badRequest, "transport mismatch") }
            if case .denied = origin.verdict { throw HandshakeRefusal(.forbidden, "origin") }
            return entry
        }
        guard head.method == .GET else { throw HandshakeRefusal(.badMethod) }
        guard (query.transport == "websocket") == isUpgrade else { throw HandshakeRefusal(.badRequest, "transport handshake error") }
        if case .denied = origin.verdict { throw HandshakeRefusal(.forbidden, "origin") }
        guard query.revision == "4" else { throw HandshakeRefusal(.unsupportedProtocol) }
        return nil
    }

    private static func acceptKey(_ head: HTTPRequestHead) throws(HandshakeRefusal) -> String {
        let request = WebSocketUpgradeRequest(
            method: head.method.rawValue, majorVersion: head.version.major, minorVersion: head.version.minor,
            headers: head.headers.map { ($0.name, $0.value) })
        do throws(WebSocketRefusal) {
            return WebSocketAccept.key(for: try WebSocketHandshake.accept(request).textToHash)
        } catch {
            throw HandshakeRefusal(.badRequest, "websocket handshake: \(error.reason.rawValue)")
        }
    }

    private static func unavailable(_ headers: HTTPHeaders) -> EngineIOResponse {
        var headers = headers
        headers.add(name: "Retry-After", value: "5")
        return EngineIOResponse(status: .serviceUnavailable, headers: headers, closesConnection: true)
    }

    private func openPolling(_ request: any EngineIORequest, _ exchange: PollingExchange, _ query: EngineQuery) {
        guard let shard = shard(of: request.eventLoop) else {
            preconditionFailure("a request came on a loop that is not of the server's group")
        }
        let session = EngineSession(id: newID(), engine: self, shard: shard, request: record(request, query), webSocket: nil)
        open(session)
        let exchange = configuration.cookie.map { exchange.adding(cookie: $0, value: session.id) } ?? exchange
        _ = session.poll(exchange)
    }

    private func openWebSocket(_ request: any EngineIORequest, _ headers: HTTPHeaders, _ query: EngineQuery, _ shard: LoopShard) {
        let link = SessionLink()
        let handler = WebSocketSessionHandler(link: link, shard: shard, configuration: configuration)
        let session = EngineSession(
            id: newID(), engine: self, shard: shard, request: record(request, query), webSocket: .local(handler))
        link.attach(session)
        var headers = headers
        if let cookie = configuration.cookie { headers.add(name: "Set-Cookie", value: affinityCookie(cookie, session.id)) }
        // Opened first: the open packet is in the handler's queue when its channel is ready.
        open(session)
        request.upgrade(headers: headers, handler: handler)
    }

    private func route(_ request: any EngineIORequest, _ exchange: PollingExchange, to entry: SessionRegistry.Entry) {
        let isGet = request.head.method == .GET
        guard isGet || request.head.method == .POST else {
            return request.respond(EngineIOResponse(status: .methodNotAllowed, headers: ["Allow": "GET, POST"]))
        }
        guard entry.eventLoop === request.eventLoop else { return hop(request, exchange, to: entry, isGet: isGet) }
        let session = entry.session.value
        guard isGet else { return session.post(exchange) }
        let serial = session.poll(exchange)
        request.onAbandoned = { session.pollAbandoned(serial) }
    }

    /// The session lives on another loop. What the request learns later follows on the same way, so it comes later.
    private func hop(_ request: any EngineIORequest, _ exchange: PollingExchange, to entry: SessionRegistry.Entry, isGet: Bool) {
        guard isGet else { return entry.eventLoop.execute { entry.session.value.post(exchange) } }
        let serial = NIOLoopBoundBox<UInt32?>.makeEmptyBox(valueType: UInt32.self, eventLoop: entry.eventLoop)
        request.onAbandoned = {
            entry.eventLoop.execute { if let serial = serial.value { entry.session.value.pollAbandoned(serial) } }
        }
        entry.eventLoop.execute { serial.value = entry.session.value.poll(exchange) }
    }
}
