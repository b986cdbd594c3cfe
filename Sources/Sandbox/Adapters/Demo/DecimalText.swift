/// A positive amount of money with at most two decimals, read from text. No binary fraction ever holds it.
struct DecimalText: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// In hundredths.
    let cents: Int64

    /// Nil unless it is digits, then perhaps a point and one or two digits: no sign, no exponent, no superfluous zeros in front; above
    /// zero, and below a million million.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
        let whole = parts[0]
        let fraction = parts.count == 2 ? parts[1] : ""
        guard whole.utf8.count <= 12, whole == "0" || !whole.hasPrefix("0"), fraction.utf8.count <= 2, let units = Int64(whole) else {
            return nil
        }
        let padded = fraction + String(repeating: "0", count: 2 - fraction.utf8.count)
        guard let hundredths = Int64(padded) else { return nil }
        cents = units * 100 + hundredths
        guard cents > 0 else { return nil }
    }

    private init(cents: Int64) { self.cents = cents }

    /// Nil when the sum does not fit.
    func adding(_ other: DecimalText) -> DecimalText? {
        let (sum, overflow) = cents.addingReportingOverflow(other.cents)
        return overflow ? nil : DecimalText(cents: sum)
    }

    var description: String { "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)" }

    static func < (left: DecimalText, right: DecimalText) -> Bool { left.cents < right.cents }
}
