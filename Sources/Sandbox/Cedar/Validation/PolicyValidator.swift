extension Schema {
    /// Validates policies by the strict rules: a set that passes never fails on a type, an unknown name or a missing optional
    /// attribute when a request that fits the schema is decided.
    ///
    /// What can still fail: arithmetic that overflows, and entities that are missing from the store.
    public func validate(_ policies: some Sequence<Policy>) -> ValidationReport {
        var report = ValidationReport()
        var environments: [EntityUID: [RequestEnvironment]] = [:]
        for action in actionDefinitions.values { environments[action.uid] = self.environments(of: action) }
        for policy in policies {
            let checks = PolicyChecks(schema: self, policy: policy)
            var findings = Findings(checks.findings)
            var canApply = false
            let actions = checks.isTypeable ? actions(typedFor: policy) : []
            for base in actions.flatMap({ environments[$0.uid] ?? [] }) {
                for environment in self.environments(of: policy, in: base) {
                    var checker = Typechecker(schema: self, environment: environment, policy: policy.id)
                    let typed = checker.expectBoolean(policy.expression, [])
                    if typed.type != .false { canApply = true }
                    findings.add(checker.findings)
                }
            }
            let found = findings.sorted
            report.errors += found.prefix(ValidationLimits.findings - report.errors.count)
            if found.isEmpty, !canApply {
                report.warnings.append(
                    ValidationFinding(
                        kind: .neverApplies, policy: policy.id, range: policy.range,
                        message: "This policy applies to no request that the schema allows.", environment: nil))
            }
        }
        return report
    }
}

/// Findings of one policy, each said once however many kinds of request show it.
private struct Findings {
    private struct Key: Hashable {
        let range: SourceRange
        let message: String
    }

    private var seen: Set<Key> = []
    private var all: [ValidationFinding] = []

    init(_ findings: [ValidationFinding]) { add(findings) }

    mutating func add(_ findings: [ValidationFinding]) {
        for finding in findings where all.count < ValidationLimits.findings {
            if seen.insert(Key(range: finding.range, message: finding.message)).inserted { all.append(finding) }
        }
    }

    var sorted: [ValidationFinding] {
        all.enumerated().sorted { ($0.element.range.start, $0.offset) < ($1.element.range.start, $1.offset) }.map(\.element)
    }
}
