/// The value of a JSON number as digits and the place of the point: `0.d1d2d3… × 10^pointPosition`, exactly.
///
/// Two texts of the same value give the same `CanonicalDecimal`.
struct CanonicalDecimal: Hashable {
    let isNegative: Bool
    /// ASCII digits without leading or trailing zeros; none for zero.
    let digits: [UInt8]
    let pointPosition: Int

    var isZero: Bool { digits.isEmpty }

    /// Beyond this many digits of exponent the text is not a number that anybody means.
    private static let exponentDigitsMax = 6

    /// Nil when `text` is no JSON number, or its exponent is beyond any use.
    init?(_ text: some Collection<UInt8>) {
        var rest = text[...]
        isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        let whole = rest.prefix { $0 &- 0x30 < 10 }
        rest = rest.dropFirst(whole.count)
        var all = [UInt8](whole)
        var point = whole.count
        if rest.first == UInt8(ascii: ".") {
            let fraction = rest.dropFirst().prefix { $0 &- 0x30 < 10 }
            guard !fraction.isEmpty else { return nil }
            all += fraction
            rest = rest.dropFirst(1 + fraction.count)
        }
        guard !whole.isEmpty else { return nil }
        if let mark = rest.first {
            guard mark | 0x20 == UInt8(ascii: "e") else { return nil }
            rest = rest.dropFirst()
            let isMinus = rest.first == UInt8(ascii: "-")
            if isMinus || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
            let significant = rest.drop { $0 == UInt8(ascii: "0") }
            guard !rest.isEmpty, significant.count <= Self.exponentDigitsMax, rest.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
            let exponent = significant.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
            point += isMinus ? -exponent : exponent
        }
        let leading = all.prefix { $0 == UInt8(ascii: "0") }.count
        guard leading < all.count else {
            digits = []
            pointPosition = 0
            return
        }
        let trailing = all.reversed().prefix { $0 == UInt8(ascii: "0") }.count
        digits = [UInt8](all[leading..<(all.count - trailing)])
        pointPosition = point - leading
    }

    /// The one text of this value, as ECMAScript prints numbers (`Number::toString`, ECMA-262 §6.1.6.1.20).
    var text: [UInt8] {
        guard !isZero else { return [UInt8(ascii: "0")] }
        let zero = UInt8(ascii: "0")
        let point = UInt8(ascii: ".")
        var text: [UInt8] = isNegative ? [UInt8(ascii: "-")] : []
        let count = digits.count
        if count <= pointPosition, pointPosition <= 21 {
            return text + digits + [UInt8](repeating: zero, count: pointPosition - count)
        }
        switch pointPosition {
        case 1...21:
            text += digits[..<pointPosition] + [point] + digits[pointPosition...]
        case -5...0:
            text += [zero, point] + [UInt8](repeating: zero, count: -pointPosition) + digits
        default:
            text += digits.prefix(1)
            if count > 1 { text += [point] + digits.dropFirst() }
            let exponent = pointPosition - 1
            text += [UInt8]("e\(exponent < 0 ? "-" : "+")\(abs(exponent))".utf8)
        }
        return text
    }
}
