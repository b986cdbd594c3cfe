/// What a value in JSON is expected to be, as far as that changes how it is read.
///
/// With a hint an entity may be given as `{"type", "id"}` and an extension value as the string of its constructor, without the
/// escapes `__entity` and `__extn`. A hint never makes a value valid: checking is the validator's.
public indirect enum TypeHint: Hashable, Sendable {
    /// Anything that JSON says by itself.
    case plain
    /// An entity.
    case entity
    /// A value of an extension type.
    case extensionValue(ExtensionFunction.ExtensionType)
    /// A set of such values.
    case set(TypeHint)
    /// A record with such attributes; others are read without a hint.
    case record([ExactString: TypeHint])
}

/// What reading entities and contexts asks a schema.
public protocol TypeHints: Sendable {
    /// The attributes of entities of this type; empty for a type that it does not know.
    func attributeHints(of type: TypeName) -> [ExactString: TypeHint]
    /// The tags of entities of this type.
    func tagHint(of type: TypeName) -> TypeHint
    /// The attributes of the context of this action; empty for an action that it does not know.
    func contextHints(of action: EntityUID) -> [ExactString: TypeHint]
    /// The actions, with their parents; they are added to the entities where these do not have them.
    var actions: [Entity] { get }
}
