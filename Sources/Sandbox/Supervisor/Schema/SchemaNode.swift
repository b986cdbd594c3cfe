internal import JSON

/// One compiled schema. Pure; its recursion is bounded by ``SupervisorLimits/schemaDepthMax``, whatever the arguments are.
struct SchemaNode: Sendable {
    indirect enum Shape: Sendable {
        case object(ObjectShape)
        case array(ArrayShape)
        case string(StringShape)
        case integer(ClosedRange<Int64>)
        case boolean
        case null
    }

    struct ObjectShape: Sendable {
        let properties: [Property]
    }

    struct Property: Sendable {
        let name: String
        let schema: SchemaNode
        let isRequired: Bool
    }

    struct ArrayShape: Sendable {
        let items: SchemaNode
        let count: ClosedRange<Int>
        let isUnique: Bool
    }

    struct StringShape: Sendable {
        enum Format: Sendable {
            case decimal(DecimalRange)
            case date
        }

        /// In Unicode scalars.
        let length: ClosedRange<Int>
        let format: Format?
        let pattern: LinearPattern?
        /// Whose the thing is that the text names.
        let tenant: TenantTemplate?
    }

    let shape: Shape
    let isNullable: Bool
    /// The canonical bytes of the values that `enum` or `const` leaves.
    let allowed: Set<[UInt8]>?
    /// `writeOnly`: the value is a secret, and no record has it.
    let isSecret: Bool

    func validate(_ value: JSONValue, at path: ArgumentPath) throws(ArgumentError) {
        if case .null = value, isNullable { return try validateAllowed(value, at: path) }
        switch (shape, value) {
        case (.object(let shape), .object(let object)): try shape.validate(object, at: path)
        case (.array(let shape), .array(let elements)): try shape.validate(elements, at: path)
        case (.string(let shape), .string(let text)): try shape.validate(text, at: path)
        case (.integer(let range), .integer(let integer)):
            guard integer >= range.lowerBound else { throw path.error("minimum", "is less than \(range.lowerBound)") }
            guard integer <= range.upperBound else { throw path.error("maximum", "is more than \(range.upperBound)") }
        case (.boolean, .bool), (.null, .null): break
        default: throw path.error("type", "is not of type \(typeName)")
        }
        try validateAllowed(value, at: path)
    }

    private func validateAllowed(_ value: JSONValue, at path: ArgumentPath) throws(ArgumentError) {
        guard let allowed, !allowed.contains(value.canonicalBytes) else { return }
        throw path.error("enum", "is none of the values that are allowed")
    }

    private var typeName: String {
        switch shape {
        case .object: "object"
        case .array: "array"
        case .string: "string"
        case .integer: "integer"
        case .boolean: "boolean"
        case .null: "null"
        }
    }
}

extension SchemaNode.ObjectShape {
    func validate(_ object: JSONObject, at path: ArgumentPath) throws(ArgumentError) {
        for member in object.members {
            // Swift compares texts by what they look like; a name of ASCII alone can only be itself.
            guard SafeText.isPropertyName(member.key), let property = properties.first(where: { $0.name == member.key }) else {
                throw path.member(SafeText.shown(member.key)).error("additionalProperties", "is not an argument of this tool")
            }
            try property.schema.validate(member.value, at: path.member(property.name))
        }
        for property in properties where property.isRequired && object[property.name] == nil {
            throw path.member(property.name).error("required", "is missing")
        }
    }
}

extension SchemaNode.ArrayShape {
    func validate(_ elements: [JSONValue], at path: ArgumentPath) throws(ArgumentError) {
        guard elements.count >= count.lowerBound else { throw path.error("minItems", "has fewer than \(count.lowerBound) items") }
        guard elements.count <= count.upperBound else { throw path.error("maxItems", "has more than \(count.upperBound) items") }
        var seen: Set<[UInt8]> = []
        for (index, element) in elements.enumerated() {
            try items.validate(element, at: path.item(index))
            guard !isUnique || seen.insert(element.canonicalBytes).inserted else {
                throw path.item(index).error("uniqueItems", "is there already")
            }
        }
    }
}

extension SchemaNode.StringShape {
    func validate(_ text: String, at path: ArgumentPath) throws(ArgumentError) {
        let scalars = text.unicodeScalars.count
        guard scalars >= length.lowerBound else { throw path.error("minLength", "is shorter than \(length.lowerBound) characters") }
        guard scalars <= length.upperBound else { throw path.error("maxLength", "is longer than \(length.upperBound) characters") }
        if let pattern, !pattern.matches(text) { throw path.error("pattern", "does not match \(pattern.source)") }
        switch format {
        case nil: break
        case .date: guard CivilDay.isDate(text) else { throw path.error("format", "is not a date like 2026-01-31") }
        case .decimal(let range): try range.validate(text, at: path)
        }
    }
}

/// Where in the arguments a value stands. Made anew on the way down; its length is bounded by the schema's depth and names.
struct ArgumentPath: Sendable {
    private var text = ""

    func member(_ name: String) -> ArgumentPath {
        var path = self
        path.text += path.text.isEmpty ? name : ".\(name)"
        return path
    }

    func item(_ index: Int) -> ArgumentPath {
        var path = self
        path.text += "[\(index)]"
        return path
    }

    func error(_ rule: String, _ message: String) -> ArgumentError {
        let subject = text.isEmpty ? "the arguments" : text
        return ArgumentError(path: text, rule: rule, message: "\(subject) \(message)")
    }
}
