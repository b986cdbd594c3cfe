/// Why a request or an entity does not fit a schema: the first fault.
public struct ConformanceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// An entity type that the schema does not declare.
        case unknownEntityType
        /// An id that the enumeration does not list.
        case unknownEnumerationID
        /// An action that the schema does not declare.
        case unknownAction
        /// The action does not apply to such a principal.
        case principalType
        /// The action does not apply to such a resource.
        case resourceType
        /// An attribute, a tag or a key that the schema does not declare.
        case unknownAttribute
        /// A required attribute or key that is missing.
        case missingAttribute
        /// A value of another type is needed.
        case unexpectedType
        /// The entity is in one that it may not be in.
        case ancestor
    }

    /// What is wrong.
    public let kind: Kind
    /// Where, from the request or the entity inwards: `context > args > amount`.
    public let path: [String]
    /// One sentence.
    public let message: String

    init(_ kind: Kind, _ path: [String], _ message: String) {
        self.kind = kind
        self.path = path
        self.message = message
    }

    /// The place and the sentence.
    public var description: String { "\(path.joined(separator: " > ")): \(message)" }
}
