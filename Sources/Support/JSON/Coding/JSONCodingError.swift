/// Why a value of JSON is not what a type takes, or a value of a type is not JSON: one place, and one rule.
///
/// Both may be shown to whoever sent the value. The place has names of the type's properties and keys of the sender; the rule
/// has nothing of what was sent, and nothing of what a type's own code says.
public struct JSONCodingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A JSON Pointer (RFC 6901) to the value: `/items/2/name`, empty for the whole.
    public let path: String
    /// What the value there must be.
    public let rule: JSONRule

    /// Makes an error of a place and a rule.
    public init(path: String, rule: JSONRule) {
        self.path = path
        self.rule = rule
    }

    /// The same, seen from outside: the value is a part of another, at `step`.
    public func within(_ step: String) -> JSONCodingError {
        JSONCodingError(path: "/" + CodingPlace.escape(step) + path, rule: rule)
    }

    /// The place and the rule in one line, for logs.
    public var description: String { "\(path.isEmpty ? "the value" : path) \(rule)" }
}

/// What a value must be.
public enum JSONRule: Error, Sendable, Hashable, CustomStringConvertible {
    /// The key or the element is not there.
    case present
    /// It is null.
    case notNull
    case bool
    case string
    /// A number that a binary fraction of the type can be close to; on the way out, one that is finite.
    case number
    /// A whole number without loss: `1.0` and `1e3` are such. Both bounds included.
    case integer(min: String, max: String)
    /// Binary, or an array of numbers from 0 to 255.
    case bytes
    case array
    case object
    /// The type's own code refused it: for instance a text that names no case of an enumeration.
    case allowed
    /// Arrays, objects and types nest deeper than the limit.
    case shallow

    /// The end of a sentence that begins with the place.
    public var description: String {
        switch self {
        case .present: "must be there"
        case .notNull: "must not be null"
        case .bool: "must be true or false"
        case .string: "must be a string"
        case .number: "must be a number"
        case .integer(let min, let max): "must be a whole number from \(min) to \(max)"
        case .bytes: "must be binary"
        case .array: "must be an array"
        case .object: "must be an object"
        case .allowed: "must be one of the values that are allowed"
        case .shallow: "must not nest as deeply"
        }
    }
}

extension JSONCodingError {
    /// What anybody's `init(from:)` or `encode(to:)` threw. Of errors that are not ours only the place is kept.
    ///
    /// - Parameter place: where the code ran that threw, for errors that name no place.
    init(_ error: any Error, at place: CodingPlace) {
        if let own = error as? JSONCodingError {
            self = own
            return
        }
        let (path, rule): ([any CodingKey], JSONRule) =
            switch error {
            case DecodingError.keyNotFound(let key, let context): (context.codingPath + [key], .present)
            case DecodingError.valueNotFound(_, let context): (context.codingPath, context.rule ?? .notNull)
            case DecodingError.typeMismatch(_, let context), DecodingError.dataCorrupted(let context):
                (context.codingPath, context.rule ?? .allowed)
            case EncodingError.invalidValue(_, let context): (context.codingPath, context.rule ?? .allowed)
            default: (place.keys, .allowed)
            }
        self.init(path: CodingPlace.pointer(path), rule: rule)
    }
}

extension DecodingError.Context {
    fileprivate var rule: JSONRule? { underlyingError as? JSONRule }
}

extension EncodingError.Context {
    fileprivate var rule: JSONRule? { underlyingError as? JSONRule }
}
