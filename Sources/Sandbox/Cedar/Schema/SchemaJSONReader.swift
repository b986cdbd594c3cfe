extension SchemaDocument {
    /// Reads the JSON form.
    ///
    /// - Throws: `SchemaError` with the path to the first fault.
    public init(json: String) throws(SchemaError) {
        let tree: JSONTree
        do { tree = try JSONReader.parse(json) } catch { throw SchemaError(.path([]), error.description) }
        self = try SchemaJSONReader().document(tree)
    }
}

extension Schema {
    /// Reads the JSON form and looks its names up.
    ///
    /// - Throws: `SchemaError` with the path to the first fault.
    public init(json: String) throws(SchemaError) { try self.init(SchemaDocument(json: json)) }

    /// Reads either form, and looks its names up: what begins with a brace is JSON, for no declaration does.
    ///
    /// - Throws: `SchemaError` with the place of the first fault.
    public init(parsing source: String) throws(SchemaError) {
        let first = source.utf8.first { $0 > 0x20 }
        if first == UInt8(ascii: "{") { try self.init(json: source) } else { try self.init(text: source) }
    }
}

/// Turns JSON into declarations. Every key must be known: a misspelled one would silently loosen the schema.
struct SchemaJSONReader {
    func document(_ tree: JSONTree) throws(SchemaError) -> SchemaDocument {
        var document = SchemaDocument()
        for member in try JSONFields(tree, at: []).members {
            document.namespaces.append(try namespace(member))
        }
        return document
    }

    private func namespace(_ member: JSONTree.Member) throws(SchemaError) -> SchemaNamespace {
        let fields = try JSONFields(member.value, at: ["namespace \"\(member.key)\""])
        try fields.allow(["commonTypes", "entityTypes", "actions", "annotations"])
        let name = member.key.isEmpty ? [] : SchemaName(written: member.key.string, place: fields.place).components
        var namespace = SchemaNamespace(name: name, annotations: try annotations(fields), place: fields.place)
        for member in try fields.object("commonTypes")?.members ?? [] {
            let place = fields.path + ["commonTypes", member.key.string]
            let fields = try JSONFields(member.value, at: place)
            let type = try type(fields, besides: ["annotations"])
            namespace.types.append(
                SchemaCommonType(name: member.key, type: type, annotations: try annotations(fields), place: fields.place))
        }
        for member in try fields.requiredObject("entityTypes").members {
            let fields = try JSONFields(member.value, at: fields.path + ["entityTypes", member.key.string])
            namespace.entities.append(try entity(member.key, fields))
        }
        for member in try fields.requiredObject("actions").members {
            let fields = try JSONFields(member.value, at: fields.path + ["actions", member.key.string])
            namespace.actions.append(try action(member.key, fields))
        }
        return namespace
    }

    private func entity(_ name: ExactString, _ fields: JSONFields) throws(SchemaError) -> SchemaEntity {
        let kind: SchemaEntity.Kind
        if let choices = try fields.strings("enum") {
            try fields.allow(["enum", "annotations"])
            kind = .enumeration(choices)
        } else {
            try fields.allow(["memberOfTypes", "shape", "tags", "annotations"])
            var shape: SchemaTypeExpression?
            var tags: SchemaTypeExpression?
            if let written = try fields.object("shape") { shape = try type(written) }
            if let written = try fields.object("tags") { tags = try type(written) }
            kind = .standard(parents: try names(fields, "memberOfTypes") ?? [], shape: shape, tags: tags)
        }
        return SchemaEntity(name: name, kind: kind, annotations: try annotations(fields), place: fields.place)
    }

    private func action(_ name: ExactString, _ fields: JSONFields) throws(SchemaError) -> SchemaAction {
        try fields.allow(["memberOf", "appliesTo", "annotations"])
        var parents: [SchemaAction.Reference] = []
        let groups = fields.isNull("memberOf") ? nil : try fields.array("memberOf")
        for (index, element) in (groups ?? []).enumerated() {
            let parent = try JSONFields(element, at: fields.path + ["memberOf", "\(index)"])
            try parent.allow(["id", "type"])
            let written = parent.isNull("type") ? nil : try parent.string("type")
            let type = written.map { SchemaName(written: $0.string, place: parent.place) }
            parents.append(SchemaAction.Reference(type: type, id: try parent.requiredString("id"), place: parent.place))
        }
        var application: SchemaAction.Application?
        if !fields.isNull("appliesTo"), let written = try fields.object("appliesTo") {
            try written.allow(["principalTypes", "resourceTypes", "context"])
            guard let principals = try names(written, "principalTypes"), let resources = try names(written, "resourceTypes") else {
                throw SchemaError(written.place, "`appliesTo` needs both `principalTypes` and `resourceTypes`.")
            }
            var context: SchemaTypeExpression?
            if let type = try written.object("context") { context = try self.type(type) }
            application = SchemaAction.Application(principals: principals, resources: resources, context: context)
        }
        return SchemaAction(
            name: name, parents: parents, application: application, annotations: try annotations(fields), place: fields.place)
    }

    // MARK: - Types

    /// - Parameter extra: keys that may stand beside those of the type, for what holds it.
    private func type(_ fields: JSONFields, besides extra: Set<ExactString> = []) throws(SchemaError) -> SchemaTypeExpression {
        let kind = try fields.requiredString("type")
        switch kind {
        case "Long", "String", "Boolean", "Bool":
            try fields.allow(extra.union(["type"]))
            return .builtin(kind == "Long" ? .long : kind == "String" ? .string : .bool)
        case "Set":
            try fields.allow(extra.union(["type", "element"]))
            return .set(try type(fields.requiredObject("element")))
        case "Record":
            try fields.allow(extra.union(["type", "attributes", "additionalAttributes"]))
            if try fields.bool("additionalAttributes") == true {
                throw SchemaError(fields.place, "Records with further attributes are not supported; list every attribute.")
            }
            return try record(fields.requiredObject("attributes"))
        case "Entity", "EntityOrCommon":
            try fields.allow(extra.union(["type", "name"]))
            let name = SchemaName(written: try fields.requiredString("name").string, place: fields.place)
            return .named(name, kind == "Entity" ? .entity : .any)
        case "Extension":
            try fields.allow(extra.union(["type", "name"]))
            let name = try fields.requiredString("name")
            guard let type = ExtensionFunction.ExtensionType(rawValue: name.string), let builtin = BuiltinType(rawValue: type.rawValue)
            else {
                throw SchemaError(fields.place, "There is no extension type `\(name)`; known are decimal, ipaddr, datetime and duration.")
            }
            return .builtin(builtin)
        default:
            try fields.allow(extra.union(["type"]))
            return .named(SchemaName(written: kind.string, place: fields.place), .common)
        }
    }

    private func record(_ attributes: JSONFields) throws(SchemaError) -> SchemaTypeExpression {
        var result: [SchemaAttribute] = []
        for member in attributes.members {
            let fields = try JSONFields(member.value, at: attributes.path + [member.key.string])
            let type = try type(fields, besides: ["required", "annotations"])
            result.append(
                SchemaAttribute(
                    name: member.key, type: type, isRequired: try fields.bool("required") ?? true, annotations: try annotations(fields)))
        }
        return .record(result, place: attributes.place)
    }

    // MARK: - Small parts

    private func names(_ fields: JSONFields, _ key: ExactString) throws(SchemaError) -> [SchemaName]? {
        try fields.strings(key)?.map { SchemaName(written: $0.string, place: fields.place) }
    }

    private func annotations(_ fields: JSONFields) throws(SchemaError) -> [SchemaAnnotation] {
        var result: [SchemaAnnotation] = []
        for member in try fields.object("annotations")?.members ?? [] {
            var value: ExactString = ""
            switch member.value {
            case .null: break
            case .string(let text): value = text
            default:
                throw SchemaError(
                    .path(fields.path + ["annotations"]), "The value of an annotation is a string, and this is \(member.value.spoken).")
            }
            result.append(SchemaAnnotation(key: member.key, value: value))
        }
        return result
    }
}
