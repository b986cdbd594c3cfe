/// The checks that look at all of a policy, also at what the typechecker does not reach.
struct PolicyChecks {
    let schema: Schema
    let policy: Policy
    private(set) var findings: [ValidationFinding] = []

    init(schema: Schema, policy: Policy) {
        self.schema = schema
        self.policy = policy
        for expr in policy.expression.subexpressions { check(expr) }
        if !isTypeable {
            report(.tooDeep, policy.range, "This policy is nested more than \(ValidationLimits.depth) levels deep; simplify it.")
        }
        if !hasApplicableAction {
            report(
                .noApplicableAction, policy.range, "No action applies to such principals and resources, so no request can meet this scope.")
        }
    }

    /// Whether the typechecker may look at it.
    var isTypeable: Bool { policy.expression.depth <= ValidationLimits.depth }

    private mutating func check(_ expr: Expr) {
        switch expr.kind {
        case .literal(.entity(let uid)):
            checkType(uid.type, expr)
            if uid.type.isAction, schema.actionDefinitions[uid] == nil {
                report(.unknownAction, expr.range, "The schema has no action `\(uid)`.")
            }
            if let choices = schema.entityDefinitions[uid.type]?.choices, !choices.contains(uid.id) {
                report(.unknownEnumerationID, expr.range, "`\(uid.type)` lists no id \(Escape.quoted(uid.id)).")
            }
        case .isType(let type), .isTypeIn(let type): checkType(type, expr)
        default: break
        }
    }

    private mutating func checkType(_ type: TypeName, _ expr: Expr) {
        guard !type.isAction, schema.entityDefinitions[type] == nil else { return }
        report(.unknownEntityType, expr.range, "The schema has no entity type `\(type)`.")
    }

    private mutating func report(_ kind: ValidationFinding.Kind, _ range: SourceRange, _ message: String) {
        guard findings.count < ValidationLimits.findings else { return }
        findings.append(ValidationFinding(kind: kind, policy: policy.id, range: range, message: message, environment: nil))
    }

    // MARK: - The applicable action

    /// Whether the scope alone lets some request through. The conditions are not looked at.
    private var hasApplicableAction: Bool {
        let principals = types(of: policy.principal)
        let resources = types(of: policy.resource)
        return scopedActions.contains { action in
            action.principals.contains { principals?.contains($0) ?? true }
                && action.resources.contains { resources?.contains($0) ?? true }
        }
    }

    private var scopedActions: [ActionDefinition] {
        switch policy.action {
        case .any: return Array(schema.actionDefinitions.values)
        case .equal(let uid): return schema.actionDefinitions[uid].map { [$0] } ?? []
        case .in(let uid): return actions(in: [uid])
        case .inList(let uids): return actions(in: uids)
        }
    }

    /// The groups with all that they hold; nothing if one of them does not exist.
    private func actions(in groups: [EntityUID]) -> [ActionDefinition] {
        var found: Set<EntityUID> = []
        for group in groups {
            guard let definition = schema.actionDefinitions[group] else { return [] }
            found.insert(group)
            found.formUnion(definition.descendants)
        }
        return found.compactMap { schema.actionDefinitions[$0] }
    }

    /// The types that the scope lets through; nil for all.
    private func types(of scope: Policy.Scope) -> Set<TypeName>? {
        switch scope {
        case .any, .equal(.slot), .in(.slot): return nil
        case .equal(.entity(let uid)): return [uid.type]
        case .in(.entity(let uid)): return below(uid.type)
        case .isType(let type), .isTypeIn(let type, .slot): return [type]
        case .isTypeIn(let type, .entity(let uid)): return below(uid.type).contains(type) ? [type] : []
        }
    }

    private func below(_ type: TypeName) -> Set<TypeName> {
        Set([type]).union(schema.entityDefinitions[type]?.descendants ?? [])
    }
}
