/// Validates UTF-8 that arrives in pieces, and fails at the first octet that no valid text can contain there.
///
/// Overlong forms, surrogates and values above U+10FFFF are refused; noncharacters are not.
/// Source: RFC 3629 §4 (the syntax of well-formed octet sequences); fail-fast as RFC 6455 §8.1 allows.
package struct UTF8Validator: Sendable {
    /// Continuation octets that the current character still needs.
    private var missing: UInt8 = 0
    /// What the next continuation octet may be: the second octet is bounded more tightly than the others.
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xBF

    package init() {}

    /// True unless the text so far ends inside a character.
    package var isComplete: Bool { missing == 0 }

    /// False at the first octet that is not UTF-8; the validator must not be used after that.
    package mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        let count = bytes.count
        while index < count {
            if missing == 0 {
                index = skipASCII(bytes, from: index)
                guard index < count else { return true }
                guard begin(bytes[index]) else { return false }
            } else {
                let byte = bytes[index]
                guard byte >= lower, byte <= upper else { return false }
                missing -= 1
                lower = 0x80
                upper = 0xBF
            }
            index += 1
        }
        return true
    }

    private func skipASCII(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        while index + 8 <= bytes.count,
            bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
            index += 8
        }
        while index < bytes.count, bytes[index] < 0x80 { index += 1 }
        return index
    }

    /// Takes the first octet of a character that is not ASCII.
    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lower) = (2, 0xA0)
        case 0xED: (missing, upper) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, lower) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, upper) = (3, 0x8F)
        default: return false
        }
        return true
    }
}
