/// One reply, copied out of the parser at once.
///
/// Bulk strings are text: every value that we store is written by us as UTF-8, and bytes that are not are repaired on the way in.
public enum RedisValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case text(String)
    case array([RedisValue])
    case error(RedisServerError)

    /// The number in an integer reply, or in a bulk string of digits (hash fields come back as strings).
    public var number: Int64? {
        switch self {
        case .integer(let value): value
        case .text(let text): Int64(text)
        default: nil
        }
    }

    public var string: String? {
        if case .text(let text) = self { text } else { nil }
    }

    public var elements: [RedisValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}
