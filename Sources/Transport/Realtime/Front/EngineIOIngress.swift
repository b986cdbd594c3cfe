package import NIOCore
package import NIOHTTP1

/// Where the HTTP front hands over every request under the Engine.IO path.
///
/// All calls happen on the event loop of the connection that carries the request. A session may live on another loop:
/// hopping there is the ingress's business.
package protocol EngineIOIngress: AnyObject, Sendable {
    /// The head of a polling POST has come; its body is on its way (E20). If it is answered now, its body is not gathered
    /// (attack 3), and there is no ``receive(_:)``.
    func announce(_ request: any EngineIORequest)

    /// A complete HTTP request (its body already gathered and within the payload limit) that must be answered once.
    func receive(_ request: any EngineIORequest)

    /// A WebSocket upgrade request, the body of which (there should be none) has ended. Answered exactly once by
    /// ``EngineIORequest/respond(_:)`` or ``EngineIORequest/upgrade(headers:handler:)``, now or later.
    func receiveUpgrade(_ request: any EngineIORequest)

    /// The server is shutting down: no more connections come, and every session should end. Called once, from any
    /// thread. Parked polls hold their connections until they are answered or the grace period is over; upgraded
    /// connections get a `ChannelShouldQuiesceEvent` each, after this.
    func quiesce()
}

extension EngineIOIngress {
    package func announce(_ request: any EngineIORequest) {}
    package func quiesce() {}
}

/// One HTTP request under the Engine.IO path. Confined to the event loop of its connection; answered exactly once.
package protocol EngineIORequest: AnyObject {
    var head: HTTPRequestHead { get }
    /// The whole body; empty for GET.
    var body: ByteBuffer { get }
    var eventLoop: any EventLoop { get }
    var remoteAddress: SocketAddress? { get }
    /// True when the front terminates TLS.
    var isSecure: Bool { get }
    /// Called once, on the loop, when the request will get no answer through this value. Never after an answer.
    var onAbandoned: ((Abandonment) -> Void)? { get set }

    func respond(_ response: EngineIOResponse)
    /// Answers 101 with `headers`, removes the HTTP handlers and puts `handler` at the pipeline's end; bytes that came
    /// with the request reach `handler.channelRead` as `ByteBuffer`, followed by `channelReadComplete`.
    func upgrade(headers: HTTPHeaders, handler: any ChannelInboundHandler & RemovableChannelHandler)
    /// Drops the TCP connection without an answer.
    func abort()
    /// Lets another node answer, and the connection carry what it says; after a 101 as a pipe of bytes. The client's end is
    /// told to that node (E19); `onAbandoned` is the front's from here on.
    ///
    /// - Parameters:
    ///   - patience: for the beginning of the answer.
    ///   - failed: called at most once, on the loop, when there is no answer; then the request is to be answered here.
    func relay(to peer: PeerAddress, within patience: TimeAmount, failed: @escaping (RelayFailure) -> Void)
}

/// Why a request is answered no more.
package enum Abandonment: Sendable, Hashable {
    /// The peer went away, or was cut.
    case connectionLost
    /// The front has answered by itself: the body was too large or too slow, or what followed was not HTTP.
    case refused
}

/// A whole answer to an Engine.IO request.
package struct EngineIOResponse {
    package var status: HTTPResponseStatus
    package var headers: HTTPHeaders
    package var body: ByteBuffer
    /// Close the connection after this answer (E5).
    package var closesConnection: Bool

    package init(status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer(), closesConnection: Bool = false) {
        self.status = status
        self.headers = headers
        self.body = body
        self.closesConnection = closesConnection
    }
}
