/// The rules for text of decisions: what we made has to be in order, what others made is brought into order.
enum DecisionText {
    /// An id of ours: printable ASCII without spaces.
    static func check(_ text: String, _ field: String) throws(DecisionError) {
        guard (1...DecisionLimits.idBytes).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .malformed(field) }
    }

    static func checkDigest(_ text: String, _ field: String) throws(DecisionError) {
        guard (1...DecisionLimits.digestDigits).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { throw .malformed(field) }
    }

    /// Text of a model, an agent or a tool: without control characters, cut to so many bytes between two scalars. A call that is denied
    /// for a strange name is to be in the log, too.
    static func cleaned(_ text: String, _ limit: Int) -> String {
        var kept = ""
        var bytes = 0
        for scalar in text.unicodeScalars {
            let next: Unicode.Scalar = scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar
            bytes += UTF8.width(next)
            guard bytes <= limit else { break }
            kept.unicodeScalars.append(next)
        }
        return kept
    }
}

/// Text that equals only text of the same bytes, as in a database: to `String`, two ways to write an accent are one.
package struct ByteText: Sendable, Hashable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: ByteText, right: ByteText) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0xFF as UInt8)
    }
}
