extension SchemaDocument {
    /// The document in the text form: parsing it gives the same schema.
    ///
    /// - Throws: `SchemaError` for what only the JSON form can say: an entity type that a common type of the same name
    ///   hides. Lists of principals or resources that are empty become a missing `appliesTo`, which means the same.
    public func text() throws(SchemaError) -> String {
        var printer = SchemaPrinter(document: self)
        for namespace in namespaces { try printer.print(namespace) }
        return printer.output
    }
}

/// Writes declarations with four spaces a level.
private struct SchemaPrinter {
    var output = ""
    private var level = 0
    private var namespace: [ExactString] = []
    /// Last parts of all declared type names: where one equals a built-in name, that is written out in full.
    private let declared: Set<ExactString>
    private let common: Set<[ExactString]>

    init(document: SchemaDocument) {
        var declared: Set<ExactString> = []
        var common: Set<[ExactString]> = []
        for namespace in document.namespaces {
            declared.formUnion(namespace.entities.map(\.name))
            declared.formUnion(namespace.types.map(\.name))
            common.formUnion(namespace.types.map { namespace.name + [$0.name] })
        }
        self.declared = declared
        self.common = common
    }

    mutating func print(_ namespace: SchemaNamespace) throws(SchemaError) {
        self.namespace = namespace.name
        if !namespace.name.isEmpty {
            print(namespace.annotations)
            line("namespace \(SchemaNames.path(namespace.name)) {")
            level += 1
        }
        for type in namespace.types {
            print(type.annotations)
            line("type \(type.name) = \(try written(type.type));")
        }
        for entity in namespace.entities { try print(entity) }
        for action in namespace.actions { try print(action) }
        if !namespace.name.isEmpty {
            level -= 1
            line("}")
        }
    }

    private mutating func print(_ entity: SchemaEntity) throws(SchemaError) {
        print(entity.annotations)
        var text = "entity \(entity.name)"
        switch entity.kind {
        case .enumeration(let choices):
            text += " enum [\(choices.map { Escape.quoted($0) }.joined(separator: ", "))]"
        case .standard(let parents, let shape, let tags):
            if !parents.isEmpty { text += " in [\(SchemaPrinter.list(parents))]" }
            if let shape { text += try " = " + shapeText(shape, at: entity.place) }
            if let tags { text += try " tags \(written(tags))" }
        }
        line(text + ";")
    }

    private mutating func print(_ action: SchemaAction) throws(SchemaError) {
        print(action.annotations)
        var text = "action \(SchemaNames.written(action.name))"
        if !action.parents.isEmpty {
            let parents = action.parents.map { parent in
                parent.type.map { "\($0)::\(Escape.quoted(parent.id))" } ?? SchemaNames.written(parent.id)
            }
            text += " in [\(parents.joined(separator: ", "))]"
        }
        if let application = action.application, !application.principals.isEmpty, !application.resources.isEmpty {
            level += 1
            let indent = indentation
            text += " appliesTo {\n\(indent)principal: [\(SchemaPrinter.list(application.principals))],\n"
            text += "\(indent)resource: [\(SchemaPrinter.list(application.resources))],\n"
            if let context = application.context { text += try "\(indent)context: \(written(context)),\n" }
            level -= 1
            text += "\(indentation)}"
        }
        line(text + ";")
    }

    /// The text form has no place for a name where a shape stands.
    private mutating func shapeText(_ shape: SchemaTypeExpression, at place: SchemaPlace) throws(SchemaError) -> String {
        guard case .record = shape else {
            throw SchemaError(place, "The text form cannot name a common type as the attributes of an entity type.")
        }
        return try written(shape)
    }

    private mutating func print(_ annotations: [SchemaAnnotation]) {
        for annotation in annotations { line(SchemaPrinter.annotation(annotation)) }
    }

    private mutating func written(_ type: SchemaTypeExpression) throws(SchemaError) -> String {
        switch type {
        case .builtin(let builtin): return builtinName(builtin)
        case .set(let element): return try "Set<\(written(element))>"
        case .named(let name, let lookup): return try written(name, lookup)
        case .record(let attributes, _):
            guard !attributes.isEmpty else { return "{}" }
            level += 1
            var text = "{\n"
            for attribute in attributes {
                for annotation in attribute.annotations { text += indentation + SchemaPrinter.annotation(annotation) + "\n" }
                let mark = attribute.isRequired ? "" : "?"
                text += try "\(indentation)\(SchemaNames.written(attribute.name))\(mark): \(written(attribute.type)),\n"
            }
            level -= 1
            return text + indentation + "}"
        }
    }

    private func written(_ name: SchemaName, _ lookup: SchemaTypeExpression.Lookup) throws(SchemaError) -> String {
        let local = namespace + name.components
        let isCommon = common.contains(name.components) || (name.components.count == 1 && common.contains(local))
        if lookup == .entity, isCommon {
            throw SchemaError(name.place, "The text form cannot name the entity type `\(name)`: a common type has that name too.")
        }
        if lookup == .common, !isCommon, name.components.count == 1, let builtin = BuiltinType(rawValue: name.description) {
            return builtinName(builtin)
        }
        return name.description
    }

    private func builtinName(_ builtin: BuiltinType) -> String {
        declared.contains(ExactString(builtin.rawValue)) ? "__cedar::\(builtin.rawValue)" : builtin.rawValue
    }

    private var indentation: String { String(repeating: "    ", count: level) }

    private mutating func line(_ text: String) { output += indentation + text + "\n" }

    private static func list(_ names: [SchemaName]) -> String { names.map(\.description).joined(separator: ", ") }

    private static func annotation(_ annotation: SchemaAnnotation) -> String {
        annotation.value.string.isEmpty ? "@\(annotation.key)" : "@\(annotation.key)(\(Escape.quoted(annotation.value)))"
    }
}
