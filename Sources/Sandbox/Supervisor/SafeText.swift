/// What texts from outside may hold where they are names, and how the others are shown.
enum SafeText {
    /// `[a-z][a-z0-9_.]{0,63}`: no Unicode, so nothing looks like something else.
    static func isToolName(_ text: String) -> Bool {
        guard (1...SupervisorLimits.toolNameBytesMax).contains(text.utf8.count), let first = text.utf8.first, isLower(first) else {
            return false
        }
        return text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") }
    }

    /// `[A-Za-z_][A-Za-z0-9_]{0,63}`.
    static func isPropertyName(_ text: String) -> Bool {
        guard (1...64).contains(text.utf8.count), let first = text.utf8.first, !isDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    /// `[a-z0-9_]{1,64}`.
    static func isCode(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    static func isHostByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
    }

    static func isUnreserved(_ byte: UInt8) -> Bool {
        isHostByte(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
    }

    /// RFC 9110 §5.6.2.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }

    static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    static func isLetter(_ byte: UInt8) -> Bool { isLower(byte | 0x20) }
    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    static func upperHex(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// A name that nobody checked, for records and messages: what is not printable ASCII is spelled out, and its length is bounded.
    static func shown(_ text: String, bytesMax: Int = SupervisorLimits.shownNameBytesMax) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            let isPlain = (0x21...0x7E).contains(scalar.value) && scalar != "\\" && scalar != "\""
            let piece = isPlain ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
            guard shown.utf8.count + piece.utf8.count <= bytesMax else { return shown + "..." }
            shown += piece
        }
        return shown
    }

    /// The beginning of a text, cut between two characters.
    static func bounded(_ text: String, bytesMax: Int) -> String {
        guard text.utf8.count > bytesMax else { return text }
        var bytes = 0
        let end = text.unicodeScalars.firstIndex { scalar in
            bytes += UTF8.width(scalar)
            return bytes > bytesMax
        }
        return String(text.unicodeScalars[..<(end ?? text.unicodeScalars.endIndex)])
    }
}
