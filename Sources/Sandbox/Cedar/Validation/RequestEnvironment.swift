/// A kind of request: who, what and on what, by type. A policy must be sound in each that the schema allows.
public struct RequestEnvironment: Hashable, Sendable, CustomStringConvertible {
    /// The type of who asks.
    public let principal: TypeName
    /// The action.
    public let action: EntityUID
    /// The type of what it is done to.
    public let resource: TypeName
    /// What `?principal` stands for in a template; nil where the policy has no such slot.
    public let principalSlot: TypeName?
    /// What `?resource` stands for in a template; nil where the policy has no such slot.
    public let resourceSlot: TypeName?

    /// As a message ends with it.
    public var description: String { "for \(action) by \(principal) on \(resource)" }
}

extension Schema {
    /// Every kind of request that the action allows, in one order.
    func environments(of action: ActionDefinition) -> [RequestEnvironment] {
        action.principals.sorted().flatMap { principal in
            action.resources.sorted().map { resource in
                RequestEnvironment(
                    principal: principal, action: action.uid, resource: resource, principalSlot: nil, resourceSlot: nil)
            }
        }
    }

    /// The actions for which the policy must be typed: for others its scope is False, and nothing behind it is looked at.
    ///
    /// With a catalog of a thousand tools most policies name one, and typing each for all would take a thousand times as long.
    func actions(typedFor policy: Policy) -> [ActionDefinition] {
        let named: Set<EntityUID>
        switch policy.action {
        case .any: return actionDefinitions.values.sorted { $0.uid < $1.uid }
        case .equal(let uid): named = [uid]
        case .in(let uid): named = Set([uid]).union(actionDefinitions[uid]?.descendants ?? [])
        case .inList(let uids):
            // A list without one type is an error of itself, whatever the action.
            guard Set(uids.map(\.type)).count == 1 else { return actionDefinitions.values.sorted { $0.uid < $1.uid } }
            named = uids.reduce(into: Set(uids)) { $0.formUnion(actionDefinitions[$1]?.descendants ?? []) }
        }
        return named.sorted().compactMap { actionDefinitions[$0] }
    }

    /// The environments of a template that grow out of one: a slot after `==` has the type of its variable, and one after `in`
    /// also each type above.
    func environments(of policy: Policy, in base: RequestEnvironment) -> [RequestEnvironment] {
        guard policy.isTemplate else { return [base] }
        let principals = slotTypes(of: policy.principal, variable: base.principal)
        let resources = slotTypes(of: policy.resource, variable: base.resource)
        return principals.flatMap { principal in
            resources.map { resource in
                RequestEnvironment(
                    principal: base.principal, action: base.action, resource: base.resource, principalSlot: principal,
                    resourceSlot: resource)
            }
        }
    }

    private func slotTypes(of scope: Policy.Scope, variable: TypeName) -> [TypeName?] {
        switch scope {
        case .equal(.slot): [variable]
        case .in(.slot), .isTypeIn(_, .slot):
            Set([variable]).union(entityDefinitions[variable]?.ancestors ?? []).sorted()
        default: [nil]
        }
    }
}
