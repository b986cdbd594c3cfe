/// Reads decimal text into a scaled integer without ever passing through a binary fraction.
///
/// Grammar: RFC 8259 numbers, so exponents are read. Pure.
enum DecimalText {
    enum Rounding { case exact, up }

    /// The value of `text` times 10^`places`.
    ///
    /// - Throws: ``AmountError/notDecimal`` for other text, ``AmountError/negative``, ``AmountError/tooPrecise`` when
    ///   digits are left over under ``Rounding/exact``, ``AmountError/tooLarge`` outside `Int64`.
    static func scaled(_ text: String, places: Int, rounding: Rounding) throws(AmountError) -> Int64 {
        var number = try Digits(text)
        guard !number.isNegative || number.mantissa == 0 else { throw .negative }
        guard number.mantissa != 0 else { return 0 }
        number.exponent += places
        while number.exponent > 0 {
            let (product, overflow) = number.mantissa.multipliedReportingOverflow(by: 10)
            guard !overflow else { throw .tooLarge }
            number.mantissa = product
            number.exponent -= 1
        }
        while number.exponent < 0, number.mantissa != 0 {
            number.isInexact = number.isInexact || number.mantissa % 10 != 0
            number.mantissa /= 10
            number.exponent += 1
        }
        guard number.isInexact else { return number.mantissa }
        guard rounding == .up else { throw .tooPrecise }
        return number.mantissa + 1
    }

    /// A number as mantissa × 10^exponent. Digits after the 17th only tell that the value is a little larger.
    private struct Digits {
        var mantissa: Int64 = 0
        var exponent = 0
        var isNegative = false
        var isInexact = false

        init(_ text: String) throws(AmountError) {
            var rest = Substring(text).utf8
            if rest.first == UInt8(ascii: "-") {
                isNegative = true
                rest.removeFirst()
            }
            let whole = try Self.takeDigits(&rest)
            guard !whole.isEmpty else { throw .notDecimal }
            append(whole, areFraction: false)
            if rest.first == UInt8(ascii: ".") {
                rest.removeFirst()
                let fraction = try Self.takeDigits(&rest)
                guard !fraction.isEmpty else { throw .notDecimal }
                append(fraction, areFraction: true)
            }
            if let letter = rest.first, letter | 0x20 == UInt8(ascii: "e") {
                rest.removeFirst()
                try readExponent(&rest)
            }
            guard rest.isEmpty else { throw .notDecimal }
        }

        private mutating func append(_ digits: [UInt8], areFraction: Bool) {
            for digit in digits {
                if mantissa < 10_000_000_000_000_000 {
                    mantissa = mantissa * 10 + Int64(digit)
                    if areFraction { exponent -= 1 }
                } else {
                    isInexact = isInexact || digit != 0
                    if !areFraction { exponent += 1 }
                }
            }
        }

        private mutating func readExponent(_ rest: inout Substring.UTF8View) throws(AmountError) {
            var sign = 1
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
                sign = rest.removeFirst() == UInt8(ascii: "-") ? -1 : 1
            }
            let digits = try Self.takeDigits(&rest)
            guard !digits.isEmpty, digits.count <= 4 else { throw .notDecimal }
            exponent += sign * digits.reduce(0) { $0 * 10 + Int($1) }
        }

        private static func takeDigits(_ rest: inout Substring.UTF8View) throws(AmountError) -> [UInt8] {
            var digits: [UInt8] = []
            while let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                guard digits.count < AccountingLimits.decimalDigits else { throw .notDecimal }
                digits.append(byte - UInt8(ascii: "0"))
                rest.removeFirst()
            }
            return digits
        }
    }
}
