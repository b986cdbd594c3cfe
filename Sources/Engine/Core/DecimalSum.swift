/// Adds amounts that are decimal text (`0.00125`), digit by digit: the engine knows no money, it only tells sums of it.
enum DecimalSum {
    /// Both must be digits with at most one point, as Accounting writes them.
    static func of(_ left: String, _ right: String) -> String {
        let (a, b) = (parts(left), parts(right))
        let places = max(a.fraction.count, b.fraction.count)
        let whole = max(a.whole.count, b.whole.count)
        let first = padded(a, whole, places)
        let second = padded(b, whole, places)
        var digits: [UInt8] = []
        var carry: UInt8 = 0
        for (x, y) in zip(first, second).reversed() {
            let sum = x + y + carry
            digits.append(sum % 10)
            carry = sum / 10
        }
        if carry > 0 { digits.append(carry) }
        let text = String(decoding: digits.reversed().map { $0 + UInt8(ascii: "0") }, as: UTF8.self)
        guard places > 0 else { return text }
        return text.dropLast(places) + "." + text.suffix(places)
    }

    private static func parts(_ text: String) -> (whole: [UInt8], fraction: [UInt8]) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        func digits(_ part: Substring.UTF8View?) -> [UInt8] { part?.compactMap { (48...57).contains($0) ? $0 - 48 : nil } ?? [] }
        return (digits(parts.first), parts.count > 1 ? digits(parts[1]) : [])
    }

    private static func padded(_ value: (whole: [UInt8], fraction: [UInt8]), _ whole: Int, _ places: Int) -> [UInt8] {
        Array(repeating: 0, count: whole - value.whole.count) + value.whole + value.fraction
            + Array(repeating: 0, count: places - value.fraction.count)
    }
}
