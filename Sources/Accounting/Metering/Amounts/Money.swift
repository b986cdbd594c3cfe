/// Why an amount was refused.
public enum AmountError: Error, Sendable, Hashable {
    /// The text is no plain decimal number.
    case notDecimal
    case negative
    /// More decimals than the unit has.
    case tooPrecise
    /// Above ``AccountingLimits/amountMax``, or outside `Int64`.
    case tooLarge
}

/// Money as charged: billionths of a US dollar. Checked arithmetic only; never a binary fraction.
public struct NanoUSD: Sendable, Hashable, Comparable, Codable {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    public static let zero = NanoUSD(0)

    /// Reads `"5.00"`: digits, at most nine decimals, no sign and no exponent, at most 9.0 million dollars.
    public init(decimal text: String) throws(AmountError) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw text.utf8.first == UInt8(ascii: "-") ? .negative : .notDecimal
        }
        if parts.count == 2, parts[1].count > 9 { throw .tooPrecise }
        let value = try DecimalText.scaled(text, places: 9, rounding: .exact)
        guard value <= AccountingLimits.amountMax else { throw .tooLarge }
        rawValue = value
    }

    /// Reads a JSON number, which may have an exponent: `1e-05`. Otherwise as ``init(decimal:)``.
    public init(number text: String) throws(AmountError) {
        let value = try DecimalText.scaled(text, places: 9, rounding: .exact)
        guard value <= AccountingLimits.amountMax else { throw .tooLarge }
        rawValue = value
    }

    /// The exact decimal text, with two decimals at least: `5.00`, `0.000015`.
    public var decimalText: String {
        let magnitude = rawValue.magnitude
        var fraction = String(magnitude % 1_000_000_000)
        fraction = String(repeating: "0", count: 9 - fraction.count) + fraction
        while fraction.count > 2, fraction.last == "0" { fraction.removeLast() }
        return "\(rawValue < 0 ? "-" : "")\(magnitude / 1_000_000_000).\(fraction)"
    }

    public func adding(_ other: NanoUSD) throws(AmountError) -> NanoUSD {
        let (sum, overflow) = rawValue.addingReportingOverflow(other.rawValue)
        guard !overflow else { throw .tooLarge }
        return NanoUSD(sum)
    }

    public static func < (left: NanoUSD, right: NanoUSD) -> Bool { left.rawValue < right.rawValue }
}

/// Money as priced: trillionths of a US dollar, so that 0.0025 dollars a million tokens is still an integer a token.
public struct PicoUSD: Sendable, Hashable, Comparable, Codable {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    public static let zero = PicoUSD(0)

    /// Rounded up, because a charge may never be less than what was used.
    public var nanoRoundedUp: NanoUSD {
        NanoUSD(rawValue / 1000 + (rawValue % 1000 > 0 ? 1 : 0))
    }

    public func adding(_ other: PicoUSD) throws(AmountError) -> PicoUSD {
        let (sum, overflow) = rawValue.addingReportingOverflow(other.rawValue)
        guard !overflow else { throw .tooLarge }
        return PicoUSD(sum)
    }

    public func times(_ count: Int64) throws(AmountError) -> PicoUSD {
        let (product, overflow) = rawValue.multipliedReportingOverflow(by: count)
        guard !overflow else { throw .tooLarge }
        return PicoUSD(product)
    }

    public static func < (left: PicoUSD, right: PicoUSD) -> Bool { left.rawValue < right.rawValue }
}

/// Turns a growing cost in pico-USD into commits in nano-USD: each commit is rounded up with the remainder carried, so
/// that the commits add up to the total rounded up once (design.md §7).
public struct RoundedCost: Sendable, Hashable {
    public private(set) var total: PicoUSD = .zero
    public private(set) var committed: NanoUSD = .zero

    public init() {}

    /// Adds a cost; what is above `Int64` is refused and leaves the meter as it was.
    public mutating func add(_ cost: PicoUSD) throws(AmountError) { total = try total.adding(cost) }

    /// What has to be committed now so that all commits together equal the rounded total.
    public mutating func commit() -> NanoUSD {
        let due = NanoUSD(total.nanoRoundedUp.rawValue - committed.rawValue)
        committed = total.nanoRoundedUp
        return due
    }
}
