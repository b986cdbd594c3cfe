internal import JSON

/// Takes secrets out of what is recorded and shown: arguments that the schema says are `writeOnly`, those whose names say it, and what
/// looks like a card's number in any text.
struct Redaction: Sendable {
    static let mark = "[redacted]"

    static let names: Set<String> = [
        "password", "passwd", "secret", "token", "access_token", "refresh_token", "id_token", "api_key", "apikey", "authorization",
        "credential", "credentials", "private_key", "client_secret", "card_number", "cvc", "cvv", "pin", "iban",
    ]

    private(set) var paths: [String] = []
    /// The texts in which something looked like a card's number, as they were.
    private(set) var cards: [String] = []

    /// The arguments as they may be recorded; `paths` then has what was taken out.
    mutating func redacted(_ arguments: JSONObject, by schema: ArgumentSchema) -> JSONValue {
        redacted(.object(arguments), by: schema.root, at: "")
    }

    private mutating func redacted(_ value: JSONValue, by node: SchemaNode, at path: String) -> JSONValue {
        guard !node.isSecret else { return marked(path) }
        switch (node.shape, value) {
        case (.object(let shape), .object(let object)):
            var kept = JSONObject()
            for member in object.members {
                guard let property = shape.properties.first(where: { $0.name == member.key }) else { continue }
                let inner = path.isEmpty ? member.key : "\(path).\(member.key)"
                let isNamed = Self.names.contains(member.key.lowercased())
                kept[member.key] = isNamed ? marked(inner) : redacted(member.value, by: property.schema, at: inner)
            }
            return .object(kept)
        case (.array(let shape), .array(let elements)):
            return .array(elements.enumerated().map { redacted($1, by: shape.items, at: "\(path)[\($0)]") })
        case (_, .string(let text)):
            guard let masked = CardNumbers.masked(text) else { return value }
            cards.append(text)
            _ = marked(path)
            return .string(masked)
        default: return value
        }
    }

    /// Whether an argument of this name stands in no record.
    static func hides(_ name: String, in schema: ArgumentSchema) -> Bool {
        guard case .object(let shape) = schema.root.shape, !names.contains(name.lowercased()) else { return true }
        return schema.root.isSecret || shape.properties.contains { $0.name == name && $0.schema.isSecret }
    }

    private mutating func marked(_ path: String) -> JSONValue {
        if paths.count < SupervisorLimits.redactedPathsMax { paths.append(path) }
        return .string(Self.mark)
    }
}
