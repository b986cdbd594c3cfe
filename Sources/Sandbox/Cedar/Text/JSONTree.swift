/// A JSON text as it was written: keys that stand twice are kept, and whole numbers are told from other spellings.
indirect enum JSONTree: Sendable {
    case null
    case bool(Bool)
    /// A whole number in the range of 64 bits, spelled without a fraction or an exponent.
    case integer(Int64)
    /// Any other number, as spelled.
    case number(ExactString)
    case string(ExactString)
    case array([JSONTree])
    case object([Member])

    struct Member: Sendable {
        let key: ExactString
        let value: JSONTree
    }

    /// The last value of a key; nil if it does not stand there.
    subscript(_ key: ExactString) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    /// How a message names it.
    var spoken: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .number(let text): "the number \(text)"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// What a JSON text may be.
public enum JSONLimits {
    /// Bytes of one text: a store of 100,000 entities has about 20 MB.
    public static let bytes = 64 << 20
    /// How deep arrays and objects may lie in each other; a little more than `ValueLimits.depth`, for what is around a value.
    public static let depth = 128
}

/// Why a JSON text or what it says was refused.
public struct DataError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, in a sentence.
    public let message: String
    /// Where in the data: keys and indices, for example `[3].attrs.owner`. Empty for a fault of the JSON itself.
    public let path: String

    init(_ message: String, path: String = "") {
        self.message = message
        self.path = path
    }

    /// The place and the sentence.
    public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}
