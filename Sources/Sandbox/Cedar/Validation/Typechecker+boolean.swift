/// Conjunction, disjunction, choice and negation: where types prune and capabilities flow.
extension Typechecker {
    mutating func checkAnd(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        var result = Conjunction(prior)
        for part in expr.children {
            result.append(expectBoolean(part, result.known))
            if result.isFalse { break }
        }
        return result.typed
    }

    mutating func checkOr(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        let parts = expr.children
        guard let first = parts.first else { return .failed }
        var result = expectBoolean(first, prior)
        for part in parts.dropFirst() {
            if result.type == .true { break }
            let right = expectBoolean(part, prior)
            result = Typechecker.disjunction(result, right)
        }
        return result
    }

    /// `left || right`, once both are typed and the left one is not True.
    private static func disjunction(_ left: Typed, _ right: Typed) -> Typed {
        guard let leftType = left.type, let rightType = right.type else { return .failed }
        switch (leftType, rightType) {
        case (_, .true): return Typed(type: .true, capabilities: right.capabilities)
        case (_, .false): return Typed(type: leftType, capabilities: left.capabilities)
        case (.false, _): return Typed(type: rightType, capabilities: right.capabilities)
        default: return Typed(type: .bool, capabilities: left.capabilities.intersection(right.capabilities))
        }
    }

    mutating func checkConditional(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        let parts = expr.children
        guard parts.count == 3 else { return .failed }
        let test = expectBoolean(parts[0], prior)
        if test.type == .false { return check(parts[2], prior) }
        var then = check(parts[1], prior.union(test.capabilities))
        then.capabilities.formUnion(test.capabilities)
        if test.type == .true { return then }
        let otherwise = check(parts[2], prior)
        guard test.type != nil, let left = then.type, let right = otherwise.type else { return .failed }
        guard let joined = left.joined(with: right) else {
            report(.noCommonType, expr, "`then` gives a `\(left.spoken)` and `else` a `\(right.spoken)`; both must give one type.")
            return .failed
        }
        return Typed(type: joined, capabilities: then.capabilities.intersection(otherwise.capabilities))
    }

    mutating func checkUnary(_ expr: Expr, _ unary: Expr.UnaryOperator, _ prior: Set<Capability>) -> Typed {
        guard let operand = expr.children.first else { return .failed }
        switch unary {
        case .not:
            switch expectBoolean(operand, prior).type {
            case nil: return .failed
            case .true: return Typed(type: .false)
            case .false: return Typed(type: .true)
            default: return Typed(type: .bool)
            }
        case .negate: return expect(.long, operand, prior) ? Typed(type: .long) : .failed
        case .isEmpty: return expectSet(operand, prior) != nil ? Typed(type: .bool) : .failed
        }
    }
}

/// `a && b && …`, part by part; the order of the parts is that of the tests.
struct Conjunction {
    /// What a further part may rely on.
    private(set) var known: Set<Capability>
    private var type: CedarType? = .true
    private var capabilities: Set<Capability> = []

    init(_ prior: Set<Capability>) { known = prior }

    /// Whether it is False, so that no further part is looked at.
    var isFalse: Bool { type == .false }

    var typed: Typed {
        guard let type else { return .failed }
        return Typed(type: type, capabilities: isFalse ? [] : capabilities)
    }

    mutating func append(_ part: Typed) {
        known.formUnion(part.capabilities)
        capabilities.formUnion(part.capabilities)
        guard let left = type, let right = part.type else {
            type = nil
            return
        }
        switch (left, right) {
        case (_, .false): type = .false
        case (_, .true): break
        case (.true, _): type = right
        default: type = .bool
        }
    }
}
