extension Schema {
    /// Looks every name of the document up and follows the hierarchies.
    ///
    /// - Throws: `SchemaError` for the first name that is undefined, taken or reserved, for a cycle of types or
    ///   actions, and for types beyond `SchemaLimits`.
    public init(_ document: SchemaDocument) throws(SchemaError) {
        let names = try SchemaNames(document)
        var types = SchemaTypeResolver(document, names: names)
        var entities: [TypeName: EntityTypeDefinition] = [:]
        var actions: [EntityUID: ActionDefinition] = [:]
        for namespace in document.namespaces {
            for type in namespace.types {
                let name = SchemaName(components: namespace.name + [type.name], place: type.place)
                _ = try types.resolve(.named(name, .common), in: [], at: type.place)
            }
            for entity in namespace.entities {
                let definition = try Schema.define(entity, in: namespace.name, types: &types)
                entities[definition.name] = definition
            }
            for action in namespace.actions {
                let definition = try Schema.define(action, in: namespace.name, types: &types)
                actions[definition.uid] = definition
            }
        }
        let hierarchy = Closure(parents: entities.mapValues(\.parents))
        for name in entities.keys {
            entities[name]?.ancestors = hierarchy.ancestors[name] ?? []
            entities[name]?.descendants = hierarchy.descendants[name] ?? []
        }
        let groups = Closure(parents: actions.mapValues(\.parents))
        for uid in actions.keys {
            let ancestors = groups.ancestors[uid] ?? []
            if ancestors.contains(uid) {
                throw SchemaError(names.actions[uid] ?? .path([]), "The action \"\(uid.id)\" is in a group that is in it.")
            }
            actions[uid]?.ancestors = ancestors
            actions[uid]?.descendants = groups.descendants[uid] ?? []
        }
        self.init(entities: entities, actions: actions)
    }

    private static func define(
        _ entity: SchemaEntity, in namespace: [ExactString], types: inout SchemaTypeResolver
    ) throws(SchemaError) -> EntityTypeDefinition {
        let name = TypeName(components: namespace + [entity.name])
        switch entity.kind {
        case .enumeration(let choices):
            guard !choices.isEmpty else {
                throw SchemaError(entity.place, "The enumeration `\(entity.name)` needs at least one id.")
            }
            return EntityTypeDefinition(
                name: name, parents: [], ancestors: [], descendants: [], attributes: RecordType(), tags: nil,
                choices: Set(choices))
        case .standard(let written, let shape, let tags):
            var parents: Set<TypeName> = []
            for parent in written { parents.insert(try types.names.entityType(parent, in: namespace)) }
            var attributes = RecordType()
            if let shape {
                attributes = try types.resolveRecord(
                    shape, in: namespace, at: entity.place, what: "attributes of `\(entity.name)`")
            }
            var tagType: CedarType?
            if let tags { tagType = try types.resolve(tags, in: namespace, at: entity.place) }
            return EntityTypeDefinition(
                name: name, parents: parents, ancestors: [], descendants: [], attributes: attributes, tags: tagType, choices: nil)
        }
    }

    private static func define(
        _ action: SchemaAction, in namespace: [ExactString], types: inout SchemaTypeResolver
    ) throws(SchemaError) -> ActionDefinition {
        var parents: Set<EntityUID> = []
        for parent in action.parents { parents.insert(try types.names.action(parent, in: namespace)) }
        var principals: Set<TypeName> = []
        var resources: Set<TypeName> = []
        var context = RecordType()
        if let application = action.application {
            for name in application.principals { principals.insert(try types.names.entityType(name, in: namespace)) }
            for name in application.resources { resources.insert(try types.names.entityType(name, in: namespace)) }
            if let written = application.context {
                context = try types.resolveRecord(
                    written, in: namespace, at: action.place, what: "context of the action \"\(action.name)\"")
            }
        }
        return ActionDefinition(
            uid: EntityUID(type: TypeName(components: namespace + ["Action"]), id: action.name), parents: parents, ancestors: [],
            descendants: [], principals: principals, resources: resources, context: context)
    }
}

/// Who is above and below whom, through any number of steps.
struct Closure<Node: Hashable> {
    private(set) var ancestors: [Node: Set<Node>] = [:]
    private(set) var descendants: [Node: Set<Node>] = [:]

    /// Cycles are allowed: their members are above and below themselves.
    init(parents: [Node: Set<Node>]) {
        for (node, direct) in parents where !direct.isEmpty {
            var seen: Set<Node> = []
            var pending = Array(direct)
            while let next = pending.popLast() {
                guard seen.insert(next).inserted else { continue }
                descendants[next, default: []].insert(node)
                if let above = parents[next] { pending.append(contentsOf: above) }
            }
            ancestors[node] = seen
        }
    }
}
