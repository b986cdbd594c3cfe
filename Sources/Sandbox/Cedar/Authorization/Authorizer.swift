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
            switch evaluator.verdict(of: prepared) {
            case .satisfied where prepared.policy.effect == .permit: permits.append(prepared.policy.id)
            case .satisfied: forbids.append(prepared.policy.id)
            case .failed(let error):
                failures.append(Response.Failure(policy: prepared.policy.id, effect: prepared.policy.effect, error: error))
            case .outOfScope, .notSatisfied: break
            }
        }
        let isAllowed = forbids.isEmpty && !permits.isEmpty
        return Response(
            decision: isAllowed ? .allow : .deny, reason: forbids.isEmpty ? permits : forbids, failures: failures,
            isForbidden: !forbids.isEmpty)
    }

    /// What becomes of one policy for a request.
    public enum Verdict: Hashable, Sendable {
        /// Its scope does not fit: its clauses are not looked at.
        case outOfScope
        /// A clause says no.
        case notSatisfied
        /// It counts.
        case satisfied
        /// It has no value, and does not count.
        case failed(EvaluationError)
    }

    /// What becomes of each policy, in the order of the set; templates are left out. For explanations: it looks at all of them.
    public func explain(_ request: Request, _ entities: Entities) -> [(policy: Policy, verdict: Verdict)] {
        var result: [(policy: Policy, verdict: Verdict)] = []
        for prepared in policies.prepared {
            // Each by itself: what is looked at here and not there must not use up the steps of what was decided.
            var evaluator = Evaluator(request, entities)
            result.append((prepared.policy, evaluator.verdict(of: prepared)))
        }
        return result
    }
}

extension Evaluator {
    fileprivate mutating func verdict(of prepared: PolicySet.Prepared) -> Authorizer.Verdict {
        guard prepared.fits(request, entities) else { return .outOfScope }
        guard let program = prepared.program else { return .satisfied }
        do throws(EvaluationError) {
            if case .bool(true) = try run(program) { return .satisfied }
            return .notSatisfied
        } catch {
            return .failed(error)
        }
    }
}
