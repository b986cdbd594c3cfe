/// The id of a session or a socket: 15 bytes, written as 20 characters of `[A-Za-z0-9_-]` (E8).
///
/// The first three bytes name the node, so that a cluster can route a request without sticky sessions; the other
/// twelve come from the system's cryptographic generator (attack 1). A session's id is a secret: it is never logged.
/// A socket's id is public and another one.
package struct SessionID: Hashable, Sendable {
    /// Bytes 0…7 and 8…14, big-endian; the last byte of `low` is zero.
    let high: UInt64
    let low: UInt64

    package static let length = 20

    init(node: UInt32, using generator: inout some RandomNumberGenerator) {
        high = UInt64(node & 0xFF_FFFF) << 40 | generator.next() >> 24
        low = generator.next() << 8
    }

    /// A new id for `node`. `SystemRandomNumberGenerator` reads the kernel's generator (getrandom).
    package static func random(node: UInt32) -> SessionID {
        var generator = SystemRandomNumberGenerator()
        return SessionID(node: node, using: &generator)
    }

    /// The node that made the id.
    package var node: UInt32 { UInt32(truncatingIfNeeded: high >> 40) }

    /// Nil unless `text` is 20 characters of the alphabet.
    package init?(_ text: some StringProtocol) {
        var values: (UInt64, UInt64) = (0, 0)
        var count = 0
        for byte in text.utf8 {
            guard let value = Self.value(of: byte), count < Self.length else { return nil }
            // Ten characters are 60 bits: two halves that are put together below.
            if count < 10 { values.0 = values.0 << 6 | value } else { values.1 = values.1 << 6 | value }
            count += 1
        }
        guard count == Self.length else { return nil }
        high = values.0 << 4 | values.1 >> 56
        low = values.1 << 8
    }

    private static func value(of byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt64(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt64(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}

extension SessionID: CustomStringConvertible {
    package var description: String {
        let alphabet = StaticString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let first = high >> 4
        let second = (high & 0xF) << 56 | low >> 8
        return String(unsafeUninitializedCapacity: Self.length) { bytes in
            for index in 0..<10 {
                let shift = UInt64(54 - index * 6)
                bytes[index] = alphabet.utf8Start[Int(first >> shift & 63)]
                bytes[index + 10] = alphabet.utf8Start[Int(second >> shift & 63)]
            }
            return Self.length
        }
    }
}
