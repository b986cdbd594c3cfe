/// A type of the language, with every name looked up.
public indirect enum CedarType: Hashable, Sendable {
    /// The type of an expression that is `true` whatever the request.
    case `true`
    /// The type of an expression that is `false` whatever the request.
    case `false`
    case bool
    case long
    case string
    case set(CedarType)
    case record(RecordType)
    case entity(TypeName)
    case `extension`(ExtensionFunction.ExtensionType)

    /// Whether a value of this type is true or false.
    public var isBoolean: Bool {
        switch self {
        case .true, .false, .bool: true
        default: false
        }
    }
}

/// A closed record: exactly these keys, of which optional ones may be absent.
public struct RecordType: Hashable, Sendable {
    /// What a key holds, and whether it is always there.
    public struct Attribute: Hashable, Sendable {
        /// The type of its value.
        public let type: CedarType
        /// Whether every value of the record has it.
        public let isRequired: Bool

        /// A key of this type.
        public init(type: CedarType, isRequired: Bool = true) {
            self.type = type
            self.isRequired = isRequired
        }
    }

    /// The keys.
    public let attributes: [ExactString: Attribute]

    /// A record of these keys.
    public init(attributes: [ExactString: Attribute] = [:]) { self.attributes = attributes }
}

extension CedarType: CustomStringConvertible {
    /// As a schema writes it.
    public var description: String {
        switch self {
        case .true: "True"
        case .false: "False"
        case .bool: "Bool"
        case .long: "Long"
        case .string: "String"
        case .set(let element): "Set<\(element)>"
        case .record(let record): record.description
        case .entity(let type): type.description
        case .extension(let type): type.rawValue
        }
    }
}

extension CedarType {
    /// As a message names it: a record of many keys is cut short.
    var spoken: String {
        let scalars = description.unicodeScalars
        return scalars.count <= 160 ? String(scalars) : String(scalars.prefix(160)) + "…"
    }
}

extension RecordType: CustomStringConvertible {
    /// As a schema writes it.
    public var description: String {
        let parts = attributes.sorted { $0.key < $1.key }
            .map { "\(SchemaNames.written($0.key))\($0.value.isRequired ? "" : "?"): \($0.value.type)" }
        return "{\(parts.joined(separator: ", "))}"
    }
}
