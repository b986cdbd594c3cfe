/// The query string of an Engine.IO request (E2). Parsed once, tolerant of what is unknown, and strict about Engine.IO's
/// own keys: each may come once (attack 8).
struct EngineQuery: Sendable {
    /// The values of `EIO`, `transport` and `sid`; a key that comes twice has the value that no check accepts.
    private(set) var revision: String?
    private(set) var transport: String?
    private(set) var session: String?
    /// `b64` has a value: revision 3's wish for base64 (L3).
    private(set) var isBase64 = false
    /// `j` is there: revision 3's JSONP (E39), which is not served.
    private(set) var isJSONP = false
    /// Everything else, in order, for the application.
    private(set) var others: [(name: String, value: String)] = []
    /// More parameters than we take.
    private(set) var isTooLong = false

    private static let repeated = "\u{0}repeated"

    var repeatsRevision: Bool { revision == Self.repeated }

    /// - Parameter uri: the request target.
    init(uri: String) {
        let bytes = uri.utf8
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "?")) else { return }
        let isWhole = Self.forEach(in: bytes[bytes.index(after: mark)...]) { name, value in
            switch name {
            case "EIO": revision = revision == nil ? value : Self.repeated
            case "transport": transport = transport == nil ? value : Self.repeated
            case "sid": session = session == nil ? value : Self.repeated
            case "b64": isBase64 = isBase64 || !value.isEmpty
            case "j": isJSONP = true
            // The cache buster.
            case "t": break
            default: others.append((name, value))
            }
        }
        isTooLong = !isWhole
    }

    /// Gives each parameter, decoded. False when there are more than we take: then only the first were given.
    static func forEach(in query: Substring.UTF8View, _ body: (String, String) -> Void) -> Bool {
        var count = 0
        for item in query.split(separator: UInt8(ascii: "&")) {
            count += 1
            guard count <= TransportLimits.queryParametersMax else { return false }
            let equals = item.firstIndex(of: UInt8(ascii: "=")) ?? item.endIndex
            let value = equals == item.endIndex ? "" : decode(item[item.index(after: equals)...])
            body(decode(item[..<equals]), value)
        }
        return true
    }

    /// Percent-decoding as forms do it. An escape that is none stays as it is; bytes that are not UTF-8 are replaced.
    static func decode(_ text: Substring.UTF8View) -> String {
        guard text.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return String(Substring(text)) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+") {
                decoded.append(0x20)
            } else if byte == UInt8(ascii: "%"), let high = rest.first.flatMap(hexValue),
                let low = rest.dropFirst().first.flatMap(hexValue)
            {
                decoded.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte)
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
