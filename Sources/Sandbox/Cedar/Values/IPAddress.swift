extension Value {
    /// An address with the length of its network part. Equal only to one with the same bits as written, family and length.
    public struct IPAddress: Hashable, Sendable {
        /// Whether it is of version 6.
        public let isIPv6: Bool
        /// The bits that all addresses of the range share.
        public let prefix: UInt8
        private let high: UInt64
        private let low: UInt64

        /// The address as a number; of version 4 the low 32 bits.
        public var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }

        private var width: UInt8 { isIPv6 ? 128 : 32 }

        /// Reads an address of version 4 or 6, with `/` and a prefix or without.
        public init(_ text: ExactString) throws(ExtensionError) {
            let malformed = ExtensionError.text(text, "an ip address", "`10.0.0.0/8` or `2001:db8::/32`")
            let bytes = Array(text.string.utf8)
            // The longest there is: eight groups of four digits, and `/128`.
            guard bytes.count <= 43 else { throw malformed }
            let parts = bytes.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
            isIPv6 = parts[0].contains(UInt8(ascii: ":"))
            guard let bits = isIPv6 ? Self.version6(parts[0]) : Self.version4(parts[0]) else { throw malformed }
            high = UInt64(truncatingIfNeeded: bits >> 64)
            low = UInt64(truncatingIfNeeded: bits)
            if parts.count == 2 {
                guard let length = Self.number(parts[1], digits: isIPv6 ? 3 : 2), length <= (isIPv6 ? 128 : 32) else { throw malformed }
                prefix = UInt8(length)
            } else {
                prefix = isIPv6 ? 128 : 32
            }
        }

        /// Whether its whole range belongs to this host: 127.0.0.0/8, or ::1.
        public var isLoopback: Bool {
            isIPv6 ? bits == 1 && prefix == 128 : bits >> 24 == 127 && prefix >= 8
        }

        /// Whether its whole range is multicast: 224.0.0.0/4, or ff00::/8.
        public var isMulticast: Bool {
            isIPv6 ? bits >> 120 == 0xFF && prefix >= 8 : bits >> 28 == 0xE && prefix >= 4
        }

        /// Whether every address of its range is in the range of `other`.
        public func isInRange(of other: IPAddress) -> Bool {
            guard isIPv6 == other.isIPv6, prefix >= other.prefix else { return false }
            let hostBits = UInt128(width - other.prefix)
            return bits >> hostBits == other.bits >> hostBits
        }

        /// As the constructor reads it: the prefix always, version 6 without `::`.
        public var text: String {
            let step: UInt128 = isIPv6 ? 16 : 8
            let count: UInt128 = isIPv6 ? 8 : 4
            let groups = (1...count).map { index -> String in
                let shifted = bits >> ((count - index) * step)
                return isIPv6 ? String(UInt16(truncatingIfNeeded: shifted), radix: 16) : String(UInt8(truncatingIfNeeded: shifted))
            }
            let address = groups.joined(separator: isIPv6 ? ":" : ".")
            return "\(address)/\(prefix)"
        }

        // MARK: - Reading

        /// A number without leading zeros.
        private static func number(_ bytes: ArraySlice<UInt8>, digits: Int) -> Int? {
            guard (1...digits).contains(bytes.count), bytes.allSatisfy(Lexer.isDigit) else { return nil }
            guard bytes.count == 1 || bytes.first != UInt8(ascii: "0") else { return nil }
            return bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        }

        private static func version4(_ bytes: ArraySlice<UInt8>) -> UInt128? {
            let octets = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            guard octets.count == 4 else { return nil }
            var bits: UInt128 = 0
            for octet in octets {
                guard let value = number(octet, digits: 3), value <= 255 else { return nil }
                bits = bits << 8 | UInt128(value)
            }
            return bits
        }

        private static func version6(_ bytes: ArraySlice<UInt8>) -> UInt128? {
            let colon = UInt8(ascii: ":")
            let gap = bytes.indices.first { $0 + 1 < bytes.endIndex && bytes[$0] == colon && bytes[$0 + 1] == colon }
            guard let gap else { return groups(bytes).flatMap { $0.count == 8 ? joined($0) : nil } }
            // A second gap leaves an empty group in the tail, which `groups` refuses.
            guard let head = groups(bytes[..<gap]), let tail = groups(bytes[(gap + 2)...]), head.count + tail.count <= 7 else { return nil }
            return joined(head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
        }

        private static func joined(_ groups: [UInt16]) -> UInt128 { groups.reduce(0) { $0 << 16 | UInt128($1) } }

        private static func groups(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
            if bytes.isEmpty { return [] }
            var result: [UInt16] = []
            for group in bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
                guard (1...4).contains(group.count),
                    group.allSatisfy({ Lexer.isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0 | 0x20) }),
                    let value = UInt16(String(decoding: group, as: UTF8.self), radix: 16)
                else { return nil }
                result.append(value)
            }
            return result
        }
    }
}
