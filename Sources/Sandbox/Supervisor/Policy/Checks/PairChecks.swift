internal import Cedar

/// What two rules say together: permits that a forbid takes all of, approvals that contradict each other.
struct PairChecks {
    /// Pairs that are looked at, each tool's counted: a second of work. Ordinary sets have some hundreds.
    private static let pairsMax = 200_000

    private(set) var findings: [PolicyFinding] = []
    private let schema: PolicySchema
    private var pairs = 0

    init(_ analyses: [RuleAnalysis], _ schema: PolicySchema) {
        self.schema = schema
        let enforced = analyses.filter { !$0.rule.isShadow }
        let forbids = enforced.filter { $0.rule.effect == .forbid }
        for permit in enforced where permit.rule.effect == .permit && !permit.boxes.isEmpty { findForbids(of: permit, forbids) }
        let approvals = enforced.filter { $0.rule.approval != nil }
        for (number, one) in approvals.enumerated() {
            for other in approvals[(number + 1)...] where overlaps(one, other) { compare(one.rule, other.rule) }
        }
    }

    // MARK: - Shadowed permits

    private mutating func findForbids(of permit: RuleAnalysis, _ forbids: [RuleAnalysis]) {
        var names: [String] = []
        for (name, boxes) in permit.boxes.sorted(by: { $0.key < $1.key }) {
            guard let tool = schema.byName[name] else { return }
            let covering = forbids.first { forbid in
                guard let theirs = forbid.boxes[name], forbid.rule.policy.principal.covers(permit.rule.policy.principal),
                    forbid.rule.policy.resource.covers(permit.rule.policy.resource)
                else { return false }
                return boxes.allSatisfy { box in theirs.contains { box.isSubset(of: $0, tool) } }
            }
            guard let covering else { return }
            pairs += forbids.count
            if !names.contains(covering.rule.id) { names.append(covering.rule.id) }
        }
        let forbid = names.count == 1 ? "the forbid \(names[0]) denies" : "the forbids \(names.joined(separator: ", ")) deny"
        findings.append(permit.rule.finding(.warning, "shadowed", "This permit never allows anything: \(forbid) all that it permits."))
    }

    // MARK: - Approvals

    private mutating func overlaps(_ one: RuleAnalysis, _ other: RuleAnalysis) -> Bool {
        guard one.rule.policy.principal.mayMeet(other.rule.policy.principal) else { return false }
        for (name, boxes) in one.boxes.sorted(by: { $0.key < $1.key }) {
            guard let theirs = other.boxes[name], let tool = schema.byName[name] else { continue }
            for box in boxes {
                for their in theirs {
                    pairs += 1
                    guard pairs <= Self.pairsMax else { return false }
                    if !box.joined(with: their, tool).isEmpty { return true }
                }
            }
        }
        return false
    }

    private mutating func compare(_ one: PolicyRule, _ other: PolicyRule) {
        guard let first = one.approval, let second = other.approval else { return }
        if let people = first.people, let others = second.people, people.isDisjoint(with: others) {
            let message = "Together with \(other.id) nobody can approve: no one is among the approvers of both."
            findings.append(one.finding(.warning, "conflict", message))
        } else if first.quorum != second.quorum {
            let message = "Where \(other.id) is satisfied too, the higher quorum counts: \(max(first.quorum, second.quorum))."
            findings.append(one.finding(.info, "conflict", message))
        }
    }
}

extension ApprovalObligation {
    /// The users and agents; nil where a group may have anybody.
    fileprivate var people: Set<ApprovalDemand.Approver>? {
        for case .group in approvers { return nil }
        return Set(approvers)
    }
}

extension Policy.Scope {
    /// Whether it asks nothing that `other` does not ask. Types are no demand: there is one of principals and one of resources.
    fileprivate func covers(_ other: Policy.Scope) -> Bool {
        switch (self, other) {
        case (.any, _), (.isType, _): true
        case (.equal(let left), .equal(let right)), (.in(let left), .in(let right)), (.in(let left), .equal(let right)): left == right
        case (.in(let left), .isTypeIn(_, let right)), (.isTypeIn(_, let left), .in(let right)): left == right
        case (.isTypeIn(_, let left), .isTypeIn(_, let right)), (.isTypeIn(_, let left), .equal(let right)): left == right
        default: false
        }
    }

    /// Whether one caller may be in both.
    fileprivate func mayMeet(_ other: Policy.Scope) -> Bool {
        guard case .equal(let left) = self, case .equal(let right) = other else { return true }
        return left == right
    }
}
