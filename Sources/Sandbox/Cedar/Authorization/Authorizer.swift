/// Answers requests by a set of policies and a store of entities. A value without state: safe to use from anywhere.
public struct Authorizer: Sendable {
    /// The policies that decide.
    public let policies: PolicySet

    /// An authorizer for `policies`.
    public init(_ policies: PolicySet) { self.policies = policies }

    /// Answers a request: allow if at least one permit is satisfied and no forbid is.
    ///
    /// Only the policies whose scopes may fit are looked at. The answer depends on nothing but the arguments.
    public func authorize(_ request: Request, _ entities: Entities) -> Response {
        var evaluator = Evaluator(request, entities)
        var permits: [String] = []
        var forbids: [String] = []
        var failures: [Response.Failure] = []
        for number in policies.index.candidates(request, entities) {
            let prepared = policies.prepared[number]
            let policy = prepared.policy
            guard policy.principal.fits(request.principal, entities), policy.action.fits(request.action, entities),
                policy.resource.fits(request.resource, entities)
            else { continue }
            do throws(EvaluationError) {
                guard try evaluator.isSatisfied(prepared) else { continue }
                if policy.effect == .permit { permits.append(policy.id) } else { forbids.append(policy.id) }
            } catch {
                failures.append(Response.Failure(policy: policy.id, effect: policy.effect, error: error))
            }
        }
        let isAllowed = forbids.isEmpty && !permits.isEmpty
        return Response(
            decision: isAllowed ? .allow : .deny, reason: forbids.isEmpty ? permits : forbids, failures: failures,
            isForbidden: !forbids.isEmpty)
    }
}

extension Evaluator {
    fileprivate mutating func isSatisfied(_ prepared: PolicySet.Prepared) throws(EvaluationError) -> Bool {
        guard let program = prepared.program else { return true }
        guard case .bool(let result) = try run(program) else { return false }
        return result
    }
}
