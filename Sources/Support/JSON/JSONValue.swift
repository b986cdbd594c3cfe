/// A JSON value as it crossed the wire: keys keep their order and numbers that are no `Int64` keep their text.
///
/// Money must never pass through a binary fraction, so there is no `Double` case: a decimal stays the text that was
/// received until the room that owns the number parses it.
///
/// `bytes` is not JSON. Socket.IO lets binary arguments stand anywhere in an argument tree, and a typed case spares
/// every packet a walk in search of them. The parser never produces it; ``JSONWriter`` writes it as a placeholder.
///
/// Source: RFC 8259; for `bytes` the Socket.IO protocol v5, *Binary event*.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// The text of a number that is not an `Int64`: fractions, exponents, and integers out of range.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
    case bytes([UInt8])
}

extension JSONValue {
    /// The member `key` when this is an object that has one, else nil.
    public subscript(key: String) -> JSONValue? {
        guard case .object(let object) = self else { return nil }
        return object[key]
    }

    /// The text when this is a string, else nil.
    public var stringValue: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// The number when this is an `Int64`, else nil. See ``numberText`` for the others.
    public var integerValue: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    /// True or false when this is one of them, else nil.
    public var boolValue: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The elements when this is an array, else nil.
    public var arrayValue: [JSONValue]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    /// The members when this is an object, else nil.
    public var objectValue: JSONObject? {
        guard case .object(let value) = self else { return nil }
        return value
    }

    /// The text of any number, exactly as it was received or as an integer prints.
    public var numberText: String? {
        switch self {
        case .integer(let value): String(value)
        case .number(let text): text
        default: nil
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// True or false.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object, its members in the order of the source.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}

/// The members of a JSON object in the order they were received.
///
/// Objects on this wire have a handful of keys, so look-up is a linear scan. A key that comes twice keeps its first
/// place and takes its last value, as ECMAScript's `JSON.parse` does.
public struct JSONObject: Sendable, Hashable {
    /// The members in the order in which they came.
    public private(set) var members: [Member]

    /// A key and its value.
    public struct Member: Sendable, Hashable {
        /// Unique in its object.
        public let key: String
        /// The value.
        public internal(set) var value: JSONValue
    }

    /// An object without members.
    public init() { members = [] }

    /// An object of these members. Of equal keys the first place counts, and the last value. Cost is quadratic in their number.
    public init(_ pairs: [(String, JSONValue)]) {
        members = []
        members.reserveCapacity(pairs.count)
        for (key, value) in pairs { self[key] = value }
    }

    /// The value of a key; nil when it is not there, and to remove it. A scan.
    public subscript(key: String) -> JSONValue? {
        get { members.first { $0.key == key }?.value }
        set {
            if let index = members.firstIndex(where: { $0.key == key }) {
                if let newValue { members[index].value = newValue } else { members.remove(at: index) }
            } else if let newValue {
                members.append(Member(key: key, value: newValue))
            }
        }
    }

    /// Appends without looking for an earlier member of the same name. For the parser, which has looked.
    mutating func appendUnchecked(_ key: String, _ value: JSONValue) {
        members.append(Member(key: key, value: value))
    }

    /// How many members there are.
    public var count: Int { members.count }
    /// True when there is none.
    public var isEmpty: Bool { members.isEmpty }
}
