internal import Cedar
internal import JSON

/// What policies see of arguments: the tool's schema without secrets, made ready to turn JSON into Cedar's values.
///
/// Secrets (`writeOnly`, and the names that ``Redaction`` masks) are left out: what no record has no policy sees, so that every decision
/// can be made again from the log. Pure; its recursion is bounded by the schema's depth.
indirect enum ArgumentShape: Sendable {
    struct Field: Sendable {
        let name: String
        let key: ExactString
        let shape: ArgumentShape
        /// Every call has it, and it is not null.
        let isRequired: Bool
        let node: SchemaNode
    }

    case string
    case decimal
    /// A date is its midnight, UTC.
    case date
    case long
    case bool
    case record([Field])
    /// Nulls among the elements are left out.
    case set(ArgumentShape)

    /// Nil for what is never seen: a secret, or a type whose only value is null.
    init?(_ node: SchemaNode) {
        guard !node.isSecret else { return nil }
        switch node.shape {
        case .string(let shape):
            switch shape.format {
            case nil: self = .string
            case .date: self = .date
            case .decimal: self = .decimal
            }
        case .integer: self = .long
        case .boolean: self = .bool
        case .null: return nil
        case .array(let array):
            guard let items = ArgumentShape(array.items) else { return nil }
            self = .set(items)
        case .object(let object):
            self = .record(
                object.properties.compactMap { property in
                    guard !property.isHidden, let shape = ArgumentShape(property.schema) else { return nil }
                    return Field(
                        name: property.name, key: ExactString(property.name), shape: shape,
                        isRequired: property.isRequired && !property.schema.isNullable, node: property.schema)
                })
        }
    }

    /// The type in a Cedar schema.
    var type: SchemaTypeExpression {
        switch self {
        case .string: .string
        case .decimal: .decimal
        case .date: .datetime
        case .long: .long
        case .bool: .bool
        case .set(let element): .set(element.type)
        case .record(let fields):
            .record(fields.map { $0.isRequired ? .required($0.name, $0.shape.type) : .optional($0.name, $0.shape.type) })
        }
    }

    /// Cedar's value of arguments; nil of null.
    ///
    /// - Throws: for a value that does not fit the schema.
    func value(_ json: JSONValue) throws(Misfit) -> Value? {
        switch (self, json) {
        case (_, .null): return nil
        case (.string, .string(let text)): return .string(ExactString(text))
        case (.long, .integer(let integer)): return .long(integer)
        case (.bool, .bool(let flag)): return .bool(flag)
        case (.decimal, .string(let text)):
            guard let scaled = FixedPoint.scaled(text, places: FixedPoint.argumentPlaces) else { throw Misfit() }
            return .decimal(Value.Decimal(tenThousandths: scaled))
        case (.date, .string(let text)):
            guard CivilDay.isDate(text), let date = try? Value.Datetime(ExactString(text)) else { throw Misfit() }
            return .datetime(date)
        case (.set(let shape), .array(let elements)):
            var values: [Value] = []
            values.reserveCapacity(elements.count)
            for element in elements { if let value = try shape.value(element) { values.append(value) } }
            guard let set = Value.Elements(values) else { throw Misfit() }
            return .set(set)
        case (.record(let fields), .object(let object)): return .record(try Self.record(fields, object))
        default: throw Misfit()
        }
    }

    static func record(_ fields: [Field], _ object: JSONObject) throws(Misfit) -> Value.Record {
        var values: [ExactString: Value] = [:]
        values.reserveCapacity(fields.count)
        for field in fields {
            guard let member = object[field.name], let value = try field.shape.value(member) else {
                guard !field.isRequired else { throw Misfit() }
                continue
            }
            values[field.key] = value
        }
        guard let record = Value.Record(values) else { throw Misfit() }
        return record
    }

    /// Arguments that do not fit their tool's schema. Whoever asks has checked that they do.
    struct Misfit: Error {}
}

extension JSONObject {
    /// The arguments without their secrets; what the schema does not know stays.
    func withoutSecrets(by node: SchemaNode) -> JSONObject {
        guard case .object(let shape) = node.shape else { return self }
        var kept = JSONObject()
        for member in members {
            guard let property = shape.properties.first(where: { $0.name == member.key }) else {
                kept[member.key] = member.value
                continue
            }
            if !property.isHidden { kept[member.key] = member.value.withoutSecrets(by: property.schema) }
        }
        return kept
    }
}

extension JSONValue {
    fileprivate func withoutSecrets(by node: SchemaNode) -> JSONValue {
        switch (node.shape, self) {
        case (.object, .object(let object)): .object(object.withoutSecrets(by: node))
        case (.array(let shape), .array(let elements)): .array(elements.map { $0.withoutSecrets(by: shape.items) })
        default: self
        }
    }
}

extension SchemaNode.Property {
    /// Whether no record has it.
    var isHidden: Bool { Redaction.names.contains(name.lowercased()) || schema.isHidden }
}

extension SchemaNode {
    fileprivate var isHidden: Bool {
        guard !isSecret, case .array(let array) = shape else { return isSecret }
        return array.items.isHidden
    }

    private var holdsSecrets: Bool {
        switch shape {
        case .object(let object): object.properties.contains { $0.isHidden || $0.schema.holdsSecrets }
        case .array(let array): array.items.isHidden || array.items.holdsSecrets
        case .string, .integer, .boolean, .null: false
        }
    }

    /// The same without what is secret, so that arguments that come from a log can be checked.
    var withoutSecrets: SchemaNode {
        guard holdsSecrets else { return self }
        let shape: Shape =
            switch self.shape {
            case .object(let object):
                .object(
                    ObjectShape(
                        properties: object.properties.filter { !$0.isHidden }
                            .map { Property(name: $0.name, schema: $0.schema.withoutSecrets, isRequired: $0.isRequired) }))
            case .array(let array):
                // Elements that differ in their secrets alone are the same without them.
                .array(ArrayShape(items: array.items.withoutSecrets, count: array.count, isUnique: false))
            case let other: other
            }
        return SchemaNode(shape: shape, isNullable: isNullable, allowed: nil, isSecret: false)
    }
}
