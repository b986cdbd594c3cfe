/// Decimal texts as scaled integers: no amount passes through a binary fraction.
///
/// Grammar: an optional `-`, digits without leading zeros, and a fraction; no exponent, no `+`, no negative zero. So every value has
/// few spellings and none that programs read differently.
enum FixedPoint {
    /// Decimals of arguments keep four places, as Cedar's `decimal` does: what is valid here can be compared there.
    static let argumentPlaces = 4
    /// Prices are in nano-USD.
    static let moneyPlaces = 9

    /// The value times 10^`places`, or nil for other texts, more places, and what no `Int64` holds.
    static func scaled(_ text: String, places: Int) -> Int64? {
        var rest = Substring(text).utf8
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest.removeFirst() }
        let whole = rest.prefix(while: SafeText.isDigit)
        guard !whole.isEmpty, whole.count == 1 || whole.first != UInt8(ascii: "0") else { return nil }
        rest = rest.dropFirst(whole.count)
        var fraction = rest.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst()
            guard (1...places).contains(fraction.count), fraction.allSatisfy(SafeText.isDigit) else { return nil }
        } else {
            guard rest.isEmpty else { return nil }
        }
        guard whole.count + places <= 19 else { return nil }
        var value: Int64 = 0
        let padding = repeatElement(UInt8(ascii: "0"), count: places - fraction.count)
        for digit in Array(whole) + Array(fraction) + padding {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowed) = product.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !overflow, !overflowed else { return nil }
            value = sum
        }
        guard isNegative else { return value }
        return value == 0 ? nil : -value
    }
}

/// `format: decimal`, with its bounds.
struct DecimalRange: Sendable, Hashable {
    struct Bound: Sendable, Hashable {
        let text: String
        let scaled: Int64
    }

    let minimum: Bound?
    let maximum: Bound?
    /// How many places a fraction may have; 2 for `multipleOf: "0.01"`.
    let places: Int

    func validate(_ text: String, at path: ArgumentPath) throws(ArgumentError) {
        guard let scaled = FixedPoint.scaled(text, places: FixedPoint.argumentPlaces) else {
            throw path.error("format", "is not a decimal like 12.50")
        }
        let fraction = text.utf8.firstIndex(of: UInt8(ascii: ".")).map { text.utf8.distance(from: $0, to: text.utf8.endIndex) - 1 } ?? 0
        guard fraction <= places else { throw path.error("multipleOf", "has more than \(places) decimal places") }
        if let minimum, scaled < minimum.scaled { throw path.error("minimum", "is less than \(minimum.text)") }
        if let maximum, scaled > maximum.scaled { throw path.error("maximum", "is more than \(maximum.text)") }
    }
}

/// `format: date`: RFC 3339's full-date, of the Gregorian calendar.
enum CivilDay {
    static func isDate(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]), (1...12).contains(month)
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...days[month - 1]).contains(day)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard digits.allSatisfy(SafeText.isDigit) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
