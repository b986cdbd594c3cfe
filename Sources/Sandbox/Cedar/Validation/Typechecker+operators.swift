/// Comparison, arithmetic, sets and the hierarchy.
extension Typechecker {
    mutating func checkBinary(_ expr: Expr, _ binary: Expr.BinaryOperator, _ prior: Set<Capability>) -> Typed {
        let parts = expr.children
        guard parts.count == 2 else { return .failed }
        switch binary {
        case .equal: return checkEqual(expr, parts[0], parts[1], prior)
        case .less, .lessOrEqual: return checkOrder(parts[0], parts[1], prior)
        case .in: return checkIn(parts[0], expectEntity(parts[0], prior), parts[1], prior)
        case .add, .subtract, .multiply:
            let left = expect(.long, parts[0], prior)
            let right = expect(.long, parts[1], prior)
            return left && right ? Typed(type: .long) : .failed
        case .contains, .containsAll, .containsAny: return checkContains(expr, binary, parts[0], parts[1], prior)
        case .hasTag: return checkHasTag(parts[0], parts[1], prior)
        case .getTag: return checkGetTag(expr, parts[0], parts[1], prior)
        }
    }

    private mutating func checkEqual(_ expr: Expr, _ left: Expr, _ right: Expr, _ prior: Set<Capability>) -> Typed {
        let leftTyped = check(left, prior)
        let rightTyped = check(right, prior)
        guard let leftType = leftTyped.type, let rightType = rightTyped.type else { return .failed }
        if let leftValue = literal(left), let rightValue = literal(right) {
            return Typed(type: leftValue == rightValue ? .true : .false)
        }
        if case .entity(let leftName) = leftType, case .entity(let rightName) = rightType, leftName != rightName {
            return Typed(type: .false)
        }
        guard leftType.joined(with: rightType) != nil else {
            report(.noCommonType, expr, "A `\(leftType.spoken)` is never equal to a `\(rightType.spoken)`.")
            return .failed
        }
        return Typed(type: .bool)
    }

    /// The value of an expression that is written down; `action` is known in every environment.
    private func literal(_ expr: Expr) -> Expr.Literal? {
        switch expr.kind {
        case .literal(let literal): literal
        case .variable(.action): .entity(environment.action)
        default: nil
        }
    }

    private mutating func checkOrder(_ left: Expr, _ right: Expr, _ prior: Set<Capability>) -> Typed {
        let leftType = check(left, prior).type
        let rightType = check(right, prior).type
        for (type, expr) in [(leftType, left), (rightType, right)] {
            guard let type else { continue }
            switch type {
            case .long, .extension(.datetime), .extension(.duration): break
            default:
                report(.unexpectedType, expr, "Only a Long, a datetime or a duration has an order, and this is `\(type.spoken)`.")
                return .failed
            }
        }
        guard let leftType, let rightType else { return .failed }
        guard leftType == rightType else {
            report(.unexpectedType, right, "A `\(leftType.spoken)` cannot be compared with a `\(rightType.spoken)`.")
            return .failed
        }
        return Typed(type: .bool)
    }

    private mutating func checkContains(
        _ expr: Expr, _ method: Expr.BinaryOperator, _ left: Expr, _ right: Expr, _ prior: Set<Capability>
    ) -> Typed {
        let element = expectSet(left, prior)
        let other = method == .contains ? check(right, prior).type : expectSet(right, prior)
        guard let element, let other else { return .failed }
        guard element.joined(with: other) != nil else {
            report(.noCommonType, expr, "A set of `\(element.spoken)` never holds a `\(other.spoken)`.")
            return .failed
        }
        return Typed(type: .bool)
    }

    mutating func checkIs(_ expr: Expr, _ name: TypeName, _ prior: Set<Capability>) -> Typed {
        guard let operand = expr.children.first, let type = expectEntity(operand, prior) else { return .failed }
        return Typed(type: type == name ? .true : .false)
    }

    mutating func checkIsIn(_ expr: Expr, _ name: TypeName, _ prior: Set<Capability>) -> Typed {
        let parts = expr.children
        guard parts.count == 2, let type = expectEntity(parts[0], prior) else { return .failed }
        guard type == name else { return Typed(type: .false) }
        return checkIn(parts[0], type, parts[1], prior)
    }

    // MARK: - The hierarchy

    /// - Parameter leftName: the type of the left side, which is typed already; twice would be exponential in the depth.
    private mutating func checkIn(_ left: Expr, _ leftName: TypeName?, _ right: Expr, _ prior: Set<Capability>) -> Typed {
        guard let rightType = check(right, prior).type else { return .failed }
        let rightName: TypeName
        switch rightType {
        case .entity(let name), .set(.entity(let name)): rightName = name
        default:
            report(.unexpectedType, right, "Here must be an entity or a set of entities, and this is `\(rightType.spoken)`.")
            return .failed
        }
        guard let leftName else { return .failed }
        if case .entity(let action)? = literal(left), action.type.isAction, let groups = entities(right) {
            return Typed(type: groups.contains { isAction(action, in: $0) } ? .true : .false)
        }
        return Typed(type: mayBe(leftName, in: rightName) ? .bool : .false)
    }

    /// The entities that are written down on the right side of `in`; nil if one is computed.
    private func entities(_ expr: Expr) -> [EntityUID]? {
        let written: [Expr]
        if case .set = expr.kind { written = expr.children } else { written = [expr] }
        var result: [EntityUID] = []
        for part in written {
            guard case .entity(let uid)? = literal(part) else { return nil }
            result.append(uid)
        }
        return result
    }

    private func isAction(_ action: EntityUID, in group: EntityUID) -> Bool {
        action == group || schema.actionDefinitions[action]?.ancestors.contains(group) == true
    }

    private func mayBe(_ type: TypeName, in above: TypeName) -> Bool {
        if type == above { return true }
        guard above.isAction else { return schema.entityDefinitions[type]?.ancestors.contains(above) == true }
        return schema.actionDefinitions.values.contains { action in
            action.uid.type == above && action.descendants.contains { $0.type == type }
        }
    }
}
