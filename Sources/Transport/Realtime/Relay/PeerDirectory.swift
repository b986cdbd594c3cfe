/// Where the nodes of a cluster are. A session id names its node (`SessionID`): a request whose session lives on another
/// node is sent on to the address that the directory has for it.
///
/// Asked on event loops for every such request: the look-up must not wait. Any thread.
public protocol PeerDirectory: Sendable {
    /// - Parameter node: 24 bits.
    /// - Returns: nil for a node that is not known, or is down.
    func address(of node: UInt32) -> PeerAddress?
}

/// A host, by name or by number, and a port of the network that the nodes share.
public struct PeerAddress: Sendable, Hashable {
    /// A name, or an address of IPv4 or IPv6 without brackets.
    public let host: String
    /// Of the node's front.
    public let port: Int

    /// An address of these parts.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `192.0.2.7:8000` or `[2001:db8::7]:8000`; nil for what is none.
    public init?(_ text: String) {
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
        self.init(host: String(host), port: port)
    }
}

extension PeerAddress: CustomStringConvertible {
    /// `host:port`, with brackets around an address of IPv6.
    public var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Why a request got no answer from the node of its session. Nothing has been sent to the client.
package enum RelayFailure: Sendable, Hashable {
    /// No connection within ``RelayLimits/connectSeconds``.
    case unreachable
    /// The connection ended before the answer, or what came was not HTTP.
    case lost
    /// The answer did not come in time.
    case timeout
    /// Too many requests are being relayed.
    case limit
}
