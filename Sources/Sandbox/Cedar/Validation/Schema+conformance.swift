extension Schema {
    /// Checks that the value is of the type, and that what it refers to may exist.
    ///
    /// Values are nested to `ValueLimits.depth` at most, so recursion is safe.
    func check(_ value: Value, is type: CedarType, at path: [String]) throws(ConformanceError) {
        switch (value, type) {
        case (.bool, .bool), (.bool(true), .true), (.bool(false), .false), (.long, .long), (.string, .string): return
        case (.decimal, .extension(.decimal)), (.ip, .extension(.ipaddr)): return
        case (.datetime, .extension(.datetime)), (.duration, .extension(.duration)): return
        case (.entity(let uid), .entity(let name)) where uid.type == name: try checkID(uid, at: path)
        case (.set(let elements), .set(let element)):
            for value in elements.values { try check(value, is: element, at: path + ["an element"]) }
        case (.record(let record), .record(let shape)): try check(record, is: shape, at: path)
        default:
            throw ConformanceError(.unexpectedType, path, "Here must be a value of type `\(type.spoken)`, and this is a \(value.kindName).")
        }
    }

    /// Checks that the record has every required key, and no key that is not declared.
    func check(_ record: Value.Record, is shape: RecordType, at path: [String]) throws(ConformanceError) {
        for (name, attribute) in shape.attributes where attribute.isRequired && record[name] == nil {
            throw ConformanceError(.missingAttribute, path, "The key `\(SchemaNames.written(name))` is missing.")
        }
        for (name, value) in record.fields {
            guard let attribute = shape.attributes[name] else {
                throw ConformanceError(.unknownAttribute, path, "The schema has no key `\(SchemaNames.written(name))` here.")
            }
            try check(value, is: attribute.type, at: path + [name.string])
        }
    }

    /// Checks that the entity may exist: an id that its enumeration lists, or a declared action.
    func checkID(_ uid: EntityUID, at path: [String]) throws(ConformanceError) {
        if uid.type.isAction {
            guard actionDefinitions[uid] != nil else {
                throw ConformanceError(.unknownAction, path, "The schema has no action `\(uid)`.")
            }
            return
        }
        guard let choices = entityDefinitions[uid.type]?.choices, !choices.contains(uid.id) else { return }
        throw ConformanceError(.unknownEnumerationID, path, "`\(uid.type)` lists no id \(Escape.quoted(uid.id)).")
    }

    /// The definition of the type of the entity, which may exist.
    func definition(of uid: EntityUID, at path: [String]) throws(ConformanceError) -> EntityTypeDefinition {
        guard let definition = entityDefinitions[uid.type] else {
            throw ConformanceError(.unknownEntityType, path, "The schema has no entity type `\(uid.type)`.")
        }
        try checkID(uid, at: path)
        return definition
    }
}
