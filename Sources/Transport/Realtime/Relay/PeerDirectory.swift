/// Where the nodes of a cluster are. A session id names its node (`SessionID`): a request whose session lives on another
/// node is sent on to the address that the directory has for it.
///
/// Asked on event loops for every such request: the look-up must not wait. Any thread.
public protocol PeerDirectory: Sendable {
    /// - Parameter node: 24 bits.
    /// - Returns: nil for a node that is not known, or is down.
    func address(of node: UInt32) -> PeerAddress?
}

/// A host, by name or by number, and a port of the network that the nodes share; and whether TLS is spoken there.
public struct PeerAddress: Sendable, Hashable {
    /// A name, or an address of IPv4 or IPv6 without brackets.
    public let host: String
    /// Of the node's front.
    public let port: Int
    /// TLS is spoken there, and nothing else. Requests are only sent on between nodes that both speak it, or both do not.
    public let isSecure: Bool

    /// An address of these parts.
    public init(host: String, port: Int, isSecure: Bool = false) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
    }

    private static let secureScheme = "https://"

    /// Reads `host:port`, `192.0.2.7:8000` or `[2001:db8::7]:8000`, with `https://` in front where TLS is spoken; nil for what is none.
    /// A node that knows nothing of the scheme reads no address from it, and so says nothing in the clear to a port with TLS.
    public init?(_ text: String) {
        let isSecure = text.hasPrefix(Self.secureScheme)
        let text = isSecure ? text.dropFirst(Self.secureScheme.count) : text[...]
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        var host = text[..<colon]
        let digits = text[text.utf8.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let port = Int(digits),
            (1...65_535).contains(port)
        else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.utf8.contains(UInt8(ascii: ":")) {
            return nil
        }
        // A name or a number, and nothing that could end a line of a request.
        guard (1...255).contains(host.utf8.count),
            host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "@") })
        else { return nil }
        self.init(host: String(host), port: port, isSecure: isSecure)
    }
}

extension PeerAddress: CustomStringConvertible {
    /// Without the scheme, as it stands in a `Host` field.
    var authority: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// What ``init(_:)`` reads.
    public var description: String { isSecure ? Self.secureScheme + authority : authority }
}

/// Why a request got no answer from the node of its session. Nothing has been sent to the client.
package enum RelayFailure: Error, Hashable {
    /// No connection within ``RelayLimits/connectSeconds``, or no TLS within ``RelayLimits/handshakeSeconds`` of it.
    case unreachable
    /// Who answers has not proved to be of the cluster, or one of the two nodes speaks TLS and the other does not. Nothing has been sent.
    case untrusted
    /// The connection ended before the answer, or what came was not HTTP.
    case lost
    /// The answer did not come in time.
    case timeout
    /// Too many requests are being relayed.
    case limit
}
