internal import Cedar
internal import JSON

/// Why a call is answered as it is: what each rule says of it.
public struct PolicyExplanation: Sendable {
    /// One rule and what became of it.
    public struct Considered: Sendable, Hashable {
        public enum Outcome: String, Sendable, Hashable, CaseIterable {
            /// Its scope is about other callers, tools or places.
            case outOfScope = "out_of_scope"
            /// A clause says no.
            case notSatisfied = "not_satisfied"
            case satisfied
            /// It has no value.
            case error
        }

        /// What a clause looked at.
        public struct Reading: Sendable, Hashable {
            /// `context.args.amount`.
            public let access: String
            /// Bounded; `absent` for what is not there.
            public let value: String
        }

        public let rule: String
        public let effect: PolicyRule.Effect
        public let file: String
        public let line: Int
        public let isShadow: Bool
        public let outcome: Outcome
        /// Of a rule that is not satisfied the first clause that fails, of one out of scope the part of the scope that does not fit, of one
        /// with an error the part without a value; as it is written.
        public let clause: String?
        public let readings: [Reading]
        /// Why it has no value.
        public let error: String?
        public let obligations: [String]
    }

    public let tool: String
    public let version: String
    /// As the call would meet it.
    public let ruling: Ruling
    /// In the order of the rules; those that are only tried are among them. Empty for a call that cannot be put to the policies.
    public let considered: [Considered]

    /// Looks at all rules: for people, not for every decision.
    public init(_ bundle: PolicyBundle, _ request: DecisionRequest) {
        tool = request.tool.name
        version = bundle.version
        ruling = bundle.ruling(request)
        guard let question = bundle.schema.question(request, reading: .all) else {
            considered = []
            return
        }
        let verdicts = (bundle.tried ?? bundle.enforced).authorizer.explain(question.request, question.entities)
        considered = zip(bundle.rules, verdicts).map { rule, verdict in
            ClauseFinder(rule: rule, question: question).considered(verdict.verdict)
        }
    }
}

/// Finds what made a rule fail.
struct ClauseFinder {
    let rule: PolicyRule
    let question: CedarQuestion

    func considered(_ verdict: Authorizer.Verdict) -> PolicyExplanation.Considered {
        switch verdict {
        case .satisfied: made(.satisfied)
        case .outOfScope: made(.outOfScope, clause: scope)
        case .failed(let error): made(.error, clause: text(error.range), error: error.message)
        case .notSatisfied:
            if let failing {
                made(.notSatisfied, clause: failing.text, readings: readings(in: failing.expression))
            } else {
                made(.notSatisfied)
            }
        }
    }

    private func made(
        _ outcome: PolicyExplanation.Considered.Outcome, clause: String? = nil, readings: [PolicyExplanation.Considered.Reading] = [],
        error: String? = nil
    ) -> PolicyExplanation.Considered {
        let obligations = rule.annotations.filter { $0.name == "approval" || $0.name == "limit" }.map { "@\($0.name)(\"\($0.value)\")" }
        return PolicyExplanation.Considered(
            rule: rule.id, effect: rule.effect, file: rule.file, line: rule.line, isShadow: rule.isShadow, outcome: outcome,
            clause: clause, readings: readings, error: error, obligations: obligations)
    }

    // MARK: - Scope

    private var scope: String? {
        let policy = rule.policy
        if !policy.action.admits(question.request.action, question.entities) { return "action" }
        if !policy.principal.admits(question.request.principal, question.entities) { return "principal \(policy.principal.asked)" }
        if !policy.resource.admits(question.request.resource, question.entities) { return "resource \(policy.resource.asked)" }
        return nil
    }

    // MARK: - Clauses

    private struct Failing {
        let expression: Expr
        let text: String
    }

    private func isTrue(_ expression: Expr) -> Bool { (try? expression.evaluate(question.request, question.entities)) == .bool(true) }

    private var failing: Failing? {
        for condition in rule.policy.conditions {
            switch condition.kind {
            case .when where !isTrue(condition.body):
                let part = firstFalse(condition.body)
                return Failing(expression: part, text: text(part.range))
            case .unless where isTrue(condition.body):
                let part = firstTrue(condition.body)
                return Failing(expression: part, text: "unless { \(text(part.range)) }")
            case .when, .unless: continue
            }
        }
        return nil
    }

    /// The first operand of a conjunction that is not true; bounded by the depth of the policy.
    private func firstFalse(_ expression: Expr) -> Expr {
        var expression = expression
        while case .and = expression.kind, let part = expression.children.first(where: { !isTrue($0) }) { expression = part }
        return expression
    }

    private func firstTrue(_ expression: Expr) -> Expr {
        var expression = expression
        while case .or = expression.kind, let part = expression.children.first(where: isTrue) { expression = part }
        return expression
    }

    /// The text as it is written, in one line.
    private func text(_ range: SourceRange) -> String {
        let bytes = rule.source.utf8
        guard let start = bytes.index(bytes.startIndex, offsetBy: Int(range.start.offset), limitedBy: bytes.endIndex),
            let end = bytes.index(bytes.startIndex, offsetBy: Int(range.end.offset), limitedBy: bytes.endIndex), start <= end
        else { return "" }
        let words = rule.source[start..<end].split(whereSeparator: \.isWhitespace)
        return SafeText.bounded(words.joined(separator: " "), bytesMax: PolicyLimits.shownBytesMax)
    }

    // MARK: - Values

    /// The attributes that an expression reads, each once, with their values; of `a.b.c` only the whole.
    private func readings(in expression: Expr) -> [PolicyExplanation.Considered.Reading] {
        var inner: Set<Expr> = []
        for part in expression.subexpressions {
            switch part.kind {
            case .attribute, .has: if let child = part.children.first { inner.insert(child) }
            default: break
            }
        }
        var seen: Set<Expr> = []
        var readings: [PolicyExplanation.Considered.Reading] = []
        for part in expression.subexpressions where part.isAccess && !inner.contains(part) && seen.insert(part).inserted {
            guard readings.count < PolicyLimits.shownValuesMax else { break }
            let value = try? part.evaluate(question.request, question.entities)
            readings.append(PolicyExplanation.Considered.Reading(access: text(part.range), value: value?.shown ?? "absent"))
        }
        return readings
    }
}

extension Expr {
    /// `context.args.amount`, `principal`; not the context as a whole.
    fileprivate var isAccess: Bool {
        switch kind {
        case .variable(let variable): return variable != .context
        case .attribute:
            guard let child = children.first else { return false }
            if case .variable = child.kind { return true }
            return child.isAccess
        default: return false
        }
    }
}

extension Policy.ActionScope {
    /// Whether an action fits. No scope can be an error.
    func admits(_ uid: EntityUID, _ entities: Entities) -> Bool {
        switch self {
        case .any: true
        case .equal(let other): uid == other
        case .in(let other): entities.isEntity(uid, in: other)
        case .inList(let others): others.contains { entities.isEntity(uid, in: $0) }
        }
    }
}

extension Policy.Scope {
    /// What it asks for, as it is written.
    fileprivate var asked: String {
        func written(_ reference: Policy.EntityReference) -> String {
            guard case .entity(let uid) = reference else { return "?" }
            return uid.description
        }
        return switch self {
        case .any: ""
        case .equal(let other): "== \(written(other))"
        case .in(let other): "in \(written(other))"
        case .isType(let type): "is \(type)"
        case .isTypeIn(let type, let other): "is \(type) in \(written(other))"
        }
    }
}
