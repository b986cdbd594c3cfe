extension Schema {
    /// Checks every entity of a store.
    ///
    /// What entities refer to in attributes and parents need not be in the store.
    public func validate(_ entities: Entities) throws(ConformanceError) {
        for entity in entities.all { try validate(entity, ancestors: entities.ancestors(of: entity.uid)) }
    }

    /// Checks one entity: its type, its attributes and tags, and what it is in.
    ///
    /// - Parameter ancestors: all that it is in, directly or not.
    public func validate(_ entity: Entity, ancestors: Set<EntityUID>) throws(ConformanceError) {
        let path = [entity.uid.description]
        if entity.uid.type.isAction { return try validate(action: entity, ancestors: ancestors, at: path) }
        let definition = try definition(of: entity.uid, at: path)
        try check(entity.attributes, is: definition.attributes, at: path)
        for ancestor in ancestors.sorted() {
            guard definition.ancestors.contains(ancestor.type) else {
                throw ConformanceError(.ancestor, path, "A `\(entity.uid.type)` cannot be in `\(ancestor)`.")
            }
            try checkID(ancestor, at: path)
        }
        for (key, value) in entity.tags.fields {
            guard let type = definition.tags else {
                throw ConformanceError(.unknownAttribute, path, "A `\(entity.uid.type)` has no tags.")
            }
            try check(value, is: type, at: path + ["tag \(Escape.quoted(key))"])
        }
    }

    /// An action is what the schema says and nothing more.
    private func validate(action: Entity, ancestors: Set<EntityUID>, at path: [String]) throws(ConformanceError) {
        guard let definition = actionDefinitions[action.uid] else {
            throw ConformanceError(.unknownAction, path, "The schema has no such action.")
        }
        guard action.attributes.fields.isEmpty, action.tags.fields.isEmpty else {
            throw ConformanceError(.unknownAttribute, path, "An action has no attributes and no tags.")
        }
        guard ancestors == definition.ancestors else {
            throw ConformanceError(.ancestor, path, "The schema has this action in other groups.")
        }
    }
}
