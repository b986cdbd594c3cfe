/// A policy, or a template of policies, as it was written.
public struct Policy: Sendable {
    /// What a satisfied policy does.
    public enum Effect: String, Hashable, Sendable {
        /// It allows, unless a forbid is satisfied too.
        case permit
        /// It denies, whatever else is satisfied.
        case forbid
    }

    /// `@key("value")`.
    public struct Annotation: Hashable, Sendable {
        /// The key.
        public let key: ExactString
        /// The value; empty where none was written.
        public let value: ExactString
    }

    /// An entity or a slot in a scope.
    public enum EntityReference: Hashable, Sendable {
        /// This entity.
        case entity(EntityUID)
        /// What a link of the template puts there.
        case slot(Expr.Slot)
    }

    /// What a scope asks of the principal or the resource.
    public enum Scope: Hashable, Sendable {
        /// Nothing.
        case any
        /// To be this entity.
        case equal(EntityReference)
        /// To be this entity or below it.
        case `in`(EntityReference)
        /// To have this type.
        case isType(TypeName)
        /// Both.
        case isTypeIn(TypeName, EntityReference)
    }

    /// What a scope asks of the action.
    public enum ActionScope: Hashable, Sendable {
        /// Nothing.
        case any
        /// To be this action.
        case equal(EntityUID)
        /// To be this action or below it.
        case `in`(EntityUID)
        /// To be one of these actions or below one.
        case inList([EntityUID])
    }

    /// A `when` or `unless` clause.
    public struct Condition: Hashable, Sendable {
        /// The word before the braces.
        public enum Kind: String, Hashable, Sendable {
            /// The body must be true.
            case when
            /// The body must be false.
            case unless
        }

        /// Which.
        public let kind: Kind
        /// What stands in the braces.
        public let body: Expr
    }

    /// `policy0`, `policy1` and so on by the place in the text; templates count.
    public internal(set) var id: String
    /// What it does when it is satisfied.
    public let effect: Effect
    /// Its annotations in order; no key twice.
    public let annotations: [Annotation]
    /// What it asks of the principal.
    public let principal: Scope
    /// What it asks of the action.
    public let action: ActionScope
    /// What it asks of the resource.
    public let resource: Scope
    /// Its clauses in order.
    public let conditions: [Condition]
    /// The whole of it as one expression: the three scopes and the clauses. This, and nothing else, is what is evaluated and
    /// what a validator types.
    public let expression: Expr
    /// Where it was written, from the first annotation to the semicolon.
    public let range: SourceRange

    /// The same policy under another id, for a set of policies from several texts.
    public func identified(as id: String) -> Policy {
        var copy = self
        copy.id = id
        return copy
    }

    /// The value of an annotation; nil if it has none of this key.
    public func annotation(_ key: ExactString) -> ExactString? { annotations.first { $0.key == key }?.value }

    /// Whether it has a slot. A template decides nothing until it is linked, and this library does not link.
    public var isTemplate: Bool { principal.hasSlot || resource.hasSlot }
}

extension Policy: Hashable {
    /// Whether both say the same, wherever they stand and whatever their ids are.
    public static func == (left: Policy, right: Policy) -> Bool {
        left.effect == right.effect && left.annotations == right.annotations && left.principal == right.principal
            && left.action == right.action && left.resource == right.resource && left.conditions == right.conditions
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(effect)
        hasher.combine(annotations)
        hasher.combine(expression)
    }
}

extension Policy.Scope {
    /// Whether it waits for a link.
    var hasSlot: Bool {
        switch self {
        case .equal(.slot), .in(.slot), .isTypeIn(_, .slot): true
        default: false
        }
    }
}
