/// Types one policy for one kind of request, by the strict rules.
///
/// What cannot be reached is not typed: the right side of `false && …`, for example. Recursive; the parser limits the depth.
struct Typechecker {
    let schema: Schema
    let environment: RequestEnvironment
    let policy: String
    private(set) var findings: [ValidationFinding] = []

    init(schema: Schema, environment: RequestEnvironment, policy: String) {
        self.schema = schema
        self.environment = environment
        self.policy = policy
    }

    /// - Parameter prior: what tests to the left have shown.
    mutating func check(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        switch expr.kind {
        case .literal(let literal): Typed(type: type(of: literal))
        case .variable(let variable): Typed(type: type(of: variable))
        case .slot(let slot): Typed(type: type(of: slot))
        case .and: checkAnd(expr, prior)
        case .or: checkOr(expr, prior)
        case .conditional: checkConditional(expr, prior)
        case .unary(let unary): checkUnary(expr, unary, prior)
        case .binary(let binary): checkBinary(expr, binary, prior)
        case .isType(let name): checkIs(expr, name, prior)
        case .isTypeIn(let name): checkIsIn(expr, name, prior)
        case .has(let path): checkHas(expr, path, prior)
        case .attribute(let name): checkAttribute(expr, name, prior)
        case .like: checkLike(expr, prior)
        case .set: checkSet(expr, prior)
        case .record(let keys): checkRecord(expr, keys, prior)
        case .call(let function, _): checkCall(expr, function, prior)
        }
    }

    mutating func report(_ kind: ValidationFinding.Kind, _ expr: Expr, _ message: String) {
        guard findings.count < ValidationLimits.findings else { return }
        findings.append(
            ValidationFinding(kind: kind, policy: policy, range: expr.range, message: message, environment: environment))
    }

    // MARK: - Leaves

    private func type(of literal: Expr.Literal) -> CedarType? {
        switch literal {
        case .bool(let value): value ? .true : .false
        case .long: .long
        case .string: .string
        // Undeclared types are reported once for the policy, and not for every kind of request.
        case .entity(let uid): uid.type.isAction || schema.entityDefinitions[uid.type] != nil ? .entity(uid.type) : nil
        }
    }

    private func type(of variable: Expr.Variable) -> CedarType? {
        switch variable {
        case .principal: .entity(environment.principal)
        case .action: .entity(environment.action.type)
        case .resource: .entity(environment.resource)
        case .context: schema.actionDefinitions[environment.action].map { .record($0.context) }
        }
    }

    private func type(of slot: Expr.Slot) -> CedarType? {
        let name = slot == .principal ? environment.principalSlot : environment.resourceSlot
        return name.map { .entity($0) }
    }

    // MARK: - Expectations

    /// Types an operand that must be true or false.
    mutating func expectBoolean(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        let typed = check(expr, prior)
        guard let type = typed.type else { return .failed }
        guard type.isBoolean else {
            report(.unexpectedType, expr, "Here must be a Bool, and this is `\(type.spoken)`.")
            return .failed
        }
        return typed
    }

    /// Types an operand that must have exactly this type; says whether it does.
    mutating func expect(_ expected: CedarType, _ expr: Expr, _ prior: Set<Capability>) -> Bool {
        guard let type = check(expr, prior).type else { return false }
        guard type == expected else {
            report(.unexpectedType, expr, "Here must be a `\(expected.spoken)`, and this is `\(type.spoken)`.")
            return false
        }
        return true
    }

    /// Types an operand that must be an entity; gives its type.
    mutating func expectEntity(_ expr: Expr, _ prior: Set<Capability>) -> TypeName? {
        guard let type = check(expr, prior).type else { return nil }
        guard case .entity(let name) = type else {
            report(.unexpectedType, expr, "Here must be an entity, and this is `\(type.spoken)`.")
            return nil
        }
        return name
    }

    /// Types an operand that must be a set; gives the type of its elements.
    mutating func expectSet(_ expr: Expr, _ prior: Set<Capability>) -> CedarType? {
        guard let type = check(expr, prior).type else { return nil }
        guard case .set(let element) = type else {
            report(.unexpectedType, expr, "Here must be a set, and this is `\(type.spoken)`.")
            return nil
        }
        return element
    }
}
