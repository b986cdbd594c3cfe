/// Makes a schema in code: the supervisor builds one from its tool catalog.
///
/// Names of types may be one part, looked up in the builder's namespace first, or several joined by `::`. Errors in
/// names come out of `schema()` and `text()`, with the declaration as the place.
public struct SchemaBuilder: Sendable {
    private var namespace: SchemaNamespace

    /// - Parameter name: the namespace of everything that is declared, such as `Shop::Tools`; empty for none.
    public init(namespace name: String = "") {
        namespace = SchemaNamespace(
            name: name.isEmpty ? [] : SchemaName(written: name, place: .path([])).components, place: .path(["namespace \(name)"]))
    }

    /// Declares an entity type.
    ///
    /// - Parameters:
    ///   - parents: the types that its entities may be in.
    ///   - tags: the type of every tag; nil for entities without tags.
    public mutating func entity(
        _ name: String, in parents: [String] = [], attributes: [SchemaAttribute] = [], tags: SchemaTypeExpression? = nil,
        annotations: [SchemaAnnotation] = []
    ) {
        let place = SchemaPlace.path(namespacePath + ["entity \(name)"])
        let kind = SchemaEntity.Kind.standard(
            parents: parents.map { SchemaName(written: $0, place: place) },
            shape: attributes.isEmpty ? nil : .record(attributes, place: place), tags: tags?.placed(place))
        namespace.entities.append(
            SchemaEntity(name: ExactString(name), kind: kind.placed(place), annotations: annotations, place: place))
    }

    /// Declares an entity type whose ids are listed.
    public mutating func enumeration(_ name: String, _ choices: [String], annotations: [SchemaAnnotation] = []) {
        let place = SchemaPlace.path(namespacePath + ["entity \(name)"])
        namespace.entities.append(
            SchemaEntity(
                name: ExactString(name), kind: .enumeration(choices.map { ExactString($0) }), annotations: annotations, place: place))
    }

    /// Declares a name for a type.
    public mutating func type(_ name: String, _ type: SchemaTypeExpression, annotations: [SchemaAnnotation] = []) {
        let place = SchemaPlace.path(namespacePath + ["type \(name)"])
        namespace.types.append(
            SchemaCommonType(name: ExactString(name), type: type.placed(place), annotations: annotations, place: place))
    }

    /// Declares an action that the principals may do to the resources.
    ///
    /// - Parameters:
    ///   - groups: actions of the same namespace that hold this one.
    ///   - context: the keys of the request's context.
    public mutating func action(
        _ name: String, in groups: [String] = [], principals: [String], resources: [String], context: [SchemaAttribute] = [],
        annotations: [SchemaAnnotation] = []
    ) {
        let place = SchemaPlace.path(namespacePath + ["action \"\(name)\""])
        let application = SchemaAction.Application(
            principals: principals.map { SchemaName(written: $0, place: place) },
            resources: resources.map { SchemaName(written: $0, place: place) },
            context: context.isEmpty ? nil : SchemaTypeExpression.record(context, place: place).placed(place))
        append(name, groups: groups, application: application, annotations: annotations, place: place)
    }

    /// Declares an action that only holds others.
    public mutating func actionGroup(_ name: String, in groups: [String] = [], annotations: [SchemaAnnotation] = []) {
        let place = SchemaPlace.path(namespacePath + ["action \"\(name)\""])
        append(name, groups: groups, application: nil, annotations: annotations, place: place)
    }

    /// What has been declared so far, unchecked.
    public var document: SchemaDocument { SchemaDocument(namespaces: [namespace]) }

    /// What has been declared so far, checked and looked up.
    public func schema() throws(SchemaError) -> Schema { try Schema(document) }

    /// What has been declared so far in the text form, checked.
    public func text() throws(SchemaError) -> String {
        _ = try Schema(document)
        return try document.text()
    }

    private var namespacePath: [String] { namespace.name.isEmpty ? [] : [SchemaNames.path(namespace.name)] }

    private mutating func append(
        _ name: String, groups: [String], application: SchemaAction.Application?, annotations: [SchemaAnnotation],
        place: SchemaPlace
    ) {
        let parents = groups.map { SchemaAction.Reference(type: nil, id: ExactString($0), place: place) }
        namespace.actions.append(
            SchemaAction(name: ExactString(name), parents: parents, application: application, annotations: annotations, place: place))
    }
}

extension SchemaAttribute {
    /// A key that every value has.
    public static func required(
        _ name: String, _ type: SchemaTypeExpression, annotations: [SchemaAnnotation] = []
    ) -> SchemaAttribute {
        SchemaAttribute(name: ExactString(name), type: type, isRequired: true, annotations: annotations)
    }

    /// A key that a value may lack: a policy asks with `has` before it reads it.
    public static func optional(
        _ name: String, _ type: SchemaTypeExpression, annotations: [SchemaAnnotation] = []
    ) -> SchemaAttribute {
        SchemaAttribute(name: ExactString(name), type: type, isRequired: false, annotations: annotations)
    }
}

extension SchemaTypeExpression {
    /// `Bool`.
    public static var bool: SchemaTypeExpression { .builtin(.bool) }
    /// `Long`, a 64-bit integer.
    public static var long: SchemaTypeExpression { .builtin(.long) }
    /// `String`.
    public static var string: SchemaTypeExpression { .builtin(.string) }
    /// `decimal`, with four decimal places.
    public static var decimal: SchemaTypeExpression { .builtin(.decimal) }
    /// `ipaddr`, an address or a range of addresses.
    public static var ipaddr: SchemaTypeExpression { .builtin(.ipaddr) }
    /// `datetime`, a moment.
    public static var datetime: SchemaTypeExpression { .builtin(.datetime) }
    /// `duration`, a stretch of time.
    public static var duration: SchemaTypeExpression { .builtin(.duration) }

    /// A record of these keys.
    public static func record(_ attributes: [SchemaAttribute]) -> SchemaTypeExpression { .record(attributes, place: .path([])) }

    /// A declared entity type or common type.
    public static func named(_ name: String) -> SchemaTypeExpression {
        .named(SchemaName(written: name, place: .path([])), .any)
    }

    /// The same type, with the place of the declaration that holds it.
    ///
    /// Stops where the limit of nesting is passed: looking the type up fails there, whatever is below.
    func placed(_ place: SchemaPlace, level: Int = 0) -> SchemaTypeExpression {
        guard level <= SchemaLimits.typeDepth else { return self }
        switch self {
        case .builtin: return self
        case .named(let name, let lookup): return .named(SchemaName(components: name.components, place: place), lookup)
        case .set(let element): return .set(element.placed(place, level: level + 1))
        case .record(let attributes, _):
            let placed = attributes.map { attribute in
                var copy = attribute
                copy.type = attribute.type.placed(place, level: level + 1)
                return copy
            }
            return .record(placed, place: place)
        }
    }
}

extension SchemaEntity.Kind {
    fileprivate func placed(_ place: SchemaPlace) -> SchemaEntity.Kind {
        guard case .standard(let parents, let shape, let tags) = self else { return self }
        return .standard(parents: parents, shape: shape?.placed(place), tags: tags?.placed(place))
    }
}

extension SchemaName {
    /// Takes a name with `::` apart. Parts that are no names are refused when the schema is looked up.
    init(written: String, place: SchemaPlace) {
        var components: [ExactString] = []
        var part = String.UnicodeScalarView()
        var scalars = written.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            if scalar == ":", scalars.first == ":" {
                scalars.removeFirst()
                components.append(ExactString(String(part)))
                part = String.UnicodeScalarView()
            } else {
                part.append(scalar)
            }
        }
        components.append(ExactString(String(part)))
        self.init(components: components, place: place)
    }
}
