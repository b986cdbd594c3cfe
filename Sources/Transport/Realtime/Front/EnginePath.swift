/// Recognises requests under the Engine.IO path. Pure.
///
/// The match is an exact prefix of the path (E1): `/socket.iox` and `/socket.io` without the slash are not Engine.IO.
/// Client files (`socket.io.js`, `.map`) that live under it belong to the router.
struct EnginePath: Equatable {
    private let prefix: [UInt8]

    init(_ path: String) {
        prefix = Array(path.utf8)
    }

    func matches(_ target: Substring, isRead: Bool) -> Bool {
        let bytes = target.utf8
        guard bytes.starts(with: prefix) else { return false }
        guard isRead else { return true }
        let path = bytes.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        return !(Substring(path).hasSuffix(".js") || Substring(path).hasSuffix(".map"))
    }

    /// The origin form of a request target (RFC 9112 §3.2): path and query. Nil when it is none that we serve.
    static func originForm(_ target: String) -> Substring? {
        let bytes = target.utf8
        guard let first = bytes.first else { return nil }
        if first == UInt8(ascii: "/") { return target[...] }
        if target == "*" { return target[...] }
        let authority: Substring
        if hasScheme("http://", bytes) {
            authority = target.dropFirst(7)
        } else if hasScheme("https://", bytes) {
            authority = target.dropFirst(8)
        } else {
            return nil
        }
        guard let start = authority.utf8.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) else { return "/" }
        let rest = authority[start...]
        return rest.utf8.first == UInt8(ascii: "/") ? rest : "/" + rest
    }

    private static func hasScheme(_ scheme: StaticString, _ bytes: String.UTF8View) -> Bool {
        let wanted = UnsafeBufferPointer(start: scheme.utf8Start, count: scheme.utf8CodeUnitCount)
        return bytes.count > wanted.count && zip(bytes, wanted).allSatisfy { ASCII.lowercased($0) == $1 }
    }
}

/// ASCII comparisons of protocol words.
enum ASCII {
    static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// `lowercase` must be in lower case.
    static func equal(_ text: some StringProtocol, _ lowercase: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: lowercase.utf8Start, count: lowercase.utf8CodeUnitCount)
        return text.utf8.count == wanted.count && zip(text.utf8, wanted).allSatisfy { lowercased($0) == $1 }
    }

    /// Whether a comma-separated header value names `lowercase`.
    static func list(_ value: String, contains lowercase: StaticString) -> Bool {
        value.utf8.split(separator: UInt8(ascii: ",")).contains { equal(Substring(trimmed($0)), lowercase) }
    }

    static func trimmed(_ bytes: Substring.UTF8View) -> Substring.UTF8View {
        let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) }) else {
            return bytes[bytes.endIndex...]
        }
        return bytes[first...last]
    }
}
