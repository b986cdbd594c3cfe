/// A kind of request: who, what and on what, by type. A policy must be sound in each that the schema allows.
public struct RequestEnvironment: Hashable, Sendable, CustomStringConvertible {
    public let principal: TypeName
    public let action: EntityUID
    public let resource: TypeName
    /// What `?principal` stands for in a template; nil where the policy has no such slot.
    public let principalSlot: TypeName?
    /// What `?resource` stands for in a template; nil where the policy has no such slot.
    public let resourceSlot: TypeName?

    public var description: String { "for \(action) by \(principal) on \(resource)" }
}

extension Schema {
    /// Every kind of request that some action allows, in one order.
    var environments: [RequestEnvironment] {
        actionDefinitions.values.sorted { $0.uid < $1.uid }.flatMap { action in
            action.principals.sorted().flatMap { principal in
                action.resources.sorted().map { resource in
                    RequestEnvironment(
                        principal: principal, action: action.uid, resource: resource, principalSlot: nil, resourceSlot: nil)
                }
            }
        }
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
