/// Conjunction, disjunction, choice and negation: where types prune and capabilities flow.
extension Typechecker {
    mutating func checkAnd(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        let parts = expr.children
        guard let first = parts.first else { return .failed }
        var result = expectBoolean(first, prior)
        var known = prior
        for part in parts.dropFirst() {
            if result.type == .false { break }
            known.formUnion(result.capabilities)
            let right = expectBoolean(part, known)
            result = Typechecker.conjunction(result, right)
        }
        return result
    }

    /// `left && right`, once both are typed and the left one is not False.
    static func conjunction(_ left: Typed, _ right: Typed) -> Typed {
        guard let leftType = left.type, let rightType = right.type else { return .failed }
        switch (leftType, rightType) {
        case (_, .false): return Typed(type: .false)
        case (_, .true): return Typed(type: leftType, capabilities: left.capabilities.union(right.capabilities))
        case (.true, _): return Typed(type: rightType, capabilities: left.capabilities.union(right.capabilities))
        default: return Typed(type: .bool, capabilities: left.capabilities.union(right.capabilities))
        }
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
            report(.noCommonType, expr, "`then` gives a `\(left)` and `else` a `\(right)`; both must give one type.")
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
