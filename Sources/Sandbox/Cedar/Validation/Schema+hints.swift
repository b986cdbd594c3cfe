/// A schema says how values of entities and contexts may be written in JSON.
extension Schema: TypeHints {
    /// What of the attributes may be written short.
    public func attributeHints(of type: TypeName) -> [ExactString: TypeHint] {
        entityDefinitions[type]?.attributes.hints ?? [:]
    }

    /// Whether tags may be written short.
    public func tagHint(of type: TypeName) -> TypeHint { entityDefinitions[type]?.tags?.hint ?? .plain }

    /// What of the context may be written short.
    public func contextHints(of action: EntityUID) -> [ExactString: TypeHint] { actionDefinitions[action]?.context.hints ?? [:] }

    /// The declared actions with their parents, by identity.
    public var actions: [Entity] {
        actionDefinitions.values.map { Entity(uid: $0.uid, parents: $0.parents) }.sorted { $0.uid < $1.uid }
    }
}

extension CedarType {
    fileprivate var hint: TypeHint {
        switch self {
        case .true, .false, .bool, .long, .string: return .plain
        case .entity: return .entity
        case .extension(let type): return .extensionValue(type)
        case .set(let element):
            let inner = element.hint
            return inner == .plain ? .plain : .set(inner)
        case .record(let record):
            let inner = record.hints
            return inner.isEmpty ? .plain : .record(inner)
        }
    }
}

extension RecordType {
    /// Only what is not plain: most keys are, and a missing one is read as plain.
    fileprivate var hints: [ExactString: TypeHint] {
        var result: [ExactString: TypeHint] = [:]
        for (name, attribute) in attributes {
            let hint = attribute.type.hint
            if hint != .plain { result[name] = hint }
        }
        return result
    }
}
