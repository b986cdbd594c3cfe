/// A JSON object of a schema, with the path to it, read key by key.
struct JSONFields {
    let members: [JSONTree.Member]
    let path: [String]

    /// - Throws: if the value is no object, or a key stands twice.
    init(_ tree: JSONTree, at path: [String]) throws(SchemaError) {
        guard case .object(let members) = tree else {
            throw SchemaError(.path(path), "Here must be an object, and this is \(tree.spoken).")
        }
        var keys: Set<ExactString> = []
        for member in members where !keys.insert(member.key).inserted {
            throw SchemaError(.path(path), "The key \(Escape.quoted(member.key)) stands here twice.")
        }
        self.members = members
        self.path = path
    }

    var place: SchemaPlace { .path(path) }

    /// Refuses every other key.
    func allow(_ keys: Set<ExactString>) throws(SchemaError) {
        for member in members where !keys.contains(member.key) {
            throw SchemaError(place, "The key \(Escape.quoted(member.key)) means nothing here.")
        }
    }

    func isNull(_ key: ExactString) -> Bool {
        if case .null? = value(key) { true } else { false }
    }

    func object(_ key: ExactString) throws(SchemaError) -> JSONFields? {
        guard let value = value(key) else { return nil }
        return try JSONFields(value, at: path + [key.string])
    }

    func requiredObject(_ key: ExactString) throws(SchemaError) -> JSONFields {
        guard let fields = try object(key) else { throw missing(key) }
        return fields
    }

    func array(_ key: ExactString) throws(SchemaError) -> [JSONTree]? {
        guard let value = value(key) else { return nil }
        guard case .array(let elements) = value else { throw wrong(key, "an array", value) }
        return elements
    }

    func strings(_ key: ExactString) throws(SchemaError) -> [ExactString]? {
        guard let elements = try array(key) else { return nil }
        var result: [ExactString] = []
        for element in elements {
            guard case .string(let text) = element else { throw wrong(key, "an array of strings", element) }
            result.append(text)
        }
        return result
    }

    func string(_ key: ExactString) throws(SchemaError) -> ExactString? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw wrong(key, "a string", value) }
        return text
    }

    func requiredString(_ key: ExactString) throws(SchemaError) -> ExactString {
        guard let text = try string(key) else { throw missing(key) }
        return text
    }

    func bool(_ key: ExactString) throws(SchemaError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .bool(let answer) = value else { throw wrong(key, "true or false", value) }
        return answer
    }

    private func value(_ key: ExactString) -> JSONTree? { members.first { $0.key == key }?.value }

    private func missing(_ key: ExactString) -> SchemaError { SchemaError(place, "The key \"\(key)\" is missing.") }

    private func wrong(_ key: ExactString, _ wanted: String, _ value: JSONTree) -> SchemaError {
        SchemaError(.path(path + [key.string]), "Here must be \(wanted), and this is \(value.spoken).")
    }
}
