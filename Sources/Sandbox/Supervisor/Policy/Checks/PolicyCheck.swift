internal import Cedar

/// Static checks of a set that loads: what is hardly what its author means. Pure.
public enum PolicyCheck {
    /// By severity, and then in the order of the rules.
    public static func findings(_ bundle: PolicyBundle) -> [PolicyFinding] {
        let analyses = bundle.rules.map { RuleAnalysis($0, bundle.schema) }
        var findings = unreachable(analyses, bundle)
        findings += PairChecks(analyses, bundle.schema).findings
        findings += withoutPermit(bundle)
        findings += GapCheck(analyses, bundle.schema).findings
        for analysis in analyses { findings += ObligationChecks(analysis, bundle.schema).findings + HistoryCheck(analysis.rule).findings }
        let order: [PolicyFinding.Severity] = [.error, .warning, .info]
        let sorted = findings.enumerated().sorted { left, right in
            let ranks = (order.firstIndex(of: left.element.severity) ?? 0, order.firstIndex(of: right.element.severity) ?? 0)
            return ranks.0 != ranks.1 ? ranks.0 < ranks.1 : left.offset < right.offset
        }
        return Array(sorted.map(\.element).prefix(PolicyLimits.findingsMax))
    }

    private static func unreachable(_ analyses: [RuleAnalysis], _ bundle: PolicyBundle) -> [PolicyFinding] {
        var findings: [PolicyFinding] = []
        for analysis in analyses {
            if let reason = analysis.neverMatches {
                findings.append(analysis.rule.finding(.error, "never_matches", "This rule can never match: \(reason)."))
            } else if bundle.warnings.contains(where: { $0.rule == analysis.rule.id }) {
                let message = "This rule can never match: it applies to no call that the tools' schemas allow."
                findings.append(analysis.rule.finding(.error, "never_matches", message))
            }
        }
        return findings
    }

    private static func withoutPermit(_ bundle: PolicyBundle) -> [PolicyFinding] {
        bundle.schema.tools.compactMap { tool in
            guard bundle.scopes[tool.definition.name]?.permits.isEmpty ?? true else { return nil }
            let message = "No permit names \(tool.definition.name), so nobody can call it."
            return PolicyFinding(.warning, "no_permit", message: message)
        }
    }
}

extension PolicyRule {
    func finding(_ severity: PolicyFinding.Severity, _ kind: String, _ message: String) -> PolicyFinding {
        PolicyFinding(severity, kind, file: file, line: line, column: column, rule: id, message: message)
    }
}

/// A rule with the ways to satisfy it, for each tool of its scope.
struct RuleAnalysis {
    let rule: PolicyRule
    /// By tool; those that nothing satisfies are left out.
    private(set) var boxes: [String: [ConditionBox]] = [:]
    /// Why nothing satisfies it, whatever the tool.
    private(set) var neverMatches: String?

    init(_ rule: PolicyRule, _ schema: PolicySchema) {
        self.rule = rule
        // What looks at neither arguments nor tool is the same for all tools.
        var common: [ConditionBox]?
        for tool in schema.tools where rule.tools.contains(tool.definition.name) {
            let all = common ?? ConditionBoxes(tool: tool).boxes(of: rule.policy)
            if common == nil, !rule.dependsOnTool { common = all }
            let satisfiable = all.filter { !$0.isEmpty }
            if satisfiable.isEmpty {
                neverMatches = neverMatches ?? all.lazy.compactMap(\.conflict).first
            } else {
                boxes[tool.definition.name] = satisfiable
            }
        }
        if !boxes.isEmpty { neverMatches = nil }
    }
}

extension PolicyRule {
    fileprivate var dependsOnTool: Bool {
        policy.conditions.contains { condition in
            condition.body.subexpressions.contains { part in
                switch part.kind {
                case .variable(.action): true
                case .attribute(let name): name == "args"
                default: false
                }
            }
        }
    }
}
