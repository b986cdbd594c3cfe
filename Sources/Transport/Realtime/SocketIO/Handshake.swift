public import JSON
public import NIOHTTP1

/// What a client brought when it asked to join a namespace (S18).
public struct Handshake: Sendable {
    package let request: SessionRequest
    /// The CONNECT packet's payload; an empty object when there was none.
    public let auth: JSONValue

    package init(request: SessionRequest, auth: JSONValue) {
        self.request = request
        self.auth = auth
    }

    /// Fields of the request that opened the session, without those of one hop and of content negotiation.
    public var headers: HTTPHeaders { request.headers }
    /// The query's parameters in order, without Engine.IO's own.
    public var query: [(name: String, value: String)] { request.query }
    /// The peer's IP address as text; empty when it is not known.
    public var address: String { request.address }
    /// True when this server ends TLS for the session.
    public var secure: Bool { request.isSecure }
    /// Milliseconds since 1970.
    public var issued: Int64 { request.issued }
    /// ``issued`` for people: `Mon, 23 Nov 2026 22:34:54 GMT`.
    public var time: String { HTTPDate.text(Int(request.issued / 1_000)) }
    /// The target of that request, with its whole query.
    public var url: String { request.url }
    /// True when a page's script made the request, that is, when it has an `Origin`.
    public var xdomain: Bool { request.headers.contains(name: "Origin") }
}

/// A middleware's no (S13). Sent as CONNECT_ERROR `{message, data}`.
public struct ConnectRefusal: Error, Sendable, Hashable {
    /// For people.
    public var message: String
    /// Left out of the packet when nil.
    public var data: JSONValue?

    /// A refusal with a text, and data for programs.
    public init(message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}
