/// A schema with every name looked up: which entities, attributes, tags and actions exist, and who may do what to what.
///
/// A value without references: share it freely between tasks.
public struct Schema: Equatable, Sendable {
    /// The declared entity types.
    public let entityDefinitions: [TypeName: EntityTypeDefinition]
    /// The declared actions.
    public let actionDefinitions: [EntityUID: ActionDefinition]

    init(entities: [TypeName: EntityTypeDefinition], actions: [EntityUID: ActionDefinition]) {
        entityDefinitions = entities
        actionDefinitions = actions
    }
}

/// One entity type.
public struct EntityTypeDefinition: Equatable, Sendable {
    /// The whole name.
    public let name: TypeName
    /// The types that its entities may have as direct parents.
    public let parents: Set<TypeName>
    /// The types that its entities may be in: parents, their parents, and so on. Holds the type itself only if the
    /// declarations lead back to it.
    public internal(set) var ancestors: Set<TypeName>
    /// The types whose entities may be in one of this type.
    public internal(set) var descendants: Set<TypeName>
    /// What its entities have.
    public let attributes: RecordType
    /// The type of every tag; nil if the entities have none.
    public let tags: CedarType?
    /// The ids that exist, for an enumeration; nil if any id may.
    public let choices: Set<ExactString>?
}

/// One action.
public struct ActionDefinition: Equatable, Sendable {
    /// Its identity.
    public let uid: EntityUID
    /// The groups that it is directly in.
    public let parents: Set<EntityUID>
    /// The groups that hold it: parents, their parents, and so on.
    public internal(set) var ancestors: Set<EntityUID>
    /// The actions that it holds as a group.
    public internal(set) var descendants: Set<EntityUID>
    /// The types whose entities may do it; empty for a pure group.
    public let principals: Set<TypeName>
    /// The types whose entities it may be done to; empty for a pure group.
    public let resources: Set<TypeName>
    /// The context of a request for it.
    public let context: RecordType
}
