/// Turns written types into `CedarType`: common types are written out, once each.
struct SchemaTypeResolver {
    /// A type with its size, so that a limit is noticed before the type is built.
    private struct Measured {
        let type: CedarType
        let depth: Int
        let nodes: Int
    }

    private enum Progress {
        case started
        case done(Measured)
    }

    let names: SchemaNames
    private let declarations: [TypeName: (type: SchemaCommonType, namespace: [ExactString])]
    private var progress: [TypeName: Progress] = [:]

    init(_ document: SchemaDocument, names: SchemaNames) {
        self.names = names
        var declarations: [TypeName: (type: SchemaCommonType, namespace: [ExactString])] = [:]
        for namespace in document.namespaces {
            for type in namespace.types {
                declarations[TypeName(components: namespace.name + [type.name])] = (type, namespace.name)
            }
        }
        self.declarations = declarations
    }

    /// The type that the expression stands for in the namespace.
    mutating func resolve(
        _ expression: SchemaTypeExpression, in namespace: [ExactString], at place: SchemaPlace
    ) throws(SchemaError) -> CedarType {
        try measure(expression, in: namespace, at: place, level: 0).type
    }

    /// The record type that the expression stands for; anything else is an error.
    mutating func resolveRecord(
        _ expression: SchemaTypeExpression, in namespace: [ExactString], at place: SchemaPlace, what: String
    ) throws(SchemaError) -> RecordType {
        let type = try resolve(expression, in: namespace, at: place)
        guard case .record(let record) = type else {
            throw SchemaError(place, "The \(what) must be a record, and this is `\(type.spoken)`.")
        }
        return record
    }

    private mutating func measure(
        _ expression: SchemaTypeExpression, in namespace: [ExactString], at place: SchemaPlace, level: Int
    ) throws(SchemaError) -> Measured {
        guard level <= SchemaLimits.typeDepth else { throw tooDeep(place) }
        switch expression {
        case .builtin(let builtin):
            return Measured(type: builtin.type, depth: 1, nodes: 1)
        case .set(let element):
            let inner = try measure(element, in: namespace, at: place, level: level + 1)
            return try checked(.set(inner.type), depth: inner.depth + 1, nodes: inner.nodes + 1, at: place)
        case .record(let attributes, let place):
            return try measure(attributes, in: namespace, at: place, level: level)
        case .named(let name, let lookup):
            switch try names.lookUp(name, lookup, in: namespace) {
            case .builtin(let builtin): return Measured(type: builtin.type, depth: 1, nodes: 1)
            case .entity(let type): return Measured(type: .entity(type), depth: 1, nodes: 1)
            case .common(let type): return try measure(common: type, at: name.place, level: level + 1)
            }
        }
    }

    private mutating func measure(
        _ attributes: [SchemaAttribute], in namespace: [ExactString], at place: SchemaPlace, level: Int
    ) throws(SchemaError) -> Measured {
        var types: [ExactString: RecordType.Attribute] = [:]
        var depth = 1
        var nodes = 1
        // The last of two attributes with one name counts, as the language has it; the others are not even looked up.
        var last: [ExactString: Int] = [:]
        for (index, attribute) in attributes.enumerated() { last[attribute.name] = index }
        for (index, attribute) in attributes.enumerated() {
            try SchemaNames.check(annotations: attribute.annotations, at: place)
            guard last[attribute.name] == index else { continue }
            let inner = try measure(attribute.type, in: namespace, at: place, level: level + 1)
            types[attribute.name] = RecordType.Attribute(type: inner.type, isRequired: attribute.isRequired)
            depth = max(depth, inner.depth + 1)
            nodes += inner.nodes
        }
        return try checked(.record(RecordType(attributes: types)), depth: depth, nodes: nodes, at: place)
    }

    private mutating func measure(common name: TypeName, at place: SchemaPlace, level: Int) throws(SchemaError) -> Measured {
        switch progress[name] {
        case .done(let measured):
            guard level + measured.depth <= SchemaLimits.typeDepth else { throw tooDeep(place) }
            return measured
        case .started:
            throw SchemaError(place, "The type `\(name)` is defined by itself.")
        case nil:
            guard let declaration = declarations[name] else { throw SchemaError(place, "There is no type `\(name)`.") }
            progress[name] = .started
            let inner = try measure(
                declaration.type.type, in: declaration.namespace, at: declaration.type.place, level: level)
            let measured = try checked(inner.type, depth: inner.depth + 1, nodes: inner.nodes, at: place)
            progress[name] = .done(measured)
            return measured
        }
    }

    private func checked(_ type: CedarType, depth: Int, nodes: Int, at place: SchemaPlace) throws(SchemaError) -> Measured {
        guard depth <= SchemaLimits.typeDepth else { throw tooDeep(place) }
        guard nodes <= SchemaLimits.typeNodes else {
            throw SchemaError(place, "This type has more than \(SchemaLimits.typeNodes) parts once its names are written out.")
        }
        return Measured(type: type, depth: depth, nodes: nodes)
    }

    private func tooDeep(_ place: SchemaPlace) -> SchemaError {
        SchemaError(place, "Types are nested more than \(SchemaLimits.typeDepth) levels deep here.")
    }
}
