/// Why an expression has no value. It makes its policy count as not satisfied, and the answer names the policy.
public struct EvaluationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong.
    public enum Kind: Hashable, Sendable {
        /// An operand has the wrong kind.
        case type(expected: String, found: String)
        /// The result of integer arithmetic does not fit in 64 bits.
        case overflow
        /// The record or entity has no such attribute.
        case missingAttribute(ExactString)
        /// The entity whose attribute or tag is asked for is not in the store.
        case missingEntity(EntityUID)
        /// The entity has no such tag.
        case missingTag(ExactString)
        /// An extension type has no value for its arguments.
        case extensionValue(ExtensionError)
        /// The expression is a template's.
        case unlinkedSlot(Expr.Slot)
        /// The evaluation is above one of `EvaluationLimits` or `ValueLimits`.
        case limit(String)
    }

    /// What went wrong.
    public let kind: Kind
    /// The expression that has no value.
    public let range: SourceRange

    /// "line 3, column 12: …".
    public var description: String { "\(range.start): \(message)" }

    /// The sentence without the place.
    public var message: String {
        switch kind {
        case .type(let expected, let found): "expected \(expected), found \(found)"
        case .overflow: "the result does not fit in 64 bits"
        case .missingAttribute(let name): "there is no attribute \(Escape.quoted(name))"
        case .missingEntity(let uid): "the entity `\(uid)` does not exist"
        case .missingTag(let name): "there is no tag \(Escape.quoted(name))"
        case .extensionValue(let error): error.description
        case .unlinkedSlot(let slot): "a link has to say what `?\(slot.rawValue)` is"
        case .limit(let what): what
        }
    }
}

/// What one evaluation may cost.
public enum EvaluationLimits {
    /// Steps of one policy: instructions, and the parts of the values that they compare. A rule of a hundred lines takes some
    /// hundreds; ten millions are a few tenths of a second.
    public static let steps = 10_000_000
    /// Steps of one decision over all of its policies: many costly ones together would be what one must not be. Those that come
    /// after have an error.
    public static let decisionSteps = 20_000_000
}
