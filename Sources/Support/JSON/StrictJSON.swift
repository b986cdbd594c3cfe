/// The bounds and the exactness of a JSON text that decisions are made about, such as the arguments of a tool call.
///
/// Everything that two readers could understand differently is refused, so that policy, approval, decision log and
/// tool see the same value. Source: RFC 8259 §4 and §6 on what is interoperable.
public struct StrictJSONLimits: Sendable, Hashable {
    /// How deep arrays and objects may nest.
    public var depth: Int
    /// How many values the text may hold, nested ones included.
    public var nodes: Int
    /// Bytes of UTF-8 in one key.
    public var keyBytes: Int
    /// Significant decimal digits of a number that is not an `Int64`. A binary double keeps 15, so no reader rounds.
    public var significantDigits: Int

    /// Limits that fit the arguments of a tool, unless given.
    public init(depth: Int = 32, nodes: Int = 10_000, keyBytes: Int = 128, significantDigits: Int = 15) {
        self.depth = depth
        self.nodes = nodes
        self.keyBytes = keyBytes
        self.significantDigits = significantDigits
    }
}

/// Why a text is refused by the strict parser, and at which byte.
public typealias StrictJSONError = JSONError

extension JSONValue {
    /// Parses a whole JSON text that every reader must understand alike.
    ///
    /// Beyond what ``init(parsing:limits:)-([UInt8],_)`` refuses: duplicate keys (also those that are only canonically
    /// equivalent), lone surrogates, a byte order mark, NUL in strings, `-0`, integers outside `Int64`, decimals that a
    /// binary double cannot keep, and texts beyond `limits`. Decimals stay ``number(_:)`` with their text.
    ///
    /// - Throws: ``StrictJSONError``; nothing is kept of a text that fails.
    public init(strictlyParsing bytes: [UInt8], limits: StrictJSONLimits = .init()) throws(StrictJSONError) {
        try self.init(strictlyParsing: bytes[...], limits: limits)
    }

    /// Parses a slice that holds a whole JSON text. Offsets of errors count from the start of the slice.
    public init(strictlyParsing bytes: ArraySlice<UInt8>, limits: StrictJSONLimits = .init()) throws(StrictJSONError) {
        let result = bytes.withUnsafeBytes { raw in
            Result { () throws(JSONError) in
                var parser = JSONParser(raw, strict: limits)
                return try parser.parseDocument()
            }
        }
        self = try result.get()
    }
}

/// The keys of one object while it is parsed: a scan while they are few, a set beyond, so that an object of ten
/// thousand keys costs no hundred million comparisons.
struct SeenKeys {
    private static let scanned = 16
    private var set: Set<String> = []

    /// False when `object`, which holds the earlier members, has `key` already.
    mutating func insert(_ key: String, into object: JSONObject) -> Bool {
        guard object.count >= Self.scanned else { return object[key] == nil }
        if set.isEmpty { for member in object.members { set.insert(member.key) } }
        return set.insert(key).inserted
    }
}

extension StrictJSONLimits {
    /// Why a number of valid syntax is refused, or nil when every reader keeps it exactly.
    func refusal(ofNumber text: some Collection<UInt8>, isInteger: Bool) -> JSONError.Reason? {
        guard let decimal = CanonicalDecimal(text) else { return .inexactNumber }
        guard !decimal.isZero else { return decimal.isNegative ? .negativeZero : nil }
        if isInteger { return Int64(String(decoding: text, as: UTF8.self)) == nil ? .inexactNumber : nil }
        guard decimal.digits.count <= significantDigits else { return .inexactNumber }
        // Above, the value must fit an Int64 if it were whole; below, it must be a normal binary double.
        guard decimal.pointPosition <= 19, decimal.pointPosition > -307 else { return .inexactNumber }
        guard decimal.pointPosition == 19 else { return nil }
        let whole = decimal.digits + [UInt8](repeating: UInt8(ascii: "0"), count: max(0, 19 - decimal.digits.count))
        return Int64(String(decoding: whole.prefix(19), as: UTF8.self)) == nil ? .inexactNumber : nil
    }
}
