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

    public var stringValue: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    public var integerValue: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    public var boolValue: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    public var arrayValue: [JSONValue]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

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
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}

/// The members of a JSON object in the order they were received.
///
/// Objects on this wire have a handful of keys, so look-up is a linear scan. A key that comes twice keeps its first
/// place and takes its last value, as ECMAScript's `JSON.parse` does.
public struct JSONObject: Sendable, Hashable {
    public private(set) var members: [Member]

    public struct Member: Sendable, Hashable {
        public let key: String
        public internal(set) var value: JSONValue
    }

    public init() { members = [] }

    public init(_ pairs: [(String, JSONValue)]) {
        members = []
        members.reserveCapacity(pairs.count)
        for (key, value) in pairs { self[key] = value }
    }

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

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
}
