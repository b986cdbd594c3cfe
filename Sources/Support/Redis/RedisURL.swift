/// Where a Redis is, and how to be let in: `redis://[user[:password]@]host[:port][/db]` or `unix://[user[:password]@]/path[?db=N]`.
/// Of a cluster several nodes may be named, with what lets in once in front: `redis://user:password@h1:6379,h2:6379,h3:6379/0`.
///
/// The IANA registration of the `redis` scheme is followed; user and password are percent-decoded. A password without a user
/// (`redis://:secret@host`) is Redis' default user.
public struct RedisURL: Sendable, Equatable {
    public enum Address: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// What is wrong with the text; none of the cases repeats the password.
    public enum Problem: Error, Sendable, Equatable {
        case scheme(String)
        /// `rediss://`: hiredis 0.14 has no TLS; put stunnel or the like in front, or use a unix socket.
        case noTLS
        case host
        case port(String)
        case database(String)
        case credentials
        /// More nodes than ``RedisLimits/seedsMax``.
        case addresses(Int)
    }

    public var address: Address
    /// Further nodes of the cluster that `address` is one of. Two Redis that stand alone are never meant: each would have counters of
    /// its own.
    public var others: [Address] = []
    public var user: String?
    public var password: String?
    public var database = 0

    public init(address: Address, others: [Address] = [], user: String? = nil, password: String? = nil, database: Int = 0) {
        self.address = address
        self.others = others
        self.user = user
        self.password = password
        self.database = database
    }

    public init(parsing text: String) throws(Problem) {
        guard let colon = text.range(ofSlashes: "://") else { throw .scheme("") }
        let scheme = text[..<colon.lowerBound].lowercased()
        var rest = text[colon.upperBound...]
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        // A percent-encoded password has no "/" and no "@", so the credentials end at the first "@".
        var credentials: Substring = ""
        if let at = rest.firstIndex(of: "@") {
            credentials = rest[..<at]
            rest = rest[rest.index(after: at)...]
        }
        switch scheme {
        case "redis": (address, others, database) = try Self.tcp(rest)
        case "unix", "redis+unix", "redis-socket":
            guard rest.hasPrefix("/"), rest.count > 1 else { throw .host }
            address = .unix(path: String(rest))
        case "rediss": throw .noTLS
        default: throw .scheme(scheme)
        }
        for pair in query.split(separator: "&") where pair.hasPrefix("db=") {
            database = try Self.database(pair.dropFirst(3))
        }
        (user, password) = try Self.credentials(credentials)
    }

    /// All nodes that the text names, in its order, each once.
    public var addresses: [Address] { [address] + others }

    private static func tcp(_ text: Substring) throws(Problem) -> (Address, [Address], Int) {
        var authority = text
        var database = 0
        if let slash = text.firstIndex(of: "/") {
            authority = text[..<slash]
            let path = text[text.index(after: slash)...]
            if !path.isEmpty { database = try Self.database(path) }
        }
        // What lets in stands once, in front of the first node.
        guard !authority.contains("@") else { throw .credentials }
        let nodes = authority.split(separator: ",", omittingEmptySubsequences: false)
        guard nodes.count <= RedisLimits.seedsMax else { throw .addresses(nodes.count) }
        var addresses: [Address] = []
        for text in nodes {
            let node = try node(text)
            if !addresses.contains(node) { addresses.append(node) }
        }
        return (addresses[0], Array(addresses.dropFirst()), database)
    }

    private static func node(_ authority: Substring) throws(Problem) -> Address {
        var host = authority
        var port: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw .host }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            if after.hasPrefix(":") { port = after.dropFirst() } else if !after.isEmpty { throw .host }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { throw .host }
        guard let port else { return .tcp(host: String(host), port: 6379) }
        guard let number = Int(port), (1...65_535).contains(number) else { throw .port(String(port)) }
        return .tcp(host: String(host), port: number)
    }

    private static func database(_ text: Substring) throws(Problem) -> Int {
        guard let number = Int(text), (0...1_023).contains(number) else { throw .database(String(text)) }
        return number
    }

    private static func credentials(_ text: Substring) throws(Problem) -> (String?, String?) {
        guard !text.isEmpty else { return (nil, nil) }
        guard let colon = text.firstIndex(of: ":") else { return (try percentDecoded(text), nil) }
        let user = try percentDecoded(text[..<colon])
        let password = try percentDecoded(text[text.index(after: colon)...])
        return (user.isEmpty ? nil : user, password)
    }

    private static func percentDecoded(_ text: Substring) throws(Problem) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexDigit, let low = rest.popFirst()?.hexDigit else { throw .credentials }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .credentials }
        return decoded
    }
}

extension RedisURL.Address: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}

extension String {
    /// The first occurrence of `mark`; the standard library has no substring search without Foundation.
    fileprivate func range(ofSlashes mark: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(mark) { return start..<index(start, offsetBy: mark.count) }
            start = index(after: start)
        }
        return nil
    }
}

extension UInt8 {
    fileprivate var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
