internal import DequeModule
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1

/// From answers to bytes, and from one request to the next.
extension FrontHandler {
    // MARK: Engine.IO

    func answer(_ exchange: EngineExchange, _ response: EngineIOResponse) {
        guard case .engine(let running) = current, running === exchange else { return }
        releaseReserved()
        var closes = response.closesConnection
        // Answered before its request was whole: the rest is drained.
        guard case .write(let keepAlive) = machine.responseHead(streams: false, isDelimited: !closes) else { return }
        closes = closes || !keepAlive
        var headers = response.headers
        if !headers.contains(name: "content-length") { headers.add(name: "Content-Length", value: String(response.body.readableBytes)) }
        write(head: HTTPResponseHead(version: .http1_1, status: response.status, headers: headers), keepAlive: !closes, exchange.plan, nil)
        if !exchange.plan.isHead { write(body: response.body) }
        current = .none
        endResponse(nil)
    }

    // MARK: REST

    /// A whole response in one turn.
    func sendWhole(_ outbox: ResponseOutbox, _ framing: ResponseFraming, _ buffers: [ByteBuffer]) {
        guard let exchange = owns(outbox), writeHead(framing, exchange) else { return }
        for buffer in buffers { write(body: buffer) }
        finish(exchange, nil)
    }

    /// Moves what a streaming response has written to the channel, with one flush.
    func drain(_ outbox: ResponseOutbox) {
        guard let exchange = owns(outbox), let context else { return outbox.close() }
        guard let batch = outbox.take(isWritable: context.channel.isWritable) else { return }
        if let head = batch.head, !writeHead(head, exchange) { return }
        for buffer in batch.buffers { write(body: buffer) }
        if batch.isLast {
            finish(exchange, batch.trailers)
        } else {
            needsFlush = true
            flushIfNeeded()
            outbox.settle(isWritable: context.channel.isWritable)
        }
    }

    private func writeHead(_ framing: ResponseFraming, _ exchange: RESTExchange) -> Bool {
        switch machine.responseHead(streams: framing.streams, isDelimited: framing.body != .untilClose) {
        case .ignore: return false
        case .abandonAndClose:
            abandonAndClose()
            return false
        case .write(let keepAlive):
            write(head: framing.head, keepAlive: keepAlive, exchange.plan, exchange.requestID)
            return true
        }
    }

    private func finish(_ exchange: RESTExchange, _ trailers: HTTPHeaders?) {
        current = .none
        exchange.outbox.close()
        exchange.bodySource?.finish(RequestBodyError.incomplete)
        exchange.bodySource = nil
        endResponse(trailers)
    }

    func abortResponse(_ outbox: ResponseOutbox, _ reason: RefusalReason?) {
        guard owns(outbox) != nil else { return }
        if let reason { shared.metrics.count(reason) }
        abandonAndClose()
    }

    // MARK: Our own

    /// Answers an error and lets nothing of this connection's input be served any more.
    func refuse(_ refusal: Refusal) {
        shared.metrics.count(refusal.reason)
        releaseReserved()
        let gone = current
        current = .none
        queue.removeAll()
        machine.refused()
        let body = refusal.hasEmptyBody ? [] : ErrorBody.json(status: Int(refusal.status.code), message: refusal.message)
        var headers: HTTPHeaders = ["Content-Length": String(body.count)]
        if !body.isEmpty { headers.add(name: "Content-Type", value: "application/json") }
        if refusal.status == .serviceUnavailable { headers.add(name: "Retry-After", value: "5") }
        let requestID: String? =
            switch gone {
            case .none: nil
            case .engine(let exchange): exchange.plan.requestID
            case .rest(let exchange, _): exchange.requestID
            }
        write(head: HTTPResponseHead(version: .http1_1, status: refusal.status, headers: headers), keepAlive: false, nil, requestID)
        if !body.isEmpty { write(body: ByteBuffer(bytes: body)) }
        closeOutputAfterEnd(nil)
        switch gone {
        case .none: break
        case .engine(let exchange): exchange.abandon(.refused)
        case .rest(let exchange, _): exchange.cancel(refusal.reason == .bodyLimit ? .tooLarge : .incomplete)
        }
        resumeReading()
    }

    func writeContinue() {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
    }

    // MARK: Writing

    func write(head: HTTPResponseHead, keepAlive: Bool, _ plan: RequestPlan?, _ requestID: String?) {
        var head = head
        if !head.headers.contains(name: "date") { head.headers.add(name: "Date", value: loop.dateText) }
        if !head.headers.contains(name: "x-request-id") {
            head.headers.add(name: "x-request-id", value: requestID ?? plan?.requestID ?? RequestIdentifier.make())
        }
        if !keepAlive {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
        } else if plan?.isHTTP10 == true {
            head.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
        writtenBytes &+= 1
        context?.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    func write(body: ByteBuffer) {
        guard body.readableBytes > 0 else { return }
        writtenBytes &+= body.readableBytes
        context?.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }

    /// Ends the response that is being written, and goes on as the machine says.
    func endResponse(_ trailers: HTTPHeaders?) {
        requestEpoch &+= 1
        switch machine.responseEnd() {
        case .ignore: break
        case .next:
            context?.write(wrapOutboundOut(.end(trailers)), promise: nil)
            needsFlush = true
            pump()
            flushIfNeeded()
        case .close:
            queue.removeAll()
            context?.write(wrapOutboundOut(.end(trailers)), promise: nil)
            closeAfterFlush()
        case .drain:
            queue.removeAll()
            closeOutputAfterEnd(trailers)
            resumeReading()
        }
    }

    /// Closes when everything written is with the kernel.
    func closeAfterFlush() {
        guard let context else { return }
        machine.refused()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in bound.value.close() }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer()))), promise: promise)
    }

    /// Says that nothing more will come, and goes on reading for a while: closing with unread input would reset the
    /// connection, and the client might lose the answer.
    private func closeOutputAfterEnd(_ trailers: HTTPHeaders?) {
        guard let context else { return }
        guard !machine.inputIsClosed else {
            context.write(wrapOutboundOut(.end(trailers)), promise: nil)
            return closeAfterFlush()
        }
        context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func abortConnection() {
        current = .none
        abandonAndClose()
    }
}
