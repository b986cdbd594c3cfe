public import JSON

/// The arguments that a tool takes: a closed subset of JSON Schema 2020-12, compiled once.
public struct ArgumentSchema: Sendable {
    /// The schema as it was given.
    public let source: JSONValue
    let root: SchemaNode
    /// Whether any text says whose it is (``TenantTemplate``).
    let hasTenant: Bool

    /// - Throws: ``CatalogError`` for what is outside the subset.
    public init(_ source: JSONValue) throws(CatalogError) {
        var compiler = SchemaCompiler()
        root = try compiler.compileRoot(source)
        self.source = source
        hasTenant = root.hasTenant
    }

    /// Whether the arguments fit. Each name and text is compared byte by byte.
    ///
    /// - Throws: ``ArgumentError`` with the first mistake.
    public func validate(_ arguments: JSONObject) throws(ArgumentError) {
        try root.validate(.object(arguments), at: ArgumentPath())
    }

    /// The names of the arguments, in the order of the schema.
    public var properties: [String] {
        guard case .object(let object) = root.shape else { return [] }
        return object.properties.map(\.name)
    }

    /// Whether there is such an argument and every call has it.
    public func requires(_ name: String) -> Bool {
        guard case .object(let object) = root.shape else { return false }
        return object.properties.contains { $0.name == name && $0.isRequired }
    }

    /// Whether the argument is a text, an integer or a truth value.
    func isScalar(_ name: String) -> Bool {
        guard case .object(let object) = root.shape, let property = object.properties.first(where: { $0.name == name }) else {
            return false
        }
        guard !property.schema.isNullable else { return false }
        return switch property.schema.shape {
        case .string, .integer, .boolean: true
        case .object, .array, .null: false
        }
    }
}

/// Why arguments do not fit a tool's schema.
public struct ArgumentError: Error, Sendable, Hashable {
    /// Where: `amount`, `items[3].id`; empty for the arguments as a whole. Names that the schema has not are escaped.
    public let path: String
    /// The keyword that was broken: `required`, `maximum`, `additionalProperties`; `json` for a text that is no strict JSON.
    public let rule: String
    public let message: String

    public init(path: String, rule: String, message: String) {
        self.path = path
        self.rule = rule
        self.message = message
    }
}

/// Why a catalog, or a schema in it, is refused.
public struct CatalogError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where: `tools[2].parameters.properties.amount`.
    public let path: String
    /// The key or keyword that was broken.
    public let rule: String
    public let message: String

    public init(path: String, rule: String, message: String) {
        self.path = path
        self.rule = rule
        self.message = message
    }

    public var description: String { "\(path.isEmpty ? "catalog" : path): \(message) (\(rule))" }
}
