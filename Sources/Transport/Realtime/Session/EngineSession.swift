package import NIOCore
internal import Telemetry
internal import TransportWire

/// One Engine.IO session. Confined to the event loop that created it: requests that arrive on other loops hop here.
///
/// Decides nothing: ``SessionStateMachine`` does, and this class executes its actions on requests, WebSockets and the
/// queue of what waits.
package final class EngineSession {
    package let id: SessionID
    package let request: SessionRequest
    package let form: SessionForm
    package let eventLoop: any EventLoop
    let engine: EngineServer
    let shard: LoopShard
    private var machine: SessionStateMachine
    private var delegate: (any SessionDelegate)?

    /// The WebSocket that carries the session, and the one that probes (E30).
    private var webSocket: WebSocketPort?
    private var candidate: WebSocketPort?
    /// The GET that waits for packets (E18).
    private var parked: (exchange: PollingExchange, serial: UInt32)?
    private var serial: UInt32 = 0
    /// Frames that wait for a poll.
    private var waiting: [ByteBuffer] = []
    private var waitingBytes = 0

    /// Where the session is counted; set once, before it opens.
    var seat = AddressTable.Seat.exempt
    var ticket = HeartbeatWheel.Ticket(index: 0, generation: 0)
    /// When the wheel will look at this session. Owned by the shard, as is ``isDirty``.
    var nextLook = NIODeadline.distantFuture
    var isDirty = false

    /// When the application wants ``SessionDelegate/deadlinePassed(at:)``.
    package var applicationDeadline = NIODeadline.distantFuture {
        didSet { if applicationDeadline < nextLook, !machine.isClosed { shard.arm(self) } }
    }

    init(
        id: SessionID, engine: EngineServer, shard: LoopShard, request: SessionRequest, form: SessionForm, webSocket: WebSocketPort?
    ) {
        self.id = id
        self.engine = engine
        self.shard = shard
        self.request = request
        self.form = form
        self.webSocket = webSocket
        eventLoop = shard.eventLoop
        machine = SessionStateMachine(
            carrier: webSocket == nil ? .polling : .webSocket, revision: form.revision, at: shard.eventLoop.now, timing: engine.timing)
    }

    var deadline: NIODeadline { min(machine.deadline, applicationDeadline) }

    package var isOpen: Bool { machine.isOpen }
    var isBusy: Bool { delegate?.isBusy ?? false }
    package var isOnWebSocket: Bool { machine.carrier == .webSocket }

    /// Queues the open packet (E9) and what follows it (E10), and tells the application.
    func open(_ application: any SessionApplication) {
        let payload = OpenPayload(
            sid: String(describing: id),
            upgrades: machine.carrier == .polling && engine.configuration.allowUpgrades ? ["websocket"] : [],
            pingInterval: engine.configuration.pingInterval.wholeMilliseconds,
            pingTimeout: engine.configuration.pingTimeout.wholeMilliseconds, maxPayload: engine.configuration.maxPayload)
        send(WebSocketFrameWriter.frame(.open(payload.encode())))
        if let initial = engine.initialFrame { send(initial) }
        delegate = application.opened(self)
        delegate?.opened()
    }

    // MARK: What the application asks for

    /// True when the session's queue is below the high-water mark.
    package var hasRoom: Bool {
        guard machine.isOpen else { return false }
        return webSocket?.hasRoom ?? (waitingBytes < TransportLimits.highWaterBytes)
    }

    /// True when a packet would leave with the next flush: what a volatile one asks for (S21).
    package var isWritable: Bool {
        guard machine.isOpen else { return false }
        return webSocket?.hasRoom ?? (parked != nil && waiting.isEmpty)
    }

    /// Bytes that a feed may add now.
    package var room: Int {
        guard hasRoom else { return 0 }
        let limit = min(TransportLimits.feedTurnBytesMax, engine.configuration.queueBytesMax)
        return webSocket == nil ? min(limit, max(0, engine.configuration.queueBytesMax - waitingBytes)) : limit
    }

    /// Sends whole WebSocket frames, in order. The bytes may be shared with other sessions.
    package func send(_ frames: ByteBuffer) {
        queue(form.revision == .three ? ServerFrames.forRevision3(frames) : frames)
    }

    /// Sends a message that has been made for sessions of both revisions.
    func send(_ message: SharedFrames) {
        queue(form.revision == .three ? message.revision3 : message.frames)
    }

    private func queue(_ frames: ByteBuffer) {
        guard machine.isOpen else { return }
        if let webSocket {
            switch webSocket {
            case .local(let handler):
                handler.write(frames)
                if handler.isReading { return }
            case .remote(let port): port.write(frames)
            }
        } else {
            waiting.append(frames)
            waitingBytes += frames.readableBytes
            if waitingBytes > engine.configuration.queueBytesMax { return overflowed() }
        }
        shard.flushSoon(self)
    }

    package func send(message: ByteBuffer, isBinary: Bool) {
        send(
            isBinary
                ? WebSocketFrameWriter.frame(.binary, payload: message)
                : WebSocketFrameWriter.textFrame(prefix: UInt8(ascii: "4"), payload: message))
    }

    /// Ends the session, after what waits has been sent unless `discard` (E16).
    package func close(_ reason: CloseReason, discard: Bool = false) {
        handle(.close(reason, discard: discard, hasOutput: hasOutput))
    }

    /// The reader has let its queue reach the limit. Closed at the end of the turn: whoever sends may be in the middle
    /// of a list of sessions.
    func overflowed() {
        guard machine.isOpen else { return }
        let session = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute {
            guard session.value.machine.isOpen else { return }
            session.value.engine.metrics.slowConsumers.add()
            session.value.close(.slowConsumer, discard: true)
        }
    }

    private var hasOutput: Bool {
        if let webSocket { return !webSocket.isDrained }
        return !waiting.isEmpty
    }

    // MARK: What the loop brings

    func look(at now: NIODeadline) {
        if machine.deadline <= now { handle(.tick) }
        guard applicationDeadline <= now, !machine.isClosed else { return }
        applicationDeadline = .distantFuture
        delegate?.deadlinePassed(at: now)
    }

    func flush() {
        guard !machine.isClosed else { return }
        // The rule for an open WebSocket is to flush it: a broadcast need not ask the clock for each receiver.
        if machine.deliversFromWebSocket, let webSocket { return webSocket.flush() }
        handle(.output)
    }

    func poll(_ exchange: PollingExchange) -> UInt32 {
        serial &+= 1
        handle(.poll(hasOutput: !waiting.isEmpty), exchange)
        if isWritable { delegate?.hasRoom() }
        return serial
    }

    func pollAbandoned(_ abandoned: UInt32) {
        guard let parked, parked.serial == abandoned else { return }
        handle(.pollAbandoned)
    }

    /// The head of a POST, with an exchange that can only refuse it.
    func beginPost(_ exchange: PollingExchange) {
        handle(.postBegan, exchange)
    }

    func postAbandoned(_ abandonment: Abandonment) {
        handle(.postAbandoned(isConnectionLost: abandonment == .connectionLost))
    }

    func post(_ exchange: PollingExchange) {
        if exchange.isOctetStream, form.revision == .four { engine.metrics.parseErrors.add() }
        handle(exchange.isOctetStream ? .postOctets : .post, exchange)
    }

    private func receive(post exchange: PollingExchange) {
        let (packets, failure) =
            form.revision == .three
            ? PollingPayloadV3.decode(exchange.body, isBinary: exchange.isOctetStream) : PollingPayload.decode(exchange.body)
        for packet in packets { receive(packet, from: .polling) }
        guard failure == nil else {
            engine.metrics.parseErrors.add()
            handle(.undecodable(from: .polling))
            return exchange.refuse()
        }
        exchange.answerOK()
    }

    private func receive(_ packet: EngineIOPacket, from source: PacketSource) {
        switch packet {
        case .message(let message): deliver(message, isBinary: false, from: source)
        case .binary(let message): deliver(message, isBinary: true, from: source)
        case .open: handle(.packet(.open, from: source))
        case .close: handle(.packet(.close, from: source))
        case .ping(let data): handle(.packet(data == EngineIOPacket.probe ? .probe : .ping, from: source))
        case .pong: handle(.packet(.pong, from: source))
        case .upgrade: handle(.packet(.upgrade, from: source))
        case .noop: handle(.packet(.noop, from: source))
        }
    }

    private func deliver(_ message: ByteBuffer, isBinary: Bool, from source: PacketSource) {
        if source == .webSocket, machine.deliversFromWebSocket {
            delegate?.received(message, isBinary: isBinary)
        } else if handle(.packet(.message, from: source)) {
            delegate?.received(message, isBinary: isBinary)
        }
    }

    // MARK: What a WebSocket brings

    private func source(of webSocket: ObjectIdentifier) -> PacketSource? {
        if self.webSocket?.id == webSocket { return .webSocket }
        return candidate?.id == webSocket ? .candidate : nil
    }

    func connected(_ port: WebSocketPort) {
        if handle(.candidateConnected) { candidate = port } else { port.close(.forcedClose) }
    }

    func received(_ message: ByteBuffer, isBinary: Bool, from webSocket: ObjectIdentifier) {
        guard let source = source(of: webSocket) else { return }
        do throws(WireError) {
            let packet =
                try isBinary
                ? EngineIOCodec.decode(binary: message, revision: form.revision)
                : EngineIOCodec.decode(text: message, revision: form.revision)
            receive(packet, from: source)
        } catch {
            engine.metrics.parseErrors.add()
            handle(.undecodable(from: source))
        }
    }

    func ended(_ webSocket: ObjectIdentifier, isError: Bool) {
        guard let source = source(of: webSocket) else { return }
        handle(.webSocketEnded(source, isError: isError))
    }

    func drained(_ webSocket: ObjectIdentifier) {
        guard self.webSocket?.id == webSocket else { return }
        if machine.isOpen { delegate?.hasRoom() } else { handle(.drained) }
    }

    /// The connection's loop has taken what was handed over to it.
    func took(_ batch: UInt64, by webSocket: ObjectIdentifier) {
        // The answer to the probe, from before the session moved there.
        if case .remote(let port)? = candidate, port.id == webSocket { return port.took(batch) }
        guard case .remote(let port)? = self.webSocket, port.id == webSocket else { return }
        port.took(batch)
        guard port.hasRoom else { return }
        drained(webSocket)
    }

    // MARK: Actions

    /// - Returns: what ``SessionAction/deliver`` and ``SessionAction/acceptCandidate`` stand for: go on.
    @discardableResult
    private func handle(_ event: SessionEvent, _ exchange: PollingExchange? = nil) -> Bool {
        let actions = machine.handle(event, at: eventLoop.now, timing: engine.timing)
        var goesOn = false
        for action in actions {
            switch action {
            case .deliver, .acceptCandidate: goesOn = true
            default: perform(action, exchange)
            }
        }
        if !machine.isClosed { shard.arm(self) }
        return goesOn
    }

    private func perform(_ action: SessionAction, _ exchange: PollingExchange?) {
        switch action {
        case .parkPoll: parked = exchange.map { ($0, serial) }
        case .answerPoll: answerPoll(exchange)
        case .answerPollNoop: takePoll(exchange)?.answer(PollBody("6", form: form))
        case .answerPollClose: takePoll(exchange)?.answer(PollBody("1", form: form))
        case .refuse: exchange?.refuse()
        case .refuseUnknown: refuse(exchange, HandshakeRefusal(.unknownSession, "the session has ended"))
        case .refuseTransport: refuse(exchange, HandshakeRefusal(.badRequest, "the session is on a WebSocket"))
        case .acceptPost: if let exchange { receive(post: exchange) }
        case .sendPing: send(ServerFrames.ping)
        case .sendPong: send(ServerFrames.pong)
        case .sendProbePong: candidate?.writeAndFlush(ServerFrames.probePong)
        case .closeCandidate:
            candidate?.close(.forcedClose)
            candidate = nil
        case .adoptCandidate: adoptCandidate()
        case .flush: flushWebSocket()
        case .closeWebSocket(let reason): webSocket?.close(reason)
        case .finish(let reason): finish(reason)
        case .deliver, .acceptCandidate, .dismissCandidate: break
        }
    }

    private func refuse(_ exchange: PollingExchange?, _ refusal: HandshakeRefusal) {
        engine.count(refusal)
        exchange?.refuse(refusal)
    }

    private func takePoll(_ arriving: PollingExchange?) -> PollingExchange? {
        guard let parked else { return arriving }
        self.parked = nil
        return parked.exchange
    }

    private func answerPoll(_ arriving: PollingExchange?) {
        guard let exchange = takePoll(arriving) else { return }
        let wasFull = !hasRoom
        var body = PollBody(limit: engine.configuration.maxPayload, form: form)
        var taken = 0
        while taken < waiting.count, body.take(from: &waiting[taken]) { taken += 1 }
        waiting.removeFirst(taken)
        waitingBytes = waiting.reduce(0) { $0 + $1.readableBytes }
        exchange.answer(body)
        if wasFull, hasRoom { delegate?.hasRoom() }
    }

    private func adoptCandidate() {
        webSocket = candidate
        candidate = nil
        for frames in waiting { webSocket?.write(frames) }
        waiting = []
        waitingBytes = 0
        shard.flushSoon(self)
        delegate?.hasRoom()
    }

    private func flushWebSocket() {
        guard let webSocket else { return }
        webSocket.flush()
        if !machine.isOpen, webSocket.isDrained { handle(.drained) }
    }

    private func finish(_ reason: CloseReason) {
        engine.forget(self, reason)
        shard.remove(self)
        waiting = []
        waitingBytes = 0
        webSocket = nil
        let delegate = delegate
        self.delegate = nil
        delegate?.closed(reason)
    }
}
