extension Policy {
    /// The parts that the parser read, with the places of the three scopes.
    struct Parts {
        var id: String
        var effect: Effect
        var annotations: [Annotation] = []
        var principal = Scope.any
        var action = ActionScope.any
        var resource = Scope.any
        var principalRange: SourceRange
        var actionRange: SourceRange
        var resourceRange: SourceRange
        var conditions: [Condition] = []
    }

    init(_ parts: Parts, range: SourceRange) {
        id = parts.id
        effect = parts.effect
        annotations = parts.annotations
        principal = parts.principal
        action = parts.action
        resource = parts.resource
        conditions = parts.conditions
        expression = Self.conjunction(of: parts, range: range)
        self.range = range
    }

    /// `principalScope && actionScope && resourceScope && (clause && clause …)`; what is missing is `true`.
    private static func conjunction(of parts: Parts, range: SourceRange) -> Expr {
        let clauses = parts.conditions.map { condition in
            condition.kind == .when ? condition.body : Expr(.unary(.not), [condition.body], range: condition.body.range)
        }
        let body: Expr
        switch clauses.count {
        case 0: body = Expr(.literal(.bool(true)), range: range)
        case 1: body = clauses[0]
        default: body = conjunction(clauses, range: range)
        }
        let scopes = [
            parts.principal.expression(of: .principal, range: parts.principalRange),
            parts.action.expression(range: parts.actionRange),
            parts.resource.expression(of: .resource, range: parts.resourceRange),
        ]
        return conjunction(scopes + [body], range: range)
    }

    /// Conjunctions lean left: a first clause that is one is taken apart (`Expr.Kind.and`).
    private static func conjunction(_ parts: [Expr], range: SourceRange) -> Expr {
        var parts = parts
        if let first = parts.first, case .and = first.kind { parts.replaceSubrange(0..<1, with: first.children) }
        return Expr(.and(parts.count), parts, range: range)
    }
}

extension Policy.EntityReference {
    fileprivate func expression(range: SourceRange) -> Expr {
        switch self {
        case .entity(let uid): Expr(.literal(.entity(uid)), range: range)
        case .slot(let slot): Expr(.slot(slot), range: range)
        }
    }
}

extension Policy.Scope {
    fileprivate func expression(of variable: Expr.Variable, range: SourceRange) -> Expr {
        let subject = Expr(.variable(variable), range: range)
        switch self {
        case .any: return Expr(.literal(.bool(true)), range: range)
        case .equal(let other): return Expr(.binary(.equal), [subject, other.expression(range: range)], range: range)
        case .in(let other): return Expr(.binary(.in), [subject, other.expression(range: range)], range: range)
        case .isType(let type): return Expr(.isType(type), [subject], range: range)
        case .isTypeIn(let type, let other):
            return Expr(.isTypeIn(type), [subject, other.expression(range: range)], range: range)
        }
    }
}

extension Policy.ActionScope {
    fileprivate func expression(range: SourceRange) -> Expr {
        let subject = Expr(.variable(.action), range: range)
        func literal(_ uid: EntityUID) -> Expr { Expr(.literal(.entity(uid)), range: range) }
        switch self {
        case .any: return Expr(.literal(.bool(true)), range: range)
        case .equal(let uid): return Expr(.binary(.equal), [subject, literal(uid)], range: range)
        case .in(let uid): return Expr(.binary(.in), [subject, literal(uid)], range: range)
        case .inList(let uids):
            return Expr(.binary(.in), [subject, Expr(.set(uids.count), uids.map(literal), range: range)], range: range)
        }
    }
}
