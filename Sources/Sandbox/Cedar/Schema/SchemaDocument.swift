/// A schema as its author wrote it: names are not yet looked up. `Schema` is the result of `Schema.init(_:)`.
///
/// The text form, the JSON form and `SchemaBuilder` all end in this value.
public struct SchemaDocument: Hashable, Sendable {
    /// The namespaces, each once; the unnamed one has an empty name.
    public var namespaces: [SchemaNamespace]

    /// A schema of these namespaces.
    public init(namespaces: [SchemaNamespace] = []) { self.namespaces = namespaces }
}

/// The declarations of one namespace; the empty name is the unnamed one.
public struct SchemaNamespace: Hashable, Sendable {
    /// The parts of the name; none for the unnamed namespace.
    public var name: [ExactString]
    /// Notes of the author.
    public var annotations: [SchemaAnnotation]
    /// The entity types, in the order of the author.
    public var entities: [SchemaEntity]
    /// The common types, in the order of the author.
    public var types: [SchemaCommonType]
    /// The actions, in the order of the author.
    public var actions: [SchemaAction]
    /// Where it stands.
    public var place: SchemaPlace

    /// A namespace without declarations.
    public init(name: [ExactString] = [], annotations: [SchemaAnnotation] = [], place: SchemaPlace = .path([])) {
        self.name = name
        self.annotations = annotations
        self.entities = []
        self.types = []
        self.actions = []
        self.place = place
    }
}

/// A note of the author: it has a name and no meaning here.
public struct SchemaAnnotation: Hashable, Sendable {
    /// The name.
    public var key: ExactString
    /// The text; empty where none was written.
    public var value: ExactString

    /// A note.
    public init(key: ExactString, value: ExactString) {
        self.key = key
        self.value = value
    }
}

/// One declared entity type. A declaration of several names is several of these.
public struct SchemaEntity: Hashable, Sendable {
    /// What a declaration says of its entities.
    public enum Kind: Hashable, Sendable {
        /// Entities with attributes, and with tags when `tags` has their type.
        case standard(parents: [SchemaName], shape: SchemaTypeExpression?, tags: SchemaTypeExpression?)
        /// The ids that exist; such entities have no attributes, tags or parents.
        case enumeration([ExactString])
    }

    /// The name, without the namespace.
    public var name: ExactString
    /// What is said of its entities.
    public var kind: Kind
    /// Notes of the author.
    public var annotations: [SchemaAnnotation]
    /// Where it stands.
    public var place: SchemaPlace
}

/// A type under a name of its own.
public struct SchemaCommonType: Hashable, Sendable {
    /// The name, without the namespace.
    public var name: ExactString
    /// The type, as written.
    public var type: SchemaTypeExpression
    /// Notes of the author.
    public var annotations: [SchemaAnnotation]
    /// Where it stands.
    public var place: SchemaPlace
}

/// One declared action. A declaration of several names is several of these.
public struct SchemaAction: Hashable, Sendable {
    /// Another action, by its id, and by its type if the author wrote one.
    public struct Reference: Hashable, Sendable {
        /// The type, if it was written.
        public var type: SchemaName?
        /// The id.
        public var id: ExactString
        /// Where it stands.
        public var place: SchemaPlace
    }

    /// Who may do the action to what, and what the request says about it.
    public struct Application: Hashable, Sendable {
        /// The types of who may do it.
        public var principals: [SchemaName]
        /// The types of what it may be done to.
        public var resources: [SchemaName]
        /// The type of the context; nil for an empty record.
        public var context: SchemaTypeExpression?
    }

    /// The name, without the namespace.
    public var name: ExactString
    /// The groups that hold it.
    public var parents: [Reference]
    /// Who may do it to what; nil for a pure group.
    public var application: Application?
    /// Notes of the author.
    public var annotations: [SchemaAnnotation]
    /// Where it stands.
    public var place: SchemaPlace
}

/// A name as written, of one part (looked up in the own namespace first) or of several (absolute).
public struct SchemaName: Hashable, Sendable, CustomStringConvertible {
    /// Its parts; at least one.
    public var components: [ExactString]
    /// Where it stands.
    public var place: SchemaPlace

    /// With `::` between the parts.
    public var description: String { components.map(\.string).joined(separator: "::") }
}

/// A type as written.
public indirect enum SchemaTypeExpression: Hashable, Sendable {
    /// Where a name is looked for: the text form says nothing, the JSON form may.
    public enum Lookup: Hashable, Sendable {
        case any
        case entity
        case common
    }

    case builtin(BuiltinType)
    case named(SchemaName, Lookup)
    case set(SchemaTypeExpression)
    case record([SchemaAttribute], place: SchemaPlace)
}

/// One key of a record type.
public struct SchemaAttribute: Hashable, Sendable {
    /// The name, without the namespace.
    public var name: ExactString
    /// The type, as written.
    public var type: SchemaTypeExpression
    /// Whether every value has it.
    public var isRequired: Bool
    /// Notes of the author.
    public var annotations: [SchemaAnnotation]

    /// A key.
    public init(name: ExactString, type: SchemaTypeExpression, isRequired: Bool, annotations: [SchemaAnnotation] = []) {
        self.name = name
        self.type = type
        self.isRequired = isRequired
        self.annotations = annotations
    }
}

/// The types that need no declaration. The raw value is the name in the text form.
public enum BuiltinType: String, Hashable, Sendable, CaseIterable {
    case bool = "Bool"
    case long = "Long"
    case string = "String"
    case decimal
    case ipaddr
    case datetime
    case duration

    /// The type itself.
    public var type: CedarType {
        switch self {
        case .bool: .bool
        case .long: .long
        case .string: .string
        case .decimal: .extension(.decimal)
        case .ipaddr: .extension(.ipaddr)
        case .datetime: .extension(.datetime)
        case .duration: .extension(.duration)
        }
    }
}
