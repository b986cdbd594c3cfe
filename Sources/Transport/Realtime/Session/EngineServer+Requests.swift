internal import NIOCore
internal import NIOHTTP1
internal import Telemetry
internal import TransportWire

/// From requests to sessions.
extension EngineServer: EngineIOIngress {
    package func announce(_ request: any EngineIORequest) {
        let incoming = IncomingRequest(request, configuration, isUpgrade: false)
        let fields = fields(for: incoming)
        let entry: SessionRegistry.Entry
        do throws(HandshakeRefusal) {
            guard let found = try admit(request.head, incoming.query, incoming.origin, isUpgrade: false) else { return }
            entry = found
        } catch {
            return refuse(request, error, fields)
        }
        let exchange = PollingExchange(request, headers: fields, isCompressed: false)
        if entry.eventLoop === request.eventLoop {
            let session = entry.session.value
            request.onAbandoned = { session.postAbandoned($0) }
            session.beginPost(exchange)
        } else {
            request.onAbandoned = { abandonment in entry.eventLoop.execute { entry.session.value.postAbandoned(abandonment) } }
            entry.eventLoop.execute { entry.session.value.beginPost(exchange) }
        }
    }

    package func receive(_ request: any EngineIORequest) {
        // Whole: from here on the session has it, or nobody.
        request.onAbandoned = nil
        let incoming = IncomingRequest(request, configuration, isUpgrade: false)
        var fields = fields(for: incoming)
        do throws(HandshakeRefusal) {
            if request.head.method == .OPTIONS, incoming.origin.isPreflight {
                incoming.origin.addPreflight(to: &fields)
                return request.respond(EngineIOResponse(status: .noContent, headers: fields))
            }
            if let entry = try admit(request.head, incoming.query, incoming.origin, isUpgrade: false) {
                route(request, PollingExchange(request, headers: fields, isCompressed: configuration.httpCompression), to: entry)
            } else if isFull {
                request.respond(Self.unavailable(fields))
            } else {
                openPolling(incoming, fields)
            }
        } catch {
            refuse(request, error, fields)
        }
    }

    private func refuse(_ request: any EngineIORequest, _ refusal: HandshakeRefusal, _ fields: HTTPHeaders) {
        count(refusal)
        var fields = fields
        fields.add(name: "Content-Type", value: "application/json")
        request.respond(EngineIOResponse(status: refusal.status, headers: fields, body: refusal.body))
    }

    package func receiveUpgrade(_ request: any EngineIORequest) {
        let incoming = IncomingRequest(request, configuration, isUpgrade: true)
        var fields = fields(for: incoming)
        do throws(HandshakeRefusal) {
            let entry = try admit(request.head, incoming.query, incoming.origin, isUpgrade: true)
            let acceptance = try acceptance(of: request.head)
            guard let shard = shard(of: request.eventLoop), entry != nil || !isFull else {
                return request.respond(Self.unavailable(fields))
            }
            fields.add(name: "Upgrade", value: "websocket")
            fields.add(name: "Connection", value: "Upgrade")
            fields.add(name: "Sec-WebSocket-Accept", value: WebSocketAccept.key(for: acceptance.textToHash))
            if let deflate = acceptance.deflate { fields.add(name: "Sec-WebSocket-Extensions", value: deflate.fieldValue) }
            if let entry {
                let link = SessionLink(candidateFor: entry, on: request.eventLoop)
                let handler = WebSocketSessionHandler(
                    link: link, shard: shard, configuration: configuration, deflate: acceptance.deflate, metrics: metrics)
                request.upgrade(headers: fields, handler: handler)
            } else {
                openWebSocket(incoming, fields, shard, acceptance.deflate)
            }
        } catch {
            count(error)
            // A client of a WebSocket sees no JSON: the reference answers in plain HTTP and hangs up (E5).
            fields.add(name: "Connection", value: "close")
            fields.add(name: "Content-Type", value: "text/html")
            request.respond(
                EngineIOResponse(
                    status: .badRequest, headers: fields, body: ByteBuffer(string: error.message), closesConnection: true))
        }
    }

    // MARK: Admission

    /// The checks in the reference's order (E3), with the origin policy where it has `allowRequest`, and for every
    /// request (E38). Nil when the request opens a session.
    private func admit(
        _ head: HTTPRequestHead, _ query: EngineQuery, _ origin: CrossOriginHeaders, isUpgrade: Bool
    ) throws(HandshakeRefusal) -> SessionRegistry.Entry? {
        guard !query.isTooLong else { throw HandshakeRefusal(.badRequest, "too many query parameters") }
        guard query.transport == "polling" || query.transport == "websocket" else { throw HandshakeRefusal(.unknownTransport) }
        if case .malformed = origin.verdict { throw HandshakeRefusal(.badRequest, "invalid origin") }
        if let text = query.session {
            guard let id = SessionID(text), let entry = find(id) else {
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

    private func acceptance(of head: HTTPRequestHead) throws(HandshakeRefusal) -> WebSocketAcceptance {
        let request = WebSocketUpgradeRequest(
            method: head.method.rawValue, majorVersion: head.version.major, minorVersion: head.version.minor,
            headers: head.headers.map { ($0.name, $0.value) })
        do throws(WebSocketRefusal) {
            return try WebSocketHandshake.accept(request, deflate: configuration.deflate)
        } catch {
            throw HandshakeRefusal(.badRequest, "websocket handshake: \(error.reason.rawValue)")
        }
    }

    private static func unavailable(_ headers: HTTPHeaders) -> EngineIOResponse {
        var headers = headers
        headers.replaceOrAdd(name: "Retry-After", value: "5")
        return EngineIOResponse(status: .serviceUnavailable, headers: headers, closesConnection: true)
    }

    // MARK: Sessions

    private func openPolling(_ incoming: IncomingRequest, _ fields: HTTPHeaders) {
        let request = incoming.request
        guard let shard = shard(of: request.eventLoop) else {
            preconditionFailure("a request came on a loop that is not of the server's group")
        }
        let session = EngineSession(id: newID(), engine: self, shard: shard, request: record(request, incoming.query), webSocket: nil)
        open(session)
        let fields = handshakeFields(fields, for: incoming, session)
        _ = session.poll(PollingExchange(request, headers: fields, isCompressed: configuration.httpCompression))
    }

    private func openWebSocket(
        _ incoming: IncomingRequest, _ fields: HTTPHeaders, _ shard: LoopShard, _ deflate: DeflateAgreement?
    ) {
        let request = incoming.request
        let link = SessionLink()
        let handler = WebSocketSessionHandler(
            link: link, shard: shard, configuration: configuration, deflate: deflate, metrics: metrics)
        let session = EngineSession(
            id: newID(), engine: self, shard: shard, request: record(request, incoming.query), webSocket: .local(handler))
        link.attach(session)
        // Opened first: the open packet is in the handler's queue when its channel is ready.
        open(session)
        request.upgrade(headers: handshakeFields(fields, for: incoming, session), handler: handler)
    }

    private func route(_ request: any EngineIORequest, _ exchange: PollingExchange, to entry: SessionRegistry.Entry) {
        let isGet = request.head.method == .GET
        guard isGet || request.head.method == .POST else { return exchange.refuseMethod() }
        guard entry.eventLoop === request.eventLoop else { return hop(request, exchange, to: entry, isGet: isGet) }
        let session = entry.session.value
        guard isGet else { return session.post(exchange) }
        let serial = session.poll(exchange)
        request.onAbandoned = { _ in session.pollAbandoned(serial) }
    }

    /// The session lives on another loop. What the request learns later follows on the same way, so it comes later.
    private func hop(_ request: any EngineIORequest, _ exchange: PollingExchange, to entry: SessionRegistry.Entry, isGet: Bool) {
        guard isGet else { return entry.eventLoop.execute { entry.session.value.post(exchange) } }
        let serial = NIOLoopBoundBox<UInt32?>.makeEmptyBox(valueType: UInt32.self, eventLoop: entry.eventLoop)
        request.onAbandoned = { _ in
            entry.eventLoop.execute { if let serial = serial.value { entry.session.value.pollAbandoned(serial) } }
        }
        entry.eventLoop.execute { serial.value = entry.session.value.poll(exchange) }
    }

    // MARK: Fields

    /// What goes with every answer: CORS, and what the application adds (E34).
    private func fields(for incoming: IncomingRequest) -> HTTPHeaders {
        var fields = incoming.origin.fields
        if let hook = configuration.headers { apply(hook, incoming, to: &fields) }
        return fields
    }

    /// What goes with the answer that opens a session, besides: the affinity cookie (E37), and what the application adds.
    private func handshakeFields(_ fields: HTTPHeaders, for incoming: IncomingRequest, _ session: EngineSession) -> HTTPHeaders {
        var fields = fields
        if let cookie = configuration.cookie {
            fields.add(name: "Set-Cookie", value: affinityCookie(cookie, session.id, isSecure: incoming.request.isSecure))
        }
        if let hook = configuration.initialHeaders { apply(hook, incoming, to: &fields) }
        return fields
    }

    private func apply(_ hook: HeaderHook, _ incoming: IncomingRequest, to fields: inout HTTPHeaders) {
        let added = hook(HeaderHookRequest(incoming.request, incoming.query, isUpgrade: incoming.isUpgrade))
        if !fields.apply(added) { metrics.refusedHooks.add() }
    }
}

/// A request with what is read out of its head once. Confined to its loop.
private struct IncomingRequest {
    let request: any EngineIORequest
    let query: EngineQuery
    let origin: CrossOriginHeaders
    let isUpgrade: Bool

    init(_ request: any EngineIORequest, _ configuration: TransportConfiguration, isUpgrade: Bool) {
        self.request = request
        query = EngineQuery(uri: request.head.uri)
        origin = CrossOriginHeaders(request.head, policy: configuration.origins)
        self.isUpgrade = isUpgrade
    }
}
