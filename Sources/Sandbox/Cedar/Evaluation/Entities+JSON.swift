extension Entities {
    /// Reads entities from JSON: an array of `{"uid", "attrs", "parents", "tags"?}`.
    ///
    /// - Parameter hints: A schema's answers; with them values may be written without escapes, and the schema's actions are added.
    /// - Throws: `DataError` for malformed JSON, an entity that is none, and what `init(_:)` refuses.
    public init(parsing json: String, hints: (any TypeHints)? = nil) throws(DataError) {
        guard case .array(let elements) = try JSONReader.parse(json) else { throw DataError("entities are a JSON array") }
        var entities: [Entity] = []
        entities.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() { entities.append(try Entity(element, hints, path: "[\(index)]")) }
        if let hints {
            let known = Set(entities.map(\.uid))
            entities += hints.actions.filter { !known.contains($0.uid) }
        }
        try self.init(entities)
    }
}

extension Entity {
    init(_ tree: JSONTree, _ hints: (any TypeHints)?, path: String) throws(DataError) {
        guard case .object = tree else { throw DataError("expected an entity, found \(tree.spoken)", path: path) }
        guard let uidTree = tree["uid"] else { throw DataError("an entity needs `uid`", path: path) }
        let uid = try ValueReader.reference(uidTree, path: path + ".uid")
        guard case .object(let attributes)? = tree["attrs"] else { throw DataError("an entity needs `attrs`, an object", path: path) }
        guard case .array(let parentTrees)? = tree["parents"] else { throw DataError("an entity needs `parents`, an array", path: path) }
        var parents: Set<EntityUID> = []
        for (index, parent) in parentTrees.enumerated() {
            parents.insert(try ValueReader.reference(parent, path: "\(path).parents[\(index)]"))
        }
        var tags = Value.Record.empty
        switch tree["tags"] {
        case nil: break
        case .object(let members)?:
            tags = try ValueReader.record(members, [:], hints?.tagHint(of: uid.type) ?? .plain, path: path + ".tags")
        case let other?: throw DataError("`tags` is an object, not \(other.spoken)", path: path)
        }
        self.init(
            uid: uid, attributes: try ValueReader.record(attributes, hints?.attributeHints(of: uid.type) ?? [:], path: path + ".attrs"),
            tags: tags, parents: parents)
    }
}
