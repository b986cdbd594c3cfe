public import JSON

/// An address with places for arguments: `https://crm.example.com/orders/{order_id}?lang={lang}`.
///
/// Scheme, host and port are fixed text: no argument can choose where a request goes. Each argument becomes one percent-encoded
/// piece of the path or of the query.
public struct URLTemplate: Sendable, Hashable {
    enum Piece: Sendable, Hashable {
        case text(String)
        case argument(String)
    }

    public let text: String
    /// `http` or `https`.
    public let scheme: String
    /// Lower case, without port.
    public let host: String
    public let port: Int?
    let pieces: [Piece]

    /// The names of the arguments, in the order of their places.
    public var arguments: [String] {
        pieces.compactMap { piece in
            guard case .argument(let name) = piece else { return nil }
            return name
        }
    }

    /// - Throws: ``TemplateError``.
    public init(_ text: String) throws(TemplateError) {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "#") }) else {
            throw TemplateError(message: "an address has no blanks, backslashes, fragments or letters outside ASCII")
        }
        guard let scheme = ["https", "http"].first(where: { text.hasPrefix($0 + "://") }) else {
            throw TemplateError(message: "an address begins with https:// or http://")
        }
        let rest = text.dropFirst(scheme.count + 3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        (host, port) = try Self.hostAndPort(authority)
        let tail = rest.dropFirst(authority.count)
        guard tail.isEmpty || tail.first == "/" else { throw TemplateError(message: "a path begins with /") }
        self.text = text
        self.scheme = scheme
        pieces = [.text("\(scheme)://\(authority)")] + (try Self.pieces(of: tail.isEmpty ? "/" : tail))
    }

    private static func hostAndPort(_ authority: Substring) throws(TemplateError) -> (String, Int?) {
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        let host = parts[0].lowercased()
        guard parts.count <= 2, !host.isEmpty, host.utf8.count <= SupervisorLimits.hostBytesMax,
            host.utf8.allSatisfy(SafeText.isHostByte)
        else { throw TemplateError(message: "the host is fixed text of letters, digits, dots and hyphens") }
        guard parts.count == 2 else { return (host, nil) }
        guard let port = Int(parts[1]), (1...65_535).contains(port), String(port) == parts[1] else {
            throw TemplateError(message: "a port is a number from 1 to 65535")
        }
        return (host, port)
    }

    private static func pieces(of tail: Substring) throws(TemplateError) -> [Piece] {
        var pieces: [Piece] = []
        var rest = tail
        while let open = rest.firstIndex(of: "{") {
            let before = rest[..<open]
            guard !before.contains("}"), let close = rest[open...].firstIndex(of: "}") else {
                throw TemplateError(message: "a brace has no partner")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard SafeText.isPropertyName(name) else { throw TemplateError(message: "between braces stands an argument's name") }
            if !before.isEmpty { pieces.append(.text(String(before))) }
            pieces.append(.argument(name))
            rest = rest[rest.index(after: close)...]
        }
        guard !rest.contains("}") else { throw TemplateError(message: "a brace has no partner") }
        if !rest.isEmpty { pieces.append(.text(String(rest))) }
        return pieces
    }

    /// The address for these arguments.
    ///
    /// - Throws: ``TemplateError`` for an argument that is missing, is no text, integer or truth value, or would change the path:
    ///   no segment of it may be empty or made of dots alone.
    public func filled(with arguments: JSONObject) throws(TemplateError) -> String {
        var address = ""
        var isQuery = false
        for piece in pieces {
            switch piece {
            case .text(let text):
                address += text
                isQuery = isQuery || text.contains("?")
            case .argument(let name):
                let value: String
                switch arguments[name] {
                case .string(let text): value = text
                case .integer(let integer): value = String(integer)
                case .bool(let flag): value = flag ? "true" : "false"
                default: throw TemplateError(message: "\(name) cannot stand in an address")
                }
                guard isQuery || Self.staysInPlace(value) else { throw TemplateError(message: "\(name) would change the path") }
                address += Self.encoded(value)
            }
        }
        return address
    }

    /// Whether no server can read the value as a step up: some decode `%2F` before they look for `..`.
    private static func staysInPlace(_ value: String) -> Bool {
        let segments = value.utf8.split(omittingEmptySubsequences: false) { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
        return segments.allSatisfy { segment in !segment.allSatisfy { $0 == UInt8(ascii: ".") } }
    }

    /// All but RFC 3986's unreserved characters, percent-encoded.
    private static func encoded(_ value: String) -> String {
        var text: [UInt8] = []
        for byte in value.utf8 {
            if SafeText.isUnreserved(byte) {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(contentsOf: SafeText.upperHex(byte))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Why a text is no template, or why arguments do not fit one.
public struct TemplateError: Error, Sendable, Hashable {
    public let message: String
}
