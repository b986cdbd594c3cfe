internal import JSON

extension JSONValue {
    /// Roughly the bytes of this value's text: what the limits on kept values count. Depth is that of a parsed text.
    var weight: Int {
        switch self {
        case .null, .bool: 5
        case .integer: 8
        case .number(let text): text.utf8.count
        case .string(let text): text.utf8.count + 2
        case .array(let elements): elements.reduce(2) { $0 + $1.weight + 1 }
        case .object(let object): object.weight
        case .bytes(let bytes): bytes.count
        }
    }
}

extension JSONObject {
    var weight: Int { members.reduce(2) { $0 + $1.key.utf8.count + 4 + $1.value.weight } }
}
