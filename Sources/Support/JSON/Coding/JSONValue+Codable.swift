/// So that a property may be any JSON. Our own coders take such a value as it is; this is for everybody else's.
extension JSONValue: Codable {
    /// Reads whatever the decoder has. Numbers that are no `Int64` go through a `Double`, because a decoder gives no text.
    public init(from decoder: any Decoder) throws {
        if let keyed = try? decoder.container(keyedBy: PlainKey.self) {
            self = .object(JSONObject(try keyed.allKeys.map { ($0.stringValue, try keyed.decode(JSONValue.self, forKey: $0)) }))
            return
        }
        if var unkeyed = try? decoder.unkeyedContainer() {
            var elements: [JSONValue] = []
            while !unkeyed.isAtEnd { elements.append(try unkeyed.decode(JSONValue.self)) }
            self = .array(elements)
            return
        }
        let single = try decoder.singleValueContainer()
        if single.decodeNil() {
            self = .null
        } else if let flag = try? single.decode(Bool.self) {
            self = .bool(flag)
        } else if let integer = try? single.decode(Int64.self) {
            self = .integer(integer)
        } else if let number = try? single.decode(Double.self) {
            self = .number(number.description)
        } else {
            self = .string(try single.decode(String.self))
        }
    }

    /// Writes what this is. A number that is no `Int64` is written as its closest `Double`, bytes as a row of `UInt8`.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let object):
            var keyed = encoder.container(keyedBy: PlainKey.self)
            for member in object.members { try keyed.encode(member.value, forKey: PlainKey(stringValue: member.key)) }
        case .array(let elements):
            var unkeyed = encoder.unkeyedContainer()
            for element in elements { try unkeyed.encode(element) }
        case .bytes(let bytes):
            var unkeyed = encoder.unkeyedContainer()
            try unkeyed.encode(contentsOf: bytes)
        case .null:
            var single = encoder.singleValueContainer()
            try single.encodeNil()
        case .bool(let flag):
            var single = encoder.singleValueContainer()
            try single.encode(flag)
        case .integer(let integer):
            var single = encoder.singleValueContainer()
            try single.encode(integer)
        case .string(let text):
            var single = encoder.singleValueContainer()
            try single.encode(text)
        case .number(let text):
            var single = encoder.singleValueContainer()
            try single.encode(Double(text) ?? .nan)
        }
    }
}
