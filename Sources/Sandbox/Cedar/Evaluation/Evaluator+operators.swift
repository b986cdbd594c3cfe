extension Evaluator {
    // MARK: - Kinds

    func bool(_ value: Value) throws(Failure) -> Bool {
        guard case .bool(let result) = value else { throw .type("a bool", value) }
        return result
    }

    func long(_ value: Value) throws(Failure) -> Int64 {
        guard case .long(let result) = value else { throw .type("a long", value) }
        return result
    }

    func string(_ value: Value) throws(Failure) -> ExactString {
        guard case .string(let result) = value else { throw .type("a string", value) }
        return result
    }

    func entity(_ value: Value) throws(Failure) -> EntityUID {
        guard case .entity(let result) = value else { throw .type("an entity", value) }
        return result
    }

    func elements(_ value: Value) throws(Failure) -> Value.Elements {
        guard case .set(let result) = value else { throw .type("a set", value) }
        return result
    }

    // MARK: - Operators

    func unary(_ operation: Expr.UnaryOperator, _ operand: Value) throws(Failure) -> Value {
        switch operation {
        case .not: return .bool(try !bool(operand))
        case .isEmpty: return .bool(try elements(operand).values.isEmpty)
        case .negate:
            let (result, overflow) = try Int64(0).subtractingReportingOverflow(long(operand))
            guard !overflow else { throw Failure(.overflow) }
            return .long(result)
        }
    }

    mutating func binary(_ operation: Expr.BinaryOperator, _ left: Value, _ right: Value) throws(Failure) -> Value {
        switch operation {
        case .equal:
            try charge(min(left.weight, right.weight))
            return .bool(left == right)
        case .less, .lessOrEqual: return .bool(try isOrdered(left, right, orEqual: operation == .lessOrEqual))
        case .in: return .bool(try isIn(left, right))
        case .add: return .long(try arithmetic(left, right) { $0.addingReportingOverflow($1) })
        case .subtract: return .long(try arithmetic(left, right) { $0.subtractingReportingOverflow($1) })
        case .multiply: return .long(try arithmetic(left, right) { $0.multipliedReportingOverflow(by: $1) })
        case .contains:
            let set = try elements(left)
            try charge(right.weight)
            return .bool(set.values.contains(right))
        case .containsAll, .containsAny:
            let (set, other) = (try elements(left), try elements(right))
            try charge(other.weight)
            return .bool(operation == .containsAll ? other.values.isSubset(of: set.values) : !other.values.isDisjoint(with: set.values))
        case .hasTag:
            let (uid, name) = (try entity(left), try string(right))
            return .bool(entities[uid]?.tags[name] != nil)
        case .getTag:
            let (uid, name) = (try entity(left), try string(right))
            guard let entity = entities[uid] else { throw Failure(.missingEntity(uid)) }
            guard let value = entity.tags[name] else { throw Failure(.missingTag(name)) }
            return value
        }
    }

    private func arithmetic(
        _ left: Value, _ right: Value, _ operation: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)
    ) throws(Failure) -> Int64 {
        let (result, overflow) = operation(try long(left), try long(right))
        guard !overflow else { throw Failure(.overflow) }
        return result
    }

    private func isOrdered(_ left: Value, _ right: Value, orEqual: Bool) throws(Failure) -> Bool {
        switch (left, right) {
        case (.long(let left), .long(let right)): return orEqual ? left <= right : left < right
        case (.datetime(let left), .datetime(let right)): return orEqual ? left <= right : left < right
        case (.duration(let left), .duration(let right)): return orEqual ? left <= right : left < right
        case (.long, _): throw .type("a long", right)
        case (.datetime, _): throw .type("a datetime", right)
        case (.duration, _): throw .type("a duration", right)
        default: throw .type("a long, datetime or duration", left)
        }
    }

    private mutating func isIn(_ left: Value, _ right: Value) throws(Failure) -> Bool {
        let uid = try entity(left)
        if case .entity(let other) = right { return entities.isEntity(uid, in: other) }
        guard case .set(let set) = right else { throw .type("an entity or a set of entities", right) }
        if let kind = set.strangerKind { throw Failure(.type(expected: "a set of entities", found: "a set with a \(kind)")) }
        if set.values.contains(left) { return true }
        let ancestors = entities.ancestors(of: uid)
        // Whichever is smaller is looked up in the other.
        try charge(min(ancestors.count, set.values.count))
        if ancestors.count <= set.values.count { return ancestors.contains { set.values.contains(.entity($0)) } }
        return set.values.contains { if case .entity(let other) = $0 { ancestors.contains(other) } else { false } }
    }

    // MARK: - Attributes

    func has(_ path: [ExactString], _ value: Value) throws(Failure) -> Bool {
        var value = value
        for name in path {
            let next: Value?
            switch value {
            case .record(let record): next = record[name]
            case .entity(let uid): next = entities[uid]?.attributes[name]
            default: throw .type("a record or an entity", value)
            }
            guard let next else { return false }
            value = next
        }
        return true
    }

    func attribute(_ name: ExactString, _ value: Value) throws(Failure) -> Value {
        switch value {
        case .record(let record):
            guard let field = record[name] else { throw Failure(.missingAttribute(name)) }
            return field
        case .entity(let uid):
            guard let entity = entities[uid] else { throw Failure(.missingEntity(uid)) }
            guard let field = entity.attributes[name] else { throw Failure(.missingAttribute(name)) }
            return field
        default:
            throw .type("a record or an entity", value)
        }
    }

    mutating func like(_ pattern: Pattern, _ value: Value) throws(Failure) -> Bool {
        let text = try string(value)
        // The most that the match can take, text times pattern, only counts where there is a wildcard to retry.
        let perScalar = pattern.elements.contains(.wildcard) ? pattern.elements.count : 1
        let (cost, overflow) = (text.utf8Count / 8).multipliedReportingOverflow(by: perScalar)
        try charge(overflow ? .max / 2 : cost)
        return pattern.matches(text)
    }
}
