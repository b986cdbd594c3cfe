/// What the validator has to say about one place of one policy.
public struct ValidationFinding: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// An entity type that the schema does not declare.
        case unknownEntityType
        /// An id that the enumeration does not list.
        case unknownEnumerationID
        /// An action that the schema does not declare.
        case unknownAction
        /// No request can meet the scope: no action applies to such principals and resources.
        case noApplicableAction
        /// A value of another type is needed.
        case unexpectedType
        /// Two values that must be of one type are of two.
        case noCommonType
        /// `[]`, which has no type.
        case emptySet
        /// An attribute that the schema does not declare.
        case unknownAttribute
        /// An optional attribute that is read without `has`.
        case unguardedAttribute
        /// A tag that is read without `hasTag`, or of entities that have none.
        case unguardedTag
        /// Too many or too few arguments.
        case argumentCount
        /// A text that is no value of the extension type.
        case badConstructorText
        /// A constructor whose text is computed, so that nobody can check it before the request.
        case computedConstructor
        /// The expression is deeper than `ValidationLimits.depth`.
        case tooDeep
        /// The policy applies to no request of the schema. A warning.
        case neverApplies
    }

    /// What is wrong.
    public let kind: Kind
    /// The id of the policy.
    public let policy: String
    /// Where in the text of the policies.
    public let range: SourceRange
    /// One sentence for the author.
    public let message: String
    /// The kind of request for which it was found first; nil if it holds for all.
    public let environment: RequestEnvironment?

    /// The policy, the place, the sentence and the kind of request.
    public var description: String {
        let requests = environment.map { " (\($0))" } ?? ""
        return "\(policy), \(range.start): \(message)\(requests)"
    }
}

/// The result of validating a set of policies.
public struct ValidationReport: Hashable, Sendable {
    /// What must be mended, in the order of policies and places; at most `ValidationLimits.findings`.
    public internal(set) var errors: [ValidationFinding] = []
    /// What is suspicious and harmless.
    public internal(set) var warnings: [ValidationFinding] = []

    /// Whether the policies fit the schema.
    public var isValid: Bool { errors.isEmpty }
}

/// What validation does at most.
public enum ValidationLimits {
    /// Errors in one report. An author mends some and validates again; a thousand more help nobody.
    public static let findings = 200

    /// Levels of a policy's expression. The typechecker is recursive and takes about 4 KB of stack for a level, so this is
    /// a quarter of the smallest stack that a thread has by default on Linux. The deepest of the public corpus has 11.
    public static let depth = 400
}
