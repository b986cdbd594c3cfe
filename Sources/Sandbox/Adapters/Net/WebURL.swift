/// An absolute `http` or `https` URL, taken apart. Stricter than browsers: what two parsers could read differently is refused.
struct WebURL: Sendable, Hashable, CustomStringConvertible {
    var isSecure: Bool
    /// Lower case; an IPv6 address without its brackets.
    var host: String
    var port: Int
    /// Begins with a slash; with the query, without a fragment.
    var target: String

    /// Bounds what a redirect can make us keep; longer than what common servers take (8 KiB).
    static let bytesMax = 16 << 10

    /// Nil for anything but `http(s)://host[:port][/…][?…][#…]`: no user, no blanks, no backslash, no control characters, ASCII alone.
    init?(_ text: String) {
        guard text.utf8.count <= Self.bytesMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            return nil
        }
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
        switch text[..<colon].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default: return nil
        }
        let rest = text[text.index(colon, offsetBy: 3)...]
        let authorityEnd = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        guard let authority = HostPattern(String(rest[..<authorityEnd])) else { return nil }
        host = authority.host
        port = authority.port ?? (isSecure ? 443 : 80)
        let tail = rest[authorityEnd...].prefix { $0 != "#" }
        target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    }

    var path: Substring { target.prefix { $0 != "?" } }

    /// `host` or `host:port`, as the `Host` header has it.
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    var description: String { "\(isSecure ? "https" : "http")://\(authority)\(target)" }

    func isSameOrigin(as other: WebURL) -> Bool { isSecure == other.isSecure && host == other.host && port == other.port }

    /// What a `Location` of an answer from here names. Nil when it names nothing that we would ask.
    ///
    /// Relative paths are resolved against the folder of this one; dots are left to the server.
    func resolving(_ location: String) -> WebURL? {
        if location.hasPrefix("//") { return WebURL((isSecure ? "https:" : "http:") + location) }
        let origin = "\(isSecure ? "https" : "http")://\(authority)"
        if location.hasPrefix("/") { return WebURL(origin + location) }
        if location.hasPrefix("?") { return WebURL(origin + path + location) }
        if location.hasPrefix("#") { return self }
        let firstSpecial = location.firstIndex { ":/?#".contains($0) }
        if let firstSpecial, location[firstSpecial] == ":" { return WebURL(location) }
        let folder = path[...(path.lastIndex(of: "/") ?? path.startIndex)]
        return WebURL(origin + folder + location)
    }
}

/// `host` or `host:port` as an operator writes it into a list.
struct HostPattern: Sendable, Hashable {
    /// Lower case; an IPv6 address without its brackets.
    let host: String
    /// Nil: any.
    let port: Int?

    /// Nil when it is neither a name of letters, digits, hyphens, underscores and dots nor an address.
    init?(_ text: String) {
        var name = text.lowercased()[...]
        var portText: Substring?
        if name.hasPrefix("[") {
            guard let close = name.firstIndex(of: "]") else { return nil }
            let rest = name[name.index(after: close)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            portText = rest.isEmpty ? nil : rest.dropFirst()
            guard let address = IPAddress(String(name[...close])), !address.isV4 else { return nil }
            name = address.description[...]
        } else {
            if let colon = name.firstIndex(of: ":") {
                portText = name[name.index(after: colon)...]
                name = name[..<colon]
            }
            let letters = name.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || [0x2D, 0x2E, 0x5F].contains($0)
            }
            guard !name.isEmpty, name.utf8.count <= 253, letters else { return nil }
        }
        if let portText {
            guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(portText), (1...65_535).contains(number)
            else { return nil }
            port = number
        } else {
            port = nil
        }
        host = String(name)
    }

    func matches(_ url: WebURL) -> Bool { host == url.host && (port == nil || port == url.port) }
}

/// Which hosts a tool may be asked on. Exact names alone: a pattern that covers a domain covers whoever gets a name in it.
struct HostRules: Sendable, Hashable {
    let allowed: [HostPattern]
    /// Those of the allowed that may be inside our own networks.
    let inside: [HostPattern]
    /// Entries that are no hosts, for the check at start; they allow nothing.
    let malformed: [String]

    init(allowed: Set<String>, inside: Set<String>) {
        self.allowed = allowed.compactMap { HostPattern($0) }
        self.inside = inside.compactMap { HostPattern($0) }
        malformed = allowed.union(inside).filter { HostPattern($0) == nil }.sorted()
    }

    func allow(_ url: WebURL) -> Bool { allowed.contains { $0.matches(url) } }

    /// Whether an address that `url`'s host has may be connected to.
    func allow(_ address: IPAddress, for url: WebURL) -> Bool {
        switch address.reach {
        case .global: true
        case .inside: inside.contains { $0.matches(url) }
        case .nowhere: false
        }
    }
}
