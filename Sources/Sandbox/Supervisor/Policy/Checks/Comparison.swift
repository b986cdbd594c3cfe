internal import Cedar

/// A comparison of an attribute with a literal.
struct Comparison {
    private enum Relation {
        case equal, less, lessOrEqual, greater, greaterOrEqual

        /// With its sides changed.
        var turned: Relation {
            switch self {
            case .equal: .equal
            case .less: .greater
            case .lessOrEqual: .greaterOrEqual
            case .greater: .less
            case .greaterOrEqual: .lessOrEqual
            }
        }
    }

    private enum Operand {
        case relation(Relation, Value)
        /// One of these texts.
        case among(Set<ExactString>)
        /// The attribute itself.
        case flag
    }

    let access: AttributeAccess
    private let operand: Operand

    /// Nil for any other expression.
    init?(_ expression: Expr) {
        let parts = expression.children
        if case .attribute = expression.kind, let access = AttributeAccess(expression) {
            self.access = access
            operand = .flag
            return
        }
        guard parts.count == 2 else { return nil }
        if case .binary(.contains) = expression.kind, let access = AttributeAccess(parts[1]), let texts = Self.texts(parts[0]) {
            self.access = access
            operand = .among(texts)
            return
        }
        guard let relation = Self.relation(expression.kind) else { return nil }
        if let access = AttributeAccess(parts[0]), let value = Self.literal(parts[1]) {
            self.access = access
            operand = .relation(relation, value)
        } else if let access = AttributeAccess(parts[1]), let value = Self.literal(parts[0]) {
            self.access = access
            operand = .relation(relation.turned, value)
        } else {
            return nil
        }
    }

    private static func relation(_ kind: Expr.Kind) -> Relation? {
        switch kind {
        case .binary(.equal): .equal
        case .binary(.less), .call(.lessThan, _): .less
        case .binary(.lessOrEqual), .call(.lessThanOrEqual, _): .lessOrEqual
        case .call(.greaterThan, _): .greater
        case .call(.greaterThanOrEqual, _): .greaterOrEqual
        default: nil
        }
    }

    private static func literal(_ expression: Expr) -> Value? {
        switch expression.kind {
        case .literal(.bool(let flag)): return .bool(flag)
        case .literal(.long(let integer)): return .long(integer)
        case .literal(.string(let text)): return .string(text)
        case .call(let function, 1) where function == .decimal || function == .datetime:
            guard let argument = expression.children.first, case .literal(.string(let text)) = argument.kind else { return nil }
            return try? function.call([.string(text)])
        default: return nil
        }
    }

    private static func texts(_ expression: Expr) -> Set<ExactString>? {
        guard case .set = expression.kind else { return nil }
        var texts: Set<ExactString> = []
        for part in expression.children {
            guard case .literal(.string(let text)) = part.kind else { return nil }
            texts.insert(text)
        }
        return texts
    }

    /// The values for which it is true, or false; nil where they are no domain.
    func domain(is value: Bool) -> ValueDomain? {
        switch operand {
        case .flag: return .flag([value])
        case .among(let texts): return .text(value ? TextDomain(allowed: texts) : TextDomain(excluded: texts))
        case .relation(.equal, .bool(let flag)): return .flag([flag == value])
        case .relation(.equal, .string(let text)): return .text(value ? TextDomain(allowed: [text]) : TextDomain(excluded: [text]))
        case .relation(let relation, .long(let number)): return .number(Self.numbers(relation, number, .integer, value))
        case .relation(let relation, .decimal(let decimal)):
            return .number(Self.numbers(relation, decimal.tenThousandths, .decimal(places: 1), value))
        case .relation(let relation, .datetime(let moment)): return .number(Self.numbers(relation, moment.milliseconds, .moment, value))
        case .relation: return nil
        }
    }

    private static func numbers(_ relation: Relation, _ number: Int64, _ unit: NumberDomain.Unit, _ value: Bool) -> NumberDomain {
        func atMost(_ upper: Int64, strictly: Bool) -> NumberDomain {
            guard strictly else { return NumberDomain(unit: unit, upper: upper) }
            // Below the least number is nothing.
            return upper == .min ? NumberDomain(unit: unit, values: []) : NumberDomain(unit: unit, upper: upper - 1)
        }
        func atLeast(_ lower: Int64, strictly: Bool) -> NumberDomain {
            guard strictly else { return NumberDomain(unit: unit, lower: lower) }
            return lower == .max ? NumberDomain(unit: unit, values: []) : NumberDomain(unit: unit, lower: lower + 1)
        }
        return switch relation {
        case .equal: value ? NumberDomain(unit: unit, lower: number, upper: number) : NumberDomain(unit: unit, excluded: [number])
        case .less: value ? atMost(number, strictly: true) : atLeast(number, strictly: false)
        case .lessOrEqual: value ? atMost(number, strictly: false) : atLeast(number, strictly: true)
        case .greater: value ? atLeast(number, strictly: true) : atMost(number, strictly: false)
        case .greaterOrEqual: value ? atLeast(number, strictly: false) : atMost(number, strictly: true)
        }
    }
}
