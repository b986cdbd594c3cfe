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
    public struct Attribute: Hashable, Sendable {
        public let type: CedarType
        public let isRequired: Bool

        public init(type: CedarType, isRequired: Bool = true) {
            self.type = type
            self.isRequired = isRequired
        }
    }

    public let attributes: [ExactString: Attribute]

    public init(attributes: [ExactString: Attribute] = [:]) { self.attributes = attributes }
}

extension CedarType: CustomStringConvertible {
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

extension RecordType: CustomStringConvertible {
    public var description: String {
        let parts = attributes.sorted { $0.key < $1.key }
            .map { "\(SchemaNames.written($0.key))\($0.value.isRequired ? "" : "?"): \($0.value.type)" }
        return "{\(parts.joined(separator: ", "))}"
    }
}
