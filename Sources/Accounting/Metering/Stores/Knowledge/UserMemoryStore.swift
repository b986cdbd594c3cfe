public import JSON

/// Why something was not remembered.
public enum UserMemoryError: Error, Sendable, Hashable {
    /// Empty, above ``KnowledgeLimits/memoryKeyBytes``, or with control characters.
    case badKey
    /// Above ``KnowledgeLimits/memoryValueBytes``.
    case valueTooLong
    /// It holds bytes, which are no JSON.
    case notJSON
    /// The user has ``KnowledgeLimits/memoryKeys`` other keys.
    case tooManyKeys
    /// The back end did not do it; the reason is one sentence for an operator.
    case unavailable(String)
}

/// The name of what a user's memory holds.
public struct UserMemoryKey: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    public init(_ text: String) throws(UserMemoryError) {
        guard (1...KnowledgeLimits.memoryKeyBytes).contains(text.utf8.count),
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw .badKey }
        self.text = text
    }

    public var description: String { text }
}

/// A JSON value as memory keeps it: as text without spaces, members in the order of their names' code points.
public struct UserMemoryValue: Sendable, Hashable {
    public let text: String

    public init(_ value: JSONValue) throws(UserMemoryError) {
        let text = try Self.canonical(value).jsonText
        guard text.utf8.count <= KnowledgeLimits.memoryValueBytes else { throw .valueTooLong }
        self.text = text
    }

    /// What a store of ours has kept.
    public init(stored text: String) { self.text = text }

    /// Null if the stored text is none of ours.
    public var json: JSONValue { (try? JSONValue(parsing: text)) ?? .null }

    private static func canonical(_ value: JSONValue) throws(UserMemoryError) -> JSONValue {
        switch value {
        case .array(let elements): return .array(try elements.map(canonical))
        case .object(let object):
            let sorted = object.members.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
            return .object(JSONObject(try sorted.map { member throws(UserMemoryError) in (member.key, try canonical(member.value)) }))
        case .bytes: throw .notJSON
        case .null, .bool, .integer, .number, .string: return value
        }
    }
}

public struct UserMemoryEntry: Sendable, Hashable {
    public let key: UserMemoryKey
    public let value: UserMemoryValue
    public let updatedAt: Milliseconds

    public init(key: UserMemoryKey, value: UserMemoryValue, updatedAt: Milliseconds) {
        self.key = key
        self.value = value
        self.updatedAt = updatedAt
    }
}

/// What users want remembered from one conversation to the next. Another user's key of the same name is another key.
public protocol UserMemoryStore: Sendable {
    /// Keeps the value in place of the one before: the last write wins.
    func set(_ user: UserHandle, _ key: UserMemoryKey, _ value: UserMemoryValue, at: Milliseconds) async throws(UserMemoryError)
    func get(_ user: UserHandle, _ key: UserMemoryKey) async throws(UserMemoryError) -> UserMemoryValue?
    /// All of it, by key.
    func list(_ user: UserHandle) async throws(UserMemoryError) -> [UserMemoryEntry]
    /// - Returns: false when there is none.
    func delete(_ user: UserHandle, _ key: UserMemoryKey) async throws(UserMemoryError) -> Bool
}
