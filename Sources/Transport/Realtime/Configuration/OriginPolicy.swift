/// Which web pages may use the server. One setting for every polling request, every WebSocket upgrade and the CORS
/// headers (E38), because CORS alone does not protect a WebSocket (cross-site WebSocket hijacking, attack 20).
///
/// A request without an `Origin` header does not come from a page's script and passes; credentials still apply.
public enum OriginPolicy: Sendable, Hashable {
    /// Every page. For public echo servers and tests: an application that trusts cookies must not use it.
    case any
    /// Pages of the host that the request names, and the listed origins (`https://app.example`, lower case, no slash).
    case sameHost(and: [String] = [])

    /// What the policy says of one request.
    public enum Verdict: Sendable, Hashable {
        /// No `Origin`, or the page's own host: no CORS header is needed.
        case same
        /// Another host's page that may. `allowOrigin` is the value of `Access-Control-Allow-Origin`.
        case cross(allowOrigin: String)
        case denied
        /// Not the text of an origin (E3).
        case malformed
    }

    /// Judges one request.
    ///
    /// - Parameters:
    ///   - origins: every `Origin` field of the request; more than one is no browser's.
    ///   - host: the `Host` field.
    public func verdict(origins: [String], host: String?) -> Verdict {
        guard let origin = origins.first else { return .same }
        guard origins.count == 1, origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !origin.isEmpty else { return .malformed }
        switch self {
        case .any:
            return .cross(allowOrigin: "*")
        case .sameHost(let listed):
            let origin = origin.lowercased()
            if listed.contains(origin) { return .cross(allowOrigin: origin) }
            guard let separator = origin.range(of: "://"), let host else { return .denied }
            let scheme = origin[..<separator.lowerBound]
            let authority = String(origin[separator.upperBound...])
            let isSame = Self.stripDefaultPort(authority, scheme) == Self.stripDefaultPort(host.lowercased(), scheme)
            return isSame ? .same : .denied
        }
    }

    /// A page's scheme is not compared: behind a proxy that ends TLS the server does not know its own.
    private static func stripDefaultPort(_ authority: String, _ scheme: Substring) -> Substring {
        switch scheme {
        case "http" where authority.hasSuffix(":80"): authority.dropLast(3)
        case "https" where authority.hasSuffix(":443"): authority.dropLast(4)
        default: Substring(authority)
        }
    }
}

extension String {
    /// The first place of `text`, by bytes. (The standard library's `ranges(of:)` needs the regex module.)
    fileprivate func range(of text: String) -> Range<String.Index>? {
        let needle = Array(text.utf8)
        var start = utf8.startIndex
        while start != utf8.endIndex {
            if utf8[start...].starts(with: needle) {
                return start..<utf8.index(start, offsetBy: needle.count)
            }
            start = utf8.index(after: start)
        }
        return nil
    }
}
