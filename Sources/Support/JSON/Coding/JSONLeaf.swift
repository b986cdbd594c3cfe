/// A type that is one value of JSON, and neither asks a decoder for it nor an encoder. One way in and one way out, so that a value
/// that was written is read again.
protocol JSONLeaf {
    static func read(_ json: JSONValue) throws(JSONRule) -> Self
    func written() throws(JSONRule) -> JSONValue
}

extension JSONValue: JSONLeaf {
    static func read(_ json: JSONValue) throws(JSONRule) -> JSONValue { json }
    func written() throws(JSONRule) -> JSONValue { self }
}

extension Bool: JSONLeaf {
    static func read(_ json: JSONValue) throws(JSONRule) -> Bool {
        guard case .bool(let flag) = json else { throw json == .null ? .notNull : .bool }
        return flag
    }

    func written() throws(JSONRule) -> JSONValue { .bool(self) }
}

extension String: JSONLeaf {
    static func read(_ json: JSONValue) throws(JSONRule) -> String {
        guard case .string(let text) = json else { throw json == .null ? .notNull : .string }
        return text
    }

    func written() throws(JSONRule) -> JSONValue { .string(self) }
}

// MARK: Bytes

extension Array: JSONLeaf where Element == UInt8 {
    static func read(_ json: JSONValue) throws(JSONRule) -> [UInt8] {
        switch json {
        case .bytes(let bytes): return bytes
        case .array(let elements):
            var bytes: [UInt8] = []
            bytes.reserveCapacity(elements.count)
            for element in elements {
                guard let byte = element.exactly(UInt8.self) else { throw .bytes }
                bytes.append(byte)
            }
            return bytes
        case .null: throw .notNull
        default: throw .bytes
        }
    }

    func written() throws(JSONRule) -> JSONValue { .bytes(self) }
}

// MARK: Whole numbers

extension JSONValue {
    /// The whole number that this is, if it is one and `Integer` holds it.
    func exactly<Integer: FixedWidthInteger>(_: Integer.Type) -> Integer? {
        switch self {
        case .integer(let value): Integer(exactly: value)
        case .number(let text): CanonicalDecimal(text.utf8)?.exactly(Integer.self)
        default: nil
        }
    }
}

extension CanonicalDecimal {
    /// Digits of the largest integer that Swift has, and one more.
    private static let wholeDigitsMax = 40

    func exactly<Integer: FixedWidthInteger>(_: Integer.Type) -> Integer? {
        guard !isZero else { return 0 }
        guard pointPosition >= digits.count, pointPosition <= Self.wholeDigitsMax else { return nil }
        guard !isNegative || Integer.isSigned else { return nil }
        var value: Integer = 0
        for index in 0..<pointPosition {
            guard let digit = Integer(exactly: index < digits.count ? digits[index] - UInt8(ascii: "0") : 0) else { return nil }
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = isNegative ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
            guard !isTooLarge, !overflows else { return nil }
            value = sum
        }
        return value
    }
}

extension JSONLeaf where Self: FixedWidthInteger {
    static func read(_ json: JSONValue) throws(JSONRule) -> Self {
        guard let value = json.exactly(Self.self) else {
            throw json == .null ? .notNull : .integer(min: String(Self.min), max: String(Self.max))
        }
        return value
    }

    func written() throws(JSONRule) -> JSONValue { Int64(exactly: self).map { .integer($0) } ?? .number(String(self)) }
}

extension Int: JSONLeaf {}
extension Int8: JSONLeaf {}
extension Int16: JSONLeaf {}
extension Int32: JSONLeaf {}
extension Int64: JSONLeaf {}
extension Int128: JSONLeaf {}
extension UInt: JSONLeaf {}
extension UInt8: JSONLeaf {}
extension UInt16: JSONLeaf {}
extension UInt32: JSONLeaf {}
extension UInt64: JSONLeaf {}
extension UInt128: JSONLeaf {}

// MARK: Binary fractions

extension JSONLeaf where Self: BinaryFloatingPoint & LosslessStringConvertible {
    /// The closest number that the type has.
    static func read(_ json: JSONValue) throws(JSONRule) -> Self {
        switch json {
        case .integer(let value): return Self(value)
        case .number(let text):
            // What is too large for the type comes out as infinite.
            guard let value = Self(text), value.isFinite else { throw .number }
            return value
        case .null: throw .notNull
        default: throw .number
        }
    }

    func written() throws(JSONRule) -> JSONValue {
        guard isFinite else { throw .number }
        // Whole numbers as ECMAScript prints them; -0 keeps its sign.
        if magnitude <= 9_007_199_254_740_992, let whole = Int64(exactly: self), whole != 0 || sign == .plus { return .integer(whole) }
        return .number(description)
    }
}

extension Double: JSONLeaf {}
extension Float: JSONLeaf {}
