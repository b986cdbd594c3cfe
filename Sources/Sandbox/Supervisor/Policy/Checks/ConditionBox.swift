internal import Cedar

/// One way to satisfy a rule's clauses: what each attribute may be, and what else has to hold that no analysis looks into.
struct ConditionBox: Sendable {
    private(set) var domains: [AttributeAccess: ValueDomain] = [:]
    /// Expressions that have to be true, or false.
    private(set) var opaque: [Expr: Bool] = [:]
    /// The attribute that no value is left for, or the expression that has to be both.
    private(set) var conflict: String?

    var isEmpty: Bool { conflict != nil }

    mutating func demand(_ access: AttributeAccess, _ domain: ValueDomain, of tool: PolicySchema.Tool) {
        let known = domains[access] ?? tool.domain(of: access) ?? domain
        let left = known.intersection(domain)
        domains[access] = left
        if left.isEmpty, conflict == nil { conflict = Self.sentence(access, tool) }
    }

    mutating func demand(_ expression: Expr, is value: Bool) {
        if let known = opaque[expression], known != value, conflict == nil { conflict = "a clause would have to be true and false" }
        opaque[expression] = value
    }

    mutating func fail(_ reason: String) { conflict = conflict ?? reason }

    private static func sentence(_ access: AttributeAccess, _ tool: PolicySchema.Tool) -> String {
        let sentence = "no value of \(access.shown) meets all that is asked of it"
        guard case .number(let numbers)? = tool.domain(of: access), let range = numbers.range else { return sentence }
        let low = range.lowerBound == .min ? "" : " at least \(numbers.shown(range.lowerBound))"
        let high = range.upperBound == .max ? "" : " at most \(numbers.shown(range.upperBound))"
        let both = [low, high].filter { !$0.isEmpty }.joined(separator: " and")
        return both.isEmpty ? sentence : "\(sentence), and \(tool.definition.name) takes\(both)"
    }

    func joined(with other: ConditionBox, _ tool: PolicySchema.Tool) -> ConditionBox {
        var both = self
        for (access, domain) in other.domains.sorted(by: { $0.key < $1.key }) { both.demand(access, domain, of: tool) }
        for (expression, value) in other.opaque { both.demand(expression, is: value) }
        if let conflict = other.conflict { both.fail(conflict) }
        return both
    }

    /// Whether all that satisfies this satisfies `other`; false where that is not certain.
    func isSubset(of other: ConditionBox, _ tool: PolicySchema.Tool) -> Bool {
        guard !isEmpty else { return true }
        guard !other.isEmpty else { return false }
        for (access, domain) in other.domains {
            guard let own = domains[access] ?? tool.domain(of: access), own.isSubset(of: domain) else { return false }
        }
        return other.opaque.allSatisfy { opaque[$0.key] == $0.value }
    }
}

/// Takes a rule's clauses apart into boxes, for one tool.
struct ConditionBoxes {
    /// Ways to satisfy one rule that are told apart; a rule with more of them is looked at as a whole.
    static let boxesMax = 64

    let tool: PolicySchema.Tool

    func boxes(of policy: Policy) -> [ConditionBox] {
        var all = [ConditionBox()]
        for condition in policy.conditions {
            let boxes = boxes(condition.body, is: condition.kind == .when)
            guard all.count * boxes.count <= Self.boxesMax else {
                for index in all.indices { all[index].demand(condition.body, is: condition.kind == .when) }
                continue
            }
            all = all.flatMap { left in boxes.map { left.joined(with: $0, tool) } }
        }
        return all
    }

    /// The recursion is bounded: the validator has refused what is deeper than it can go itself.
    private func boxes(_ expression: Expr, is value: Bool) -> [ConditionBox] {
        let parts = expression.children
        switch expression.kind {
        case .literal(.bool(let literal)): return [literal == value ? ConditionBox() : failed("a clause is always \(literal)")]
        case .unary(.not): return boxes(parts[0], is: !value)
        case .and: return value ? conjunction(parts, is: true, expression, value) : disjunction(parts, is: false, expression, value)
        case .or: return value ? disjunction(parts, is: true, expression, value) : conjunction(parts, is: false, expression, value)
        case .conditional:
            let yes = conjunction([(parts[0], true), (parts[1], value)], expression, value)
            let no = conjunction([(parts[0], false), (parts[2], value)], expression, value)
            return yes.count + no.count <= Self.boxesMax ? yes + no : [whole(expression, value)]
        default: return [atom(expression, value)]
        }
    }

    private func conjunction(_ parts: [Expr], is side: Bool, _ expression: Expr, _ value: Bool) -> [ConditionBox] {
        conjunction(parts.map { ($0, side) }, expression, value)
    }

    private func conjunction(_ parts: [(Expr, Bool)], _ expression: Expr, _ value: Bool) -> [ConditionBox] {
        var all = [ConditionBox()]
        for (part, side) in parts {
            let boxes = boxes(part, is: side)
            guard all.count * boxes.count <= Self.boxesMax else { return [whole(expression, value)] }
            all = all.flatMap { left in boxes.map { left.joined(with: $0, tool) } }
        }
        return all
    }

    private func disjunction(_ parts: [Expr], is side: Bool, _ expression: Expr, _ value: Bool) -> [ConditionBox] {
        var all: [ConditionBox] = []
        for part in parts {
            all += boxes(part, is: side)
            guard all.count <= Self.boxesMax else { return [whole(expression, value)] }
        }
        return all
    }

    private func whole(_ expression: Expr, _ value: Bool) -> ConditionBox {
        var box = ConditionBox()
        box.demand(expression, is: value)
        return box
    }

    private func failed(_ reason: String) -> ConditionBox {
        var box = ConditionBox()
        box.fail(reason)
        return box
    }

    // MARK: - Comparisons

    private func atom(_ expression: Expr, _ value: Bool) -> ConditionBox {
        if let isTrue = aboutAction(expression) {
            return isTrue == value ? ConditionBox() : failed("its clauses are about another tool than its scope")
        }
        guard let comparison = Comparison(expression), let domain = comparison.domain(is: value) else { return whole(expression, value) }
        var box = ConditionBox()
        box.demand(comparison.access, domain, of: tool)
        return box
    }

    /// `action == Action::"…"` has a value for one tool.
    private func aboutAction(_ expression: Expr) -> Bool? {
        let parts = expression.children
        guard parts.count == 2, case .variable(.action) = parts[0].kind, case .literal(.entity(let uid)) = parts[1].kind else { return nil }
        switch expression.kind {
        case .binary(.equal): return uid == tool.action
        case .binary(.in):
            return uid == tool.action || uid.id.string == PolicySchema.group(tool.definition.effect)
        default: return nil
        }
    }
}
