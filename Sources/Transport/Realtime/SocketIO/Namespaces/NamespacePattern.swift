/// A pattern of namespaces (S17): `*` stands for one or more characters other than a slash, everything else for itself.
struct NamespacePattern: Sendable, Hashable {
    private let pattern: [UInt8]

    init(_ text: String) throws(NamespacePatternError) {
        pattern = Array(text.utf8)
        guard text.hasPrefix("/"), pattern.contains(UInt8(ascii: "*")), pattern.count <= TransportLimits.namespacePatternBytesMax else {
            throw NamespacePatternError(pattern: text)
        }
    }

    /// Takes at most the product of both lengths, whatever the name: 65,025 steps at the limits.
    func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        // Which prefixes of the pattern the name so far can stand for.
        var reached = [Bool](repeating: false, count: pattern.count + 1)
        reached[0] = true
        for byte in name {
            var next = [Bool](repeating: false, count: pattern.count + 1)
            for (index, expected) in pattern.enumerated() {
                if expected == UInt8(ascii: "*") {
                    next[index + 1] = byte != UInt8(ascii: "/") && (reached[index] || reached[index + 1])
                } else {
                    next[index + 1] = reached[index] && byte == expected
                }
            }
            reached = next
        }
        return reached[pattern.count]
    }
}

/// A text that is no pattern of namespaces: it must begin with a slash, hold a `*`, and have at most
/// ``TransportLimits/namespacePatternBytesMax`` bytes.
public struct NamespacePatternError: Error, Sendable, Hashable {
    /// The pattern.
    public let pattern: String
}
