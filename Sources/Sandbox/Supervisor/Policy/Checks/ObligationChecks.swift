internal import Cedar

/// Obligations that nobody can meet, or that do less than they seem to.
struct ObligationChecks {
    private(set) var findings: [PolicyFinding] = []

    init(_ analysis: RuleAnalysis, _ schema: PolicySchema) {
        let rule = analysis.rule
        if let approval = rule.approval, approval.quorum == 1,
            approval.approvers.contains(where: { if case .agent = $0 { true } else { false } })
        {
            let message = "An agent never gives the last agreement, so with a quorum of 1 its own never counts."
            findings.append(rule.finding(.warning, "obligation", message))
        }
        var said: Set<String> = []
        for (name, limits) in rule.bound.sorted(by: { $0.key < $1.key }) {
            guard let tool = schema.byName[name] else { continue }
            for limit in limits {
                guard let message = Self.message(limit, analysis.boxes[name] ?? [], tool), said.insert(limit.limit.text).inserted else {
                    continue
                }
                findings.append(rule.finding(.warning, "obligation", message))
            }
        }
    }

    private static func message(_ limit: BoundLimit, _ boxes: [ConditionBox], _ tool: PolicySchema.Tool) -> String? {
        let text = limit.limit.text
        switch limit.limit.measure {
        case .calls: return limit.cap == 0 ? "The limit \(text) has no room for a single call." : nil
        case .sum(let path):
            guard let access = AttributeAccess(argument: path) else { return nil }
            let least = boxes.compactMap { box -> Int64? in
                guard case .number(let numbers)? = box.domains[access] ?? tool.domain(of: access) else { return nil }
                return numbers.range?.lowerBound
            }.min()
            guard let least, least > limit.cap, case .number(let numbers)? = tool.domain(of: access) else { return nil }
            return "The limit \(text) has no room for a single call: the least \(access.shown) is \(numbers.shown(least))."
        }
    }
}

extension AttributeAccess {
    /// `context.args.…`.
    init?(argument path: [String]) {
        guard !path.isEmpty else { return nil }
        variable = .context
        self.path = ["args"] + path.map { ExactString($0) }
    }
}

/// `context.history` where `context.called` is meant: history has what is known to have succeeded, and a call whose outcome is unknown may
/// have happened all the same.
struct HistoryCheck {
    private(set) var findings: [PolicyFinding] = []

    init(_ rule: PolicyRule) {
        // A forbid errs on the safe side when it is satisfied more often, a permit when it is less often.
        let dangerous = rule.effect == .forbid
        let isDangerous = rule.policy.conditions.contains { condition in
            Self.asks(condition.body, condition.kind == .when, dangerous)
        }
        guard isDangerous else { return }
        let message =
            "This asks context.history, which has only what is known to have succeeded; what must not have happened is asked of context.called."
        findings.append(rule.finding(.warning, "history", message))
    }

    /// Whether history is asked with this sign. Where the sign is not clear it is not said.
    private static func asks(_ expression: Expr, _ sign: Bool, _ dangerous: Bool) -> Bool {
        let parts = expression.children
        switch expression.kind {
        case .and, .or: return parts.contains { asks($0, sign, dangerous) }
        case .unary(.not): return asks(parts[0], !sign, dangerous)
        case .conditional: return asks(parts[1], sign, dangerous) || asks(parts[2], sign, dangerous)
        case .binary(.contains), .binary(.containsAll), .binary(.containsAny): return sign == dangerous && parts[0].isHistory
        case .unary(.isEmpty): return sign != dangerous && parts[0].isHistory
        default: return false
        }
    }
}

extension Expr {
    fileprivate var isHistory: Bool {
        guard let access = AttributeAccess(self) else { return false }
        return access.variable == .context && access.path == ["history"]
    }
}
