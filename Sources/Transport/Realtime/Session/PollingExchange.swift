internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// A polling request on its way to its session and the answer's way back. The request belongs to the loop of its
/// connection, the session to another one perhaps; this value may be on either.
struct PollingExchange: Sendable {
    let body: ByteBuffer
    let isOctetStream: Bool
    private let request: NIOLoopBound<any EngineIORequest>
    private let eventLoop: any EventLoop
    private let headers: HTTPHeaders
    /// How a long payload is to be compressed; nil leaves it as it is.
    private let coding: ContentCoding?

    /// Made on the request's loop.
    ///
    /// - Parameters:
    ///   - headers: go with every answer.
    ///   - isCompressed: the client may be given compressed payloads, if it accepts them.
    init(_ request: any EngineIORequest, headers: HTTPHeaders, isCompressed: Bool) {
        let fields = request.head.headers
        body = request.body
        isOctetStream = fields.first(name: "content-type")?.lowercased().hasPrefix("application/octet-stream") ?? false
        coding = isCompressed && request.head.method == .GET ? ContentCoding(acceptEncoding: fields["accept-encoding"]) : nil
        eventLoop = request.eventLoop
        self.request = NIOLoopBound(request, eventLoop: request.eventLoop)
        var headers = headers
        // Its filter would take a payload that repeats the query for an attack, and blank the answer (E24).
        if let agent = fields.first(name: "user-agent"), Self.isLegacyExplorer(agent) { headers.add(name: "X-XSS-Protection", value: "0") }
        self.headers = headers
    }

    /// The reference's test (E24).
    private static func isLegacyExplorer(_ agent: String) -> Bool {
        let bytes = agent.utf8
        return bytes.indices.contains { bytes[$0...].starts(with: ";MSIE".utf8) || bytes[$0...].starts(with: "Trident/".utf8) }
    }

    /// The answer to a GET (E24; L3 for the byte form).
    func answer(_ body: PollBody) {
        let (payload, isBinary) = (body.bytes, body.isBinary)
        guard let coding, payload.readableBytes >= TransportLimits.compressionBytesMin else { return answer(payload, isBinary, as: nil) }
        guard payload.readableBytes > TransportLimits.compressionTurnBytesMax else {
            return answer(payload, isBinary, coding.compress(payload), coding)
        }
        // The session waits for nothing here: its next poll comes when this one is answered.
        let exchange = self
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { coding.compress(payload) }.whenComplete { result in
            exchange.answer(payload, isBinary, (try? result.get()) ?? nil, coding)
        }
    }

    private func answer(_ payload: ByteBuffer, _ isBinary: Bool, _ compressed: ByteBuffer?, _ coding: ContentCoding) {
        if let compressed { answer(compressed, isBinary, as: coding) } else { answer(payload, isBinary, as: nil) }
    }

    private func answer(_ payload: ByteBuffer, _ isBinary: Bool, as coding: ContentCoding?) {
        let type = isBinary ? "application/octet-stream" : "text/plain; charset=UTF-8"
        respond(.ok, type: type, payload, extra: coding.map { ("Content-Encoding", $0.rawValue) })
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

    /// A method that no session takes (E25).
    func refuseMethod() {
        respond(.methodNotAllowed, type: nil, ByteBuffer(), extra: ("Allow", "GET, POST"))
    }

    private func respond(_ status: HTTPResponseStatus, type: String?, _ body: ByteBuffer, extra: (name: String, value: String)? = nil) {
        var headers = headers
        if let type { headers.add(name: "Content-Type", value: type) }
        headers.replaceOrAdd(name: "Cache-Control", value: "no-store")
        if let extra { headers.add(name: extra.name, value: extra.value) }
        let response = EngineIOResponse(status: status, headers: headers, body: body)
        if eventLoop.inEventLoop {
            request.value.respond(response)
        } else {
            let request = request
            eventLoop.execute { request.value.respond(response) }
        }
    }
}
