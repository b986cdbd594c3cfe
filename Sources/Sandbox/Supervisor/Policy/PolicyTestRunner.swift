/// Runs the tests beside the policies. Pure.
public struct PolicyTestRunner: Sendable {
    public struct Result: Sendable, Hashable {
        public let name: String
        public let file: String
        /// What differs, in a sentence; nil when the answer is the expected one.
        public let difference: String?

        public var passed: Bool { difference == nil }

        var finding: PolicyFinding {
            PolicyFinding(.error, "test", file: file, rule: name, message: "The test fails: \(difference ?? "")")
        }
    }

    /// How often the tests reach a rule.
    public struct Coverage: Sendable, Hashable {
        public let rule: String
        /// Tests for whose questions it is satisfied.
        public let matched: Int
        /// Tests about a tool of its scope for whose questions it is not.
        public let notMatched: Int
        /// Whether a question about a tool of its scope can leave it unsatisfied: not where it has no clause, and everyone is meant.
        public let canMiss: Bool

        /// Satisfied once, and not satisfied once if it can be.
        public var isComplete: Bool { matched > 0 && (notMatched > 0 || !canMiss) }
    }

    private let bundle: PolicyBundle

    public init(_ bundle: PolicyBundle) { self.bundle = bundle }

    /// In the order of the tests.
    public func run() -> [Result] {
        bundle.tests.map { test in
            Result(name: test.name, file: test.file, difference: difference(test))
        }
    }

    private func difference(_ test: PolicyTest) -> String? {
        let ruling: Ruling
        switch test.question {
        case .success(let request): ruling = bundle.ruling(request)
        case .failure(let error):
            ruling = Ruling(.deny(Refusal(code: RefusalCode.badArguments, message: error.message, rule: RuleID.arguments)))
        }
        let expected = test.expectation
        let said = PolicyReplay.Said(ruling.verdict)
        guard said.decision == expected.decision else {
            let code = said.code.map { " (\($0))" } ?? ""
            return "expected \(expected.decision.rawValue), and the answer is \(said.decision.rawValue) by \(said.rule)\(code)."
        }
        if let rule = expected.rule, rule != said.rule { return "expected the rule \(rule), and it is \(said.rule)." }
        if let code = expected.code, code != said.code { return "expected the code \(code), and it is \(said.code ?? "none")." }
        if let quorum = expected.quorum, case .needsApproval(let demand) = ruling.verdict, demand.quorum != quorum {
            return "expected a quorum of \(quorum), and it is \(demand.quorum)."
        }
        if let limits = expected.limits {
            let found = ruling.limits.map(\.text).sorted()
            guard found == limits.sorted() else { return "expected the limits \(limits.sorted()), and they are \(found)." }
        }
        return nil
    }

    /// For each rule of the set, in its order.
    public func coverage() -> [Coverage] {
        var matched: [String: Int] = [:]
        var notMatched: [String: Int] = [:]
        for test in bundle.tests {
            guard case .success(let request) = test.question else { continue }
            for (rule, isSatisfied) in bundle.satisfied(by: request) {
                if isSatisfied {
                    matched[rule.id, default: 0] += 1
                } else if rule.tools.contains(request.tool.name) {
                    notMatched[rule.id, default: 0] += 1
                }
            }
        }
        return bundle.rules.map { rule in
            Coverage(
                rule: rule.id, matched: matched[rule.id] ?? 0, notMatched: notMatched[rule.id] ?? 0,
                canMiss: !rule.isUnconditional || !rule.meansEveryone)
        }
    }
}
