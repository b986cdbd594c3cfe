extension Value {
    /// A number with four decimal places, kept as a whole number of ten thousandths.
    public struct Decimal: Hashable, Sendable, Comparable {
        /// Ten thousandths.
        public let tenThousandths: Int64

        /// A number of ten thousandths.
        public init(tenThousandths: Int64) { self.tenThousandths = tenThousandths }

        /// Reads digits, a dot and one to four digits, with a minus sign or none.
        public init(_ text: ExactString) throws(ExtensionError) {
            var digits = Array(text.string.utf8)[...]
            let malformed = ExtensionError.text(text, "a decimal", "`12.5`, with one to four digits after the dot")
            let negative = digits.first == UInt8(ascii: "-")
            if negative { digits.removeFirst() }
            let parts = digits.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, (1...4).contains(parts[1].count), parts[0].allSatisfy(Lexer.isDigit),
                parts[1].allSatisfy(Lexer.isDigit)
            else { throw malformed }
            let places = Array(parts[1]) + Array(repeating: UInt8(ascii: "0"), count: 4 - parts[1].count)
            guard let value = DigitRun.value(of: Array(parts[0]) + places, negative: negative) else {
                throw ExtensionError("\(Escape.quoted(text)) is outside the range of decimal")
            }
            tenThousandths = value
        }

        public static func < (left: Decimal, right: Decimal) -> Bool { left.tenThousandths < right.tenThousandths }

        /// As the constructor reads it, with as many places as are needed.
        public var text: String {
            let magnitude = tenThousandths.magnitude
            var fraction = String(magnitude % 10_000)
            fraction = String(repeating: "0", count: 4 - fraction.count) + fraction
            while fraction.count > 1, fraction.hasSuffix("0") { fraction.removeLast() }
            return "\(tenThousandths < 0 ? "-" : "")\(magnitude / 10_000).\(fraction)"
        }
    }
}

/// Whole numbers from ASCII digits.
enum DigitRun {
    /// The value, or nil if it does not fit. Counted downwards, because the least integer has no positive counterpart.
    static func value(of digits: some Sequence<UInt8>, negative: Bool) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, overflowToo) = shifted.subtractingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            if overflow || overflowToo { return nil }
            value = next
        }
        if negative { return value }
        return value == .min ? nil : -value
    }
}
