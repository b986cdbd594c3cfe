/// An upgrade request as far as the WebSocket handshake looks at it. The target is the router's business.
public struct WebSocketUpgradeRequest: Sendable {
    public var method: String
    public var majorVersion: Int
    public var minorVersion: Int
    /// In the order received; names in any case; repeated fields repeat.
    public var headers: [(name: String, value: String)]

    public init(method: String, majorVersion: Int, minorVersion: Int, headers: [(name: String, value: String)]) {
        self.method = method
        self.majorVersion = majorVersion
        self.minorVersion = minorVersion
        self.headers = headers
    }
}

/// What the 101 answer needs.
public struct WebSocketAcceptance: Sendable, Hashable {
    /// The text whose SHA-1, in base64, is the `Sec-WebSocket-Accept` field (§4.2.2).
    public var textToHash: String
    /// The subprotocol to echo; nil when none was agreed.
    public var subprotocol: String?
    /// How messages may be compressed, to be told in `Sec-WebSocket-Extensions`; nil when they may not.
    public var deflate: DeflateAgreement?
}

/// Why an upgrade request is refused, and how to say so.
public struct WebSocketRefusal: Error, Sendable, Hashable {
    public enum Reason: String, Sendable {
        case method = "A WebSocket handshake uses GET"
        case httpVersion = "A WebSocket handshake needs HTTP/1.1"
        case host = "Exactly one Host field is needed"
        case upgrade = "The Upgrade field does not name websocket"
        case connection = "The Connection field does not name Upgrade"
        case key = "Sec-WebSocket-Key is not 16 bytes of base64"
        case version = "Only WebSocket version 13 is spoken here"
        case subprotocol = "Sec-WebSocket-Protocol is not a list of distinct tokens"
        case extensions = "Sec-WebSocket-Extensions is not a list of extensions"
    }

    public let reason: Reason

    /// The HTTP status.
    public var status: Int {
        switch reason {
        case .method: 405
        case .version: 426
        default: 400
        }
    }

    /// Fields that the answer must have.
    public var headers: [(name: String, value: String)] {
        switch reason {
        case .method: [("Allow", "GET")]
        case .version: [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
        default: []
        }
    }
}
