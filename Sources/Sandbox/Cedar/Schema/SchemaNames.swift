/// The names that a document declares, and where a written name leads.
struct SchemaNames {
    /// What a name stands for.
    enum Target {
        case common(TypeName)
        case entity(TypeName)
        case builtin(BuiltinType)
    }

    private(set) var entities: [TypeName: SchemaPlace] = [:]
    private(set) var types: [TypeName: SchemaPlace] = [:]
    private(set) var actions: [EntityUID: SchemaPlace] = [:]
    /// `Action` of each namespace that declares an action.
    private(set) var actionTypes: Set<TypeName> = []

    /// Collects what the document declares, and refuses names that are taken, reserved or not names.
    init(_ document: SchemaDocument) throws(SchemaError) {
        var seen: Set<[ExactString]> = []
        for namespace in document.namespaces {
            guard seen.insert(namespace.name).inserted else {
                throw SchemaError(namespace.place, "The namespace `\(SchemaNames.path(namespace.name))` is declared twice.")
            }
            try SchemaNames.check(annotations: namespace.annotations, at: namespace.place)
            if namespace.name.isEmpty, !namespace.annotations.isEmpty {
                throw SchemaError(namespace.place, "Declarations outside of every namespace cannot have annotations as a whole.")
            }
            for part in namespace.name { try SchemaNames.checkIdentifier(part, "namespace", at: namespace.place) }
            for entity in namespace.entities { try declare(entity, in: namespace.name) }
            for type in namespace.types { try declare(type, in: namespace.name) }
            for action in namespace.actions { try declare(action, in: namespace.name) }
        }
        try checkShadowing()
    }

    private mutating func declare(_ entity: SchemaEntity, in namespace: [ExactString]) throws(SchemaError) {
        try SchemaNames.checkIdentifier(entity.name, "entity type", at: entity.place)
        try SchemaNames.check(annotations: entity.annotations, at: entity.place)
        if entity.name == "Action" {
            throw SchemaError(entity.place, "`Action` is the type of actions; an entity type needs another name.")
        }
        guard entities.updateValue(entity.place, forKey: TypeName(components: namespace + [entity.name])) == nil else {
            throw SchemaError(entity.place, "The entity type `\(entity.name)` is declared twice.")
        }
    }

    private mutating func declare(_ type: SchemaCommonType, in namespace: [ExactString]) throws(SchemaError) {
        try SchemaNames.checkIdentifier(type.name, "type", at: type.place)
        try SchemaNames.check(annotations: type.annotations, at: type.place)
        if SchemaNames.reservedTypeNames.contains(type.name) {
            throw SchemaError(type.place, "`\(type.name)` is the name of a built-in type; this type needs another name.")
        }
        guard types.updateValue(type.place, forKey: TypeName(components: namespace + [type.name])) == nil else {
            throw SchemaError(type.place, "The type `\(type.name)` is declared twice.")
        }
    }

    private mutating func declare(_ action: SchemaAction, in namespace: [ExactString]) throws(SchemaError) {
        try SchemaNames.check(annotations: action.annotations, at: action.place)
        let type = TypeName(components: namespace + ["Action"])
        guard actions.updateValue(action.place, forKey: EntityUID(type: type, id: action.name)) == nil else {
            throw SchemaError(action.place, "The action `\(action.name)` is declared twice.")
        }
        actionTypes.insert(type)
    }

    /// A name of the unnamed namespace may not be declared again in a named one: readers could not tell which is meant.
    private func checkShadowing() throws(SchemaError) {
        for declared in [entities, types] {
            for (name, place) in declared where name.components.count > 1 {
                let base = TypeName(components: name.components.suffix(1))
                guard entities[base] == nil, types[base] == nil else {
                    throw SchemaError(place, "`\(name)` hides `\(base)`, which is declared outside of every namespace.")
                }
            }
        }
        for (uid, place) in actions where uid.type.components.count > 1 {
            guard actions[EntityUID(type: SchemaNames.plainAction, id: uid.id)] == nil else {
                throw SchemaError(place, "The action `\(uid.id)` hides the one declared outside of every namespace.")
            }
        }
    }

    /// What the name stands for when it is written in the namespace.
    func lookUp(_ name: SchemaName, _ lookup: SchemaTypeExpression.Lookup, in namespace: [ExactString]) throws(SchemaError) -> Target {
        for candidate in candidates(name, in: namespace) {
            if lookup != .entity, types[candidate] != nil { return .common(candidate) }
            if lookup != .common, entities[candidate] != nil || actionTypes.contains(candidate) { return .entity(candidate) }
        }
        if lookup != .entity, let builtin = builtin(name) { return .builtin(builtin) }
        let what = lookup == .entity ? "entity type" : lookup == .common ? "common type" : "type"
        throw SchemaError(name.place, "There is no \(what) `\(name)`.")
    }

    /// The declared entity type of the name, for places where actions may not stand.
    func entityType(_ name: SchemaName, in namespace: [ExactString]) throws(SchemaError) -> TypeName {
        for candidate in candidates(name, in: namespace) where entities[candidate] != nil { return candidate }
        throw SchemaError(name.place, "There is no entity type `\(name)`.")
    }

    /// The declared action of the reference.
    func action(_ reference: SchemaAction.Reference, in namespace: [ExactString]) throws(SchemaError) -> EntityUID {
        let written = reference.type ?? SchemaName(components: ["Action"], place: reference.place)
        for candidate in candidates(written, in: namespace) {
            let uid = EntityUID(type: candidate, id: reference.id)
            if actions[uid] != nil { return uid }
        }
        let type = reference.type.map { "\($0)::" } ?? ""
        throw SchemaError(reference.place, "There is no action \(type)\"\(reference.id)\" to be in.")
    }

    private func candidates(_ name: SchemaName, in namespace: [ExactString]) -> [TypeName] {
        let absolute = TypeName(components: name.components)
        guard name.components.count == 1, !namespace.isEmpty else { return [absolute] }
        return [TypeName(components: namespace + name.components), absolute]
    }

    private func builtin(_ name: SchemaName) -> BuiltinType? {
        var components = name.components[...]
        if components.count == 2, components.first == "__cedar" { components = components.dropFirst() }
        guard components.count == 1, let base = components.first else { return nil }
        return BuiltinType(rawValue: base.string)
    }
}

extension SchemaNames {
    static let plainAction = TypeName(components: ["Action"])

    static let reservedTypeNames: Set<ExactString> = ["Bool", "Boolean", "Long", "String", "Set", "Record", "Entity", "Extension"]

    static func path(_ components: [ExactString]) -> String { components.map(\.string).joined(separator: "::") }

    /// Whether the text is spelled like a name; reserved words are too.
    static func isIdentifier(_ text: ExactString) -> Bool {
        guard let first = text.string.utf8.first, Lexer.startsIdentifier(first) else { return false }
        return text.string.utf8.allSatisfy(Lexer.continuesIdentifier)
    }

    /// The name as it is, or in quotes if it is not spelled like a name.
    static func written(_ text: ExactString) -> String {
        isIdentifier(text) && !ReservedWord.contains(text) ? text.string : Escape.quoted(text)
    }

    static func checkIdentifier(_ text: ExactString, _ what: String, at place: SchemaPlace) throws(SchemaError) {
        guard isIdentifier(text) else {
            throw SchemaError(place, "`\(text)` cannot be the name of a \(what): use letters, digits and `_`, with no digit first.")
        }
        if ReservedWord.contains(text) {
            throw SchemaError(place, "`\(text)` is a word of the language and cannot be the name of a \(what).")
        }
    }

    static func check(annotations: [SchemaAnnotation], at place: SchemaPlace) throws(SchemaError) {
        var keys: Set<ExactString> = []
        for annotation in annotations {
            guard isIdentifier(annotation.key) else {
                throw SchemaError(place, "`\(annotation.key)` cannot be the name of an annotation.")
            }
            guard keys.insert(annotation.key).inserted else {
                throw SchemaError(place, "The annotation `@\(annotation.key)` is given twice.")
            }
        }
    }
}
