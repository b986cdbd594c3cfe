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
            guard case .session(let found) = try admit(request.head, incoming.query, incoming.origin, isUpgrade: false) else { return }
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
            switch try admit(request.head, incoming.query, incoming.origin, isUpgrade: false) {
            case .session(let entry):
                route(request, PollingExchange(request, headers: fields, isCompressed: configuration.httpCompression), to: entry)
            case .peer(let address): relay(request, to: address, fields) { self.refuse(request, $0, fields) }
            case .opening where refusesSessions(): request.respond(Self.unavailable(fields))
            case .opening(let form):
                if let seat = seat(for: incoming, fields) { openPolling(incoming, form, fields, seat) }
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
            let admission = try admit(request.head, incoming.query, incoming.origin, isUpgrade: true)
            if case .peer(let address) = admission {
                return relay(request, to: address, fields) { self.refuseUpgrade(request, $0, fields) }
            }
            let acceptance = try acceptance(of: request.head)
            guard let shard = shard(of: request.eventLoop) else { return request.respond(Self.unavailable(fields)) }
            if case .opening = admission, refusesSessions() { return request.respond(Self.unavailable(fields)) }
            guard let seat = seat(for: incoming, fields, of: admission) else { return }
            fields.add(name: "Upgrade", value: "websocket")
            fields.add(name: "Connection", value: "Upgrade")
            fields.add(name: "Sec-WebSocket-Accept", value: WebSocketAccept.key(for: acceptance.textToHash))
            if let deflate = acceptance.deflate { fields.add(name: "Sec-WebSocket-Extensions", value: deflate.fieldValue) }
            switch admission {
            case .session(let entry):
                let link = SessionLink(candidateFor: entry, on: request.eventLoop)
                let handler = WebSocketSessionHandler(
                    link: link, shard: shard, configuration: configuration, deflate: acceptance.deflate, metrics: metrics)
                request.upgrade(headers: fields, handler: handler)
            case .opening(let form): openWebSocket(incoming, form, fields, shard, acceptance.deflate, seat)
            case .peer: break  // Relayed above: its node judges the handshake.
            }
        } catch {
            refuseUpgrade(request, error, fields)
        }
    }

    /// A client of a WebSocket sees no JSON: the reference answers in plain HTTP and hangs up (E5).
    private func refuseUpgrade(_ request: any EngineIORequest, _ refusal: HandshakeRefusal, _ fields: HTTPHeaders) {
        count(refusal)
        var fields = fields
        fields.add(name: "Connection", value: "close")
        fields.add(name: "Content-Type", value: "text/html")
        request.respond(
            EngineIOResponse(status: .badRequest, headers: fields, body: ByteBuffer(string: refusal.message), closesConnection: true))
    }

    /// Has the node of the session answer. Without an answer the session counts as unknown, so that its client begins anew.
    private func relay(
        _ request: any EngineIORequest, to address: PeerAddress, _ fields: HTTPHeaders,
        refuse: @escaping (HandshakeRefusal) -> Void
    ) {
        request.relay(to: address, within: relayPatience) { failure in
            if failure == .limit { return request.respond(Self.unavailable(fields)) }
            refuse(HandshakeRefusal(.unknownSession, "the session's node does not answer: \(failure)"))
        }
    }

    /// Longer than the longest poll, which a ping ends or the session's death.
    private var relayPatience: TimeAmount {
        timing.pingInterval + timing.pingTimeout + .seconds(RelayLimits.patienceSlackSeconds)
    }

    // MARK: Admission

    /// What a request that passed the checks is for.
    private enum Admission {
        case opening(SessionForm)
        case session(SessionRegistry.Entry)
        /// Its session lives on another node.
        case peer(PeerAddress)
    }

    /// The checks in the reference's order (E3), with the origin policy where it has `allowRequest`, and for every
    /// request (E38), here and where the session lives.
    private func admit(
        _ head: HTTPRequestHead, _ query: EngineQuery, _ origin: CrossOriginHeaders, isUpgrade: Bool
    ) throws(HandshakeRefusal) -> Admission {
        guard !query.isTooLong else { throw HandshakeRefusal(.badRequest, "too many query parameters") }
        guard query.transport == "polling" || query.transport == "websocket" else { throw HandshakeRefusal(.unknownTransport) }
        if case .malformed = origin.verdict { throw HandshakeRefusal(.badRequest, "invalid origin") }
        if let text = query.session {
            let admission: Admission
            if let id = SessionID(text), let entry = find(id) {
                admission = .session(entry)
            } else if let address = peer(of: text, head) {
                admission = .peer(address)
            } else {
                throw HandshakeRefusal(.unknownSession, "no such session on this node")
            }
            guard (query.transport == "websocket") == isUpgrade else { throw HandshakeRefusal(.badRequest, "transport mismatch") }
            if case .denied = origin.verdict { throw HandshakeRefusal(.forbidden, "origin") }
            return admission
        }
        guard head.method == .GET else { throw HandshakeRefusal(.badMethod) }
        guard (query.transport == "websocket") == isUpgrade else { throw HandshakeRefusal(.badRequest, "transport handshake error") }
        if case .denied = origin.verdict { throw HandshakeRefusal(.forbidden, "origin") }
        guard let form = form(of: query) else { throw HandshakeRefusal(.unsupportedProtocol, "revision") }
        guard form.revision == .four || !query.isJSONP else { throw HandshakeRefusal(.badRequest, "JSONP") }
        return .opening(form)
    }

    /// Where the session's node is, if it is another one. A request that came from there, or from anywhere but a client, is
    /// not sent on: a directory that is wrong must not make it go round.
    private func peer(of session: String, _ head: HTTPRequestHead) -> PeerAddress? {
        guard let peers, let id = SessionID(session), id.node != node, !RelayedHead.isRelayed(head) else { return nil }
        return peers.address(of: id.node)
    }

    private func form(of query: EngineQuery) -> SessionForm? {
        SessionForm(query, allowsRevision3: configuration.allowEIO3)
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

    /// A place for the session that the request opens, or upgrades; without one the request has been answered.
    private func seat(for incoming: IncomingRequest, _ fields: HTTPHeaders, of admission: Admission? = nil) -> AddressTable.Seat? {
        let request = incoming.request
        let verdict: AddressTable.Verdict
        if case .session(let entry)? = admission {
            verdict = addresses.upgrade(entry.seat, at: request.eventLoop.now)
        } else {
            verdict = addresses.open(addresses.client(of: request), isUpgrade: incoming.isUpgrade, at: request.eventLoop.now)
        }
        switch verdict {
        case .admitted(let seat): return seat
        case .refused(let limit, let retryAfter):
            count(HandshakeRefusal(.forbidden, "rate limit of the address: \(limit.rawValue)"))
            request.respond(AddressTable.Verdict.tooSoon(retryAfter, fields, isUpgrade: incoming.isUpgrade))
            return nil
        }
    }

    private func openPolling(_ incoming: IncomingRequest, _ form: SessionForm, _ fields: HTTPHeaders, _ seat: AddressTable.Seat) {
        let request = incoming.request
        guard let shard = shard(of: request.eventLoop) else {
            preconditionFailure("a request came on a loop that is not of the server's group")
        }
        let session = EngineSession(
            id: newID(), engine: self, shard: shard, request: record(request, incoming.query), form: form, webSocket: nil)
        session.seat = seat
        open(session)
        let fields = handshakeFields(fields, for: incoming, session)
        _ = session.poll(PollingExchange(request, headers: fields, isCompressed: configuration.httpCompression))
    }

    private func openWebSocket(
        _ incoming: IncomingRequest, _ form: SessionForm, _ fields: HTTPHeaders, _ shard: LoopShard, _ deflate: DeflateAgreement?,
        _ seat: AddressTable.Seat
    ) {
        let request = incoming.request
        let link = SessionLink()
        let handler = WebSocketSessionHandler(
            link: link, shard: shard, configuration: configuration, deflate: deflate, metrics: metrics)
        let session = EngineSession(
            id: newID(), engine: self, shard: shard, request: record(request, incoming.query), form: form, webSocket: .local(handler))
        link.attach(session)
        session.seat = seat
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
