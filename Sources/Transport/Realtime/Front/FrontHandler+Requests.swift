internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1

/// From a request's parts to the ingress or to a task.
extension FrontHandler {
    func begin(_ head: HTTPRequestHead) {
        guard let context else { return }
        requestEpoch &+= 1
        do throws(Refusal) {
            let plan = try RequestPlan(head, shared.rules)
            if plan.route == .rest {
                try beginREST(head, plan, context)
            } else {
                machine.head(plan)
                let exchange = EngineExchange(head, plan, front: self, channel: context.channel)
                current = .engine(exchange)
                if plan.route == .engine, head.method == .POST { shared.ingress?.announce(exchange) }
                // Answered at once: the client need not send its body.
                if plan.expectsContinue, case .engine = current { writeContinue() }
            }
        } catch {
            refuse(error)
        }
    }

    private func beginREST(_ head: HTTPRequestHead, _ plan: RequestPlan, _ context: ChannelHandlerContext) throws(Refusal) {
        let method: HTTPRequest.Method
        do { method = try HTTPRequest.Method(head.method) } catch { throw .badRequest("The method is not valid.") }
        let request = HTTPRequest(
            method: method, scheme: shared.tls == nil ? "http" : "https", authority: head.headers.first(name: "host"), path: plan.target,
            headerFields: HTTPFields(head.headers, splitCookie: false))
        machine.head(plan)
        let outbox = ResponseOutbox(front: NIOLoopBound(self, eventLoop: context.eventLoop))
        let exchange = RESTExchange(plan, requestID: plan.requestID ?? RequestIdentifier.make(), outbox: outbox)
        exchange.request = request
        switch plan.body {
        case .gathered:
            current = .rest(exchange, gathered: ByteBuffer())
            if plan.expectsContinue { writeContinue() }
        case .streamed:
            let (body, source) = StreamedBody.make(outbox: outbox, announces: plan.expectsContinue)
            exchange.bodySource = source
            exchange.owesContinue = plan.expectsContinue
            current = .rest(exchange, gathered: nil)
            start(exchange, body: RequestBody(asyncSequence: body), context)
        }
    }

    private func start(_ exchange: RESTExchange, body: RequestBody, _ context: ChannelHandlerContext) {
        guard let head = exchange.request.take() else { return }
        let request = Request(head: head, body: body)
        let work = RequestTask(
            respond: shared.respond, channel: context.channel, logger: shared.logger, plan: exchange.plan, requestID: exchange.requestID,
            outbox: exchange.outbox)
        exchange.task = Task { await work.run(request) }
    }

    func receive(_ buffer: ByteBuffer) {
        switch machine.body(bytes: buffer.readableBytes) {
        case .ignore: break
        case .gather: gather(buffer)
        case .stream: stream(buffer)
        case .refuse:
            if case .engine = current { refuse(.bodyTooLarge(emptyBody: true)) } else { refuse(.bodyTooLarge()) }
        case .abandonAndClose:
            shared.metrics.count(.bodyLimit)
            abandonAndClose()
        }
    }

    private func gather(_ buffer: ByteBuffer) {
        guard reserve(buffer.readableBytes) else { return refuse(.noRoomForBody) }
        var buffer = buffer
        switch current {
        case .none: break
        case .engine(let exchange): exchange.append(&buffer)
        case .rest(let exchange, let gathered):
            guard var gathered else { return }
            // Let go of the second reference, so that the bytes are appended in place.
            current = .none
            if gathered.readableBytes == 0 { gathered = buffer } else { gathered.writeBuffer(&buffer) }
            current = .rest(exchange, gathered: gathered)
        }
    }

    private func stream(_ buffer: ByteBuffer) {
        guard case .rest(let exchange, _) = current, let source = exchange.bodySource else { return }
        if source.yield(buffer) == .stopProducing { machine.consumerIsFull = true }
    }

    func consumerHasRoom(_ outbox: ResponseOutbox) {
        guard owns(outbox) != nil else { return }
        machine.consumerIsFull = false
        resumeReading()
    }

    func endRequest() {
        releaseReserved()
        switch machine.end() {
        case .ignore: break
        case .finishStream:
            guard case .rest(let exchange, _) = current else { return }
            exchange.bodySource?.finish()
            exchange.bodySource = nil
            resumeReading()
        case .dispatch(.rest):
            guard case .rest(let exchange, let gathered) = current, let context else { return }
            current = .rest(exchange, gathered: nil)
            start(exchange, body: RequestBody(buffer: gathered ?? ByteBuffer()), context)
        case .dispatch(.engine):
            guard case .engine(let exchange) = current else { return }
            shared.ingress?.receive(exchange)
        case .dispatch(.upgrade):
            guard case .engine(let exchange) = current else { return }
            shared.ingress?.receiveUpgrade(exchange)
        }
    }

    /// The exchange that `outbox` belongs to, unless its time on this connection is over.
    func owns(_ outbox: ResponseOutbox) -> RESTExchange? {
        guard case .rest(let exchange, _) = current, exchange.outbox === outbox else { return nil }
        return exchange
    }

    /// The decoder or a deadline ended the input.
    func fail(_ refusal: Refusal) {
        switch machine.failed() {
        case .ignore: break
        case .refuse, .abandonAndRefuse: refuse(refusal)
        case .abandonAndClose:
            shared.metrics.count(refusal.reason)
            abandonAndClose()
        }
    }

    func sendContinue(_ outbox: ResponseOutbox) {
        guard let exchange = owns(outbox), exchange.owesContinue, case .open(let open) = machine.state, !open.headIsWritten else { return }
        exchange.owesContinue = false
        writeContinue()
    }
}
