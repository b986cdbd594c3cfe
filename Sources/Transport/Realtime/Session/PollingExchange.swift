internal import NIOCore
internal import NIOHTTP1

/// A polling request on its way to its session and the answer's way back. The request belongs to the loop of its
/// connection, the session to another one perhaps; this value may be on either.
struct PollingExchange: Sendable {
    let body: ByteBuffer
    let isOctetStream: Bool
    private let request: NIOLoopBound<any EngineIORequest>
    private let eventLoop: any EventLoop
    private var headers: HTTPHeaders

    /// Made on the request's loop. `headers` go with every answer (CORS).
    init(_ request: any EngineIORequest, headers: HTTPHeaders) {
        body = request.body
        isOctetStream = request.head.headers.first(name: "content-type")?.lowercased().hasPrefix("application/octet-stream") ?? false
        eventLoop = request.eventLoop
        self.request = NIOLoopBound(request, eventLoop: request.eventLoop)
        self.headers = headers
    }

    /// The same, with the affinity cookie on its answer (E37).
    func adding(cookie: String, value: SessionID) -> PollingExchange {
        var copy = self
        copy.headers.add(name: "Set-Cookie", value: affinityCookie(cookie, value))
        return copy
    }

    /// The answer to a GET (E24).
    func answer(payload: ByteBuffer) {
        respond(.ok, type: "text/plain; charset=UTF-8", payload)
    }

    /// The answer to a POST (E20).
    func answerOK() {
        respond(.ok, type: "text/html", ByteBuffer(staticString: "ok"))
    }

    func refuse() {
        respond(.badRequest, type: nil, ByteBuffer())
    }

    func refuse(_ refusal: HandshakeRefusal) {
        respond(refusal.status, type: "application/json", refusal.body)
    }

    private func respond(_ status: HTTPResponseStatus, type: String?, _ body: ByteBuffer) {
        var headers = headers
        if let type { headers.add(name: "Content-Type", value: type) }
        headers.add(name: "Cache-Control", value: "no-store")
        let response = EngineIOResponse(status: status, headers: headers, body: body)
        if eventLoop.inEventLoop {
            request.value.respond(response)
        } else {
            let request = request
            eventLoop.execute { request.value.respond(response) }
        }
    }
}
