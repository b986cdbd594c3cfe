/// Makes values from JSON.
enum ValueReader {
    /// The value of `tree`. Depth is bounded by `JSONLimits.depth`.
    static func value(_ tree: JSONTree, _ hint: TypeHint, path: String) throws(DataError) -> Value {
        switch hint {
        case .entity: return .entity(try reference(tree, path: path))
        case .extensionValue(let type): return try extensionValue(tree, type, path: path)
        case .plain, .set, .record: break
        }
        switch tree {
        case .null: throw DataError("there is no null", path: path)
        case .bool(let value): return .bool(value)
        case .integer(let value): return .long(value)
        case .number(let text): throw DataError("\(text) is not a whole number of 64 bits in plain spelling", path: path)
        case .string(let text): return .string(text)
        case .array(let elements):
            var values: [Value] = []
            values.reserveCapacity(elements.count)
            let inner = if case .set(let inner) = hint { inner } else { TypeHint.plain }
            for (index, element) in elements.enumerated() { values.append(try value(element, inner, path: "\(path)[\(index)]")) }
            guard let set = Value.Elements(values) else { throw tooDeep(path) }
            return .set(set)
        case .object(let members):
            if let escaped = try escape(tree, path: path) { return escaped }
            let fields = if case .record(let fields) = hint { fields } else { [ExactString: TypeHint]() }
            return .record(try record(members, fields, path: path))
        }
    }

    /// The attributes of an object; a key that stands twice is refused.
    static func record(
        _ members: [JSONTree.Member], _ hints: [ExactString: TypeHint], _ rest: TypeHint = .plain, path: String
    ) throws(DataError) -> Value.Record {
        var fields: [ExactString: Value] = [:]
        for member in members {
            let inner = path.isEmpty ? member.key.string : "\(path).\(member.key)"
            let value = try value(member.value, hints[member.key] ?? rest, path: inner)
            guard fields.updateValue(value, forKey: member.key) == nil else { throw DataError("the key stands there twice", path: inner) }
        }
        guard let record = Value.Record(fields) else { throw tooDeep(path) }
        return record
    }

    /// `{"type", "id"}`, alone or under `__entity`.
    static func reference(_ tree: JSONTree, path: String) throws(DataError) -> EntityUID {
        let inner = tree["__entity"] ?? tree
        guard case .string(let type)? = inner["type"], case .string(let id)? = inner["id"] else {
            throw DataError("expected an entity as {\"type\": …, \"id\": …}, found \(tree.spoken)", path: path)
        }
        guard let name = TypeName(type.string) else {
            throw DataError("\(Escape.quoted(type)) is not the name of an entity type", path: path)
        }
        return EntityUID(type: name, id: id)
    }

    /// An object with the single key of an escape and the shape that belongs to it; nil for any other, which is a record.
    static func escape(_ tree: JSONTree, path: String) throws(DataError) -> Value? {
        guard case .object(let members) = tree, members.count == 1 else { return nil }
        let inner = members[0].value
        switch members[0].key {
        case "__entity":
            guard case .string? = inner["type"], case .string? = inner["id"] else { return nil }
            return .entity(try reference(inner, path: path))
        case "__extn":
            return try call(inner, hinted: false, path: path)
        case "__expr":
            guard case .string = inner else { return nil }
            throw DataError("`__expr` is no longer part of the format", path: path)
        default:
            return nil
        }
    }

    // MARK: - Extension values

    private static func extensionValue(_ tree: JSONTree, _ type: ExtensionFunction.ExtensionType, path: String) throws(DataError) -> Value {
        if case .string = tree { return try called(type.constructor, [.string(text(tree))], path: path) }
        if case .object(let members) = tree, members.count == 1, members[0].key == "__extn",
            let value = try call(members[0].value, hinted: true, path: path)
        {
            return value
        }
        if let value = try call(tree, hinted: true, path: path) { return value }
        throw DataError("expected a \(type.rawValue) as a string, found \(tree.spoken)", path: path)
    }

    private static func text(_ tree: JSONTree) -> ExactString { if case .string(let text) = tree { text } else { "" } }

    /// `{"fn", "arg"}` or `{"fn", "args"}`; nil for anything else.
    private static func call(_ tree: JSONTree, hinted: Bool, path: String) throws(DataError) -> Value? {
        guard case .string(let name)? = tree["fn"] else { return nil }
        let trees: [JSONTree]
        if case .array(let several)? = tree["args"] {
            trees = several
        } else if let one = tree["arg"] {
            trees = [one]
        } else {
            return nil
        }
        guard let function = ExtensionFunction(rawValue: name.string) else {
            throw DataError("there is no function \(Escape.quoted(name))", path: path)
        }
        var arguments: [Value] = []
        for (index, tree) in trees.enumerated() {
            let hint = hinted ? function.argumentHint(index) : .plain
            arguments.append(try value(tree, hint, path: "\(path).args[\(index)]"))
        }
        return try called(function, arguments, path: path)
    }

    private static func called(_ function: ExtensionFunction, _ arguments: [Value], path: String) throws(DataError) -> Value {
        do {
            return try function.call(arguments)
        } catch {
            throw DataError(error.description, path: path)
        }
    }

    private static func tooDeep(_ path: String) -> DataError {
        DataError("sets and records lie more than \(ValueLimits.depth) levels deep in each other", path: path)
    }
}

extension ExtensionFunction {
    fileprivate func argumentHint(_ index: Int) -> TypeHint {
        if isConstructor { return .plain }
        if index == 0 { return .extensionValue(owner) }
        return argumentType.map(TypeHint.extensionValue) ?? .plain
    }
}

extension ExtensionFunction.ExtensionType {
    /// The function that makes a value of this type from a string.
    public var constructor: ExtensionFunction {
        switch self {
        case .decimal: .decimal
        case .ipaddr: .ip
        case .datetime: .datetime
        case .duration: .duration
        }
    }
}
