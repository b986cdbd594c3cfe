internal import Cedar

extension PolicyBundle {
    /// Each rule, and whether it is satisfied; empty for a question that cannot be put.
    func satisfied(by request: DecisionRequest) -> [(PolicyRule, Bool)] {
        guard let question = schema.question(request, reading: use) else { return [] }
        let verdicts = (tried ?? enforced).authorizer.explain(question.request, question.entities)
        return zip(rules, verdicts).map { rule, verdict in (rule, verdict.verdict == .satisfied) }
    }
}
