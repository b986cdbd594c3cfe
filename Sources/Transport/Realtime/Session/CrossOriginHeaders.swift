internal import Digest
internal import NIOCore
internal import NIOHTTP1
internal import TransportWire

/// The origin's verdict on one request and the CORS fields that follow from it (E38).
struct CrossOriginHeaders {
    let verdict: OriginPolicy.Verdict
    /// For every answer.
    let fields: HTTPHeaders

    init(_ head: HTTPRequestHead, policy: OriginPolicy) {
        verdict = policy.verdict(origins: head.headers["origin"], host: head.headers.first(name: "host"))
        var fields = HTTPHeaders()
        if case .cross(let origin) = verdict {
            fields.add(name: "Access-Control-Allow-Origin", value: origin)
            if origin != "*" {
                // Credentials go to named origins alone, and a cache must not serve one origin's answer to another.
                fields.add(name: "Access-Control-Allow-Credentials", value: "true")
                fields.add(name: "Vary", value: "Origin")
            }
        }
        self.fields = fields
    }

    /// True when an OPTIONS request is another host's page asking for leave that it has.
    var isPreflight: Bool {
        if case .cross = verdict { true } else { false }
    }

    /// The fields that a preflight's answer has besides.
    func addPreflight(to fields: inout HTTPHeaders) {
        fields.add(name: "Access-Control-Allow-Methods", value: "GET, POST")
        fields.add(name: "Access-Control-Allow-Headers", value: "Authorization, Content-Type")
        fields.add(name: "Access-Control-Max-Age", value: "600")
    }
}

package enum WebSocketAccept {
    /// The value of `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).
    package static func key(for text: String) -> String {
        var encoded = ByteBuffer()
        Base64.encode(ByteBuffer(bytes: Digest.sha1(text.utf8)), into: &encoded)
        return String(buffer: encoded)
    }
}

/// The affinity cookie of E37.
func affinityCookie(_ name: String, _ id: SessionID, isSecure: Bool) -> String {
    "\(name)=\(id); Path=/; HttpOnly; SameSite=Lax\(isSecure ? "; Secure" : "")"
}
