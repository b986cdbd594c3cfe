package import NIOCore
package import NIOHTTP1

/// Who speaks over the sessions: Socket.IO, or an echo for the public suite.
package protocol SessionApplication: AnyObject, Sendable {
    /// A session has opened. Called on its loop, after the open packet was queued; the answer hears of everything else.
    func opened(_ session: EngineSession) -> any SessionDelegate
}

/// What an application keeps for one session. Confined to the session's loop; every call is made there.
package protocol SessionDelegate: AnyObject {
    /// The first call: from now on the session may be closed.
    func opened()
    func received(_ message: ByteBuffer, isBinary: Bool)
    /// What waited has been taken by the connection.
    func hasRoom()
    /// The time that ``EngineSession/applicationDeadline`` names has come; it was set to the distant future before.
    func deadlinePassed(at now: NIODeadline)
    /// Whether something long is under way, such as a stream: a server that ends lets it finish.
    var isBusy: Bool { get }
    /// The last call.
    func closed(_ reason: CloseReason)
}

extension SessionDelegate {
    package func opened() {}
    package var isBusy: Bool { false }
}

/// What is remembered of the request that opened a session. Immutable, shared by all sockets of the session.
package final class SessionRequest: Sendable {
    /// The request's target.
    package let url: String
    package let headers: HTTPHeaders
    package let query: [(name: String, value: String)]
    package let address: String
    package let isSecure: Bool
    /// Milliseconds since 1970.
    package let issued: Int64

    package init(
        url: String, headers: HTTPHeaders, query: [(name: String, value: String)], address: String, isSecure: Bool, issued: Int64
    ) {
        self.url = url
        self.headers = headers
        self.query = query
        self.address = address
        self.isSecure = isSecure
        self.issued = issued
    }

    /// The fields that an application may want to see. Those of one hop or of content negotiation would only cost
    /// memory for as long as the session lives.
    static func worthKeeping(_ headers: HTTPHeaders) -> HTTPHeaders {
        var kept: [(String, String)] = []
        for (name, value) in headers where !isPassing(name.lowercased()) { kept.append((name, value)) }
        return HTTPHeaders(kept)
    }

    private static func isPassing(_ name: String) -> Bool {
        switch name {
        case "connection", "upgrade", "keep-alive", "cache-control", "pragma", "dnt", "te", "content-length",
            "content-type", "upgrade-insecure-requests", "priority":
            true
        default:
            name.hasPrefix("sec-") || (name.hasPrefix("accept") && name != "accept-language")
        }
    }
}
