internal import Synchronization

/// The value of `x-request-id`: the client's if it is fit to be echoed and logged, else one of ours.
enum RequestIdentifier {
    private static let prefix = UInt64.random(in: .min ... .max)
    private static let next = Atomic<UInt64>(UInt64.random(in: .min ... .max))

    /// One to 128 visible ASCII characters, or nil.
    static func accepted(_ text: String) -> String? {
        let bytes = text.utf8
        guard (1...FrontLimits.requestIDCharactersMax).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        return text
    }

    /// 32 hexadecimal digits: a random number of this process, and a counter. Not a secret.
    static func make() -> String {
        let serial = next.wrappingAdd(1, ordering: .relaxed).newValue
        return String(unsafeUninitializedCapacity: 32) { digits in
            write(prefix, to: digits, at: 0)
            write(serial, to: digits, at: 16)
            return 32
        }
    }

    private static func write(_ number: UInt64, to digits: UnsafeMutableBufferPointer<UInt8>, at start: Int) {
        for position in 0..<16 {
            let nibble = UInt8(truncatingIfNeeded: number >> UInt64(60 - 4 * position)) & 0xF
            digits[start + position] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
        }
    }
}
