/// Attributes and tags: what a policy may read, and after which test.
extension Typechecker {
    mutating func checkHas(_ expr: Expr, _ path: [ExactString], _ prior: Set<Capability>) -> Typed {
        guard var base = expr.children.first else { return .failed }
        var result = Conjunction(prior)
        var type = check(base, prior).type
        for (index, name) in path.enumerated() {
            guard let attributes = attributes(of: type, base) else { return .failed }
            result.append(has(base, name, attributes, result.known))
            if result.isFalse { break }
            if index + 1 < path.count {
                type = attributes.record.attributes[name]?.type
                base = Expr(.attribute(name), [base], range: expr.range)
            }
        }
        return result.typed
    }

    private typealias Attributes = (record: RecordType, isEntity: Bool)

    /// One step of `has`.
    private func has(_ base: Expr, _ name: ExactString, _ attributes: Attributes, _ prior: Set<Capability>) -> Typed {
        guard let attribute = attributes.record.attributes[name] else { return Typed(type: .false) }
        let capability = Capability.attribute(base, name)
        // An entity may be missing from the store, and then it has no attribute at all.
        let isSure = (attribute.isRequired && !attributes.isEntity) || prior.contains(capability)
        return Typed(type: isSure ? .true : .bool, capabilities: [capability])
    }

    mutating func checkAttribute(_ expr: Expr, _ name: ExactString, _ prior: Set<Capability>) -> Typed {
        guard let base = expr.children.first else { return .failed }
        let type = check(base, prior).type
        guard let type, let attributes = attributes(of: type, base) else { return .failed }
        guard let attribute = attributes.record.attributes[name] else {
            let owner = attributes.isEntity ? "`\(type.spoken)`" : "This record"
            report(.unknownAttribute, expr, "\(owner) has no attribute `\(SchemaNames.written(name))`.")
            return .failed
        }
        guard attribute.isRequired || prior.contains(.attribute(base, name)) else {
            report(
                .unguardedAttribute, expr,
                "The attribute `\(SchemaNames.written(name))` may be missing; ask with `has` before it is read.")
            return .failed
        }
        return Typed(type: attribute.type)
    }

    /// The attributes of an entity or a record; a report and nil for anything else.
    private mutating func attributes(of type: CedarType?, _ expr: Expr) -> Attributes? {
        switch type {
        case .entity(let name): return (schema.entityDefinitions[name]?.attributes ?? RecordType(), true)
        case .record(let record): return (record, false)
        case nil: return nil
        case let type?:
            report(.unexpectedType, expr, "Only entities and records have attributes, and this is `\(type.spoken)`.")
            return nil
        }
    }

    // MARK: - Tags

    mutating func checkHasTag(_ entity: Expr, _ key: Expr, _ prior: Set<Capability>) -> Typed {
        let name = expectEntity(entity, prior)
        let isKey = expect(.string, key, prior)
        guard let name, isKey else { return .failed }
        guard schema.entityDefinitions[name]?.tags != nil else { return Typed(type: .false) }
        let capability = Capability.tag(entity, key)
        return Typed(type: prior.contains(capability) ? .true : .bool, capabilities: [capability])
    }

    mutating func checkGetTag(_ expr: Expr, _ entity: Expr, _ key: Expr, _ prior: Set<Capability>) -> Typed {
        let name = expectEntity(entity, prior)
        let isKey = expect(.string, key, prior)
        guard let name, isKey else { return .failed }
        guard let tags = schema.entityDefinitions[name]?.tags else {
            report(.unguardedTag, expr, "`\(name)` has no tags.")
            return .failed
        }
        guard prior.contains(.tag(entity, key)) else {
            report(.unguardedTag, expr, "The tag may be missing; ask with `hasTag` and the same key before it is read.")
            return .failed
        }
        return Typed(type: tags)
    }
}
