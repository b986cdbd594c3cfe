internal import Cedar

/// Reads one file's policies into rules, and notes all that is wrong with them.
struct PolicyRuleReader {
    let file: PolicyFile
    let schema: PolicySchema
    private(set) var rules: [PolicyRule] = []
    private(set) var findings: [PolicyFinding] = []

    init(_ file: PolicyFile, _ schema: PolicySchema) {
        self.file = file
        self.schema = schema
        let policies: [Policy]
        do { policies = try PolicySet(parsing: file.text).policies } catch {
            note("syntax", line: Int(error.range.start.line), column: Int(error.range.start.column), nil, error.message)
            return
        }
        for (number, policy) in policies.enumerated() { read(policy, number + 1) }
    }

    private static let annotations: Set<String> = ["id", "message", "approval", "limit", "shadow"]
    /// Ids that begin so are of rules that no policy has.
    private static let reserved = ["policy.", "supervisor.", "tool.", "accounting.", "no-cross-tenant"]

    private mutating func note(_ kind: String, line: Int, column: Int, _ rule: String?, _ message: String) {
        findings.append(PolicyFinding(.error, kind, file: file.name, line: line, column: column, rule: rule, message: message))
    }

    private mutating func read(_ policy: Policy, _ number: Int) {
        let places = AnnotationPlaces(policy, in: file.text).places
        let start = AnnotationPlaces.Place(line: Int(policy.range.start.line), column: Int(policy.range.start.column))
        let id = id(of: policy, number, places["id"] ?? start)
        func place(_ key: String) -> AnnotationPlaces.Place { places[key] ?? start }
        for annotation in policy.annotations where !Self.annotations.contains(annotation.key.string) {
            let known = Self.annotations.sorted().map { "@\($0)" }.joined(separator: ", ")
            let message = "@\(SafeText.shown(annotation.key.string)) is not known; there are \(known)."
            let place = place(annotation.key.string)
            note("annotation", line: place.line, column: place.column, id, message)
        }
        if policy.isTemplate {
            note("template", line: start.line, column: start.column, id, "This is a template, and nothing here fills its slots.")
        }
        for key in ["approval", "limit"] where policy.effect == .forbid && policy.annotation(ExactString(key)) != nil {
            let message = "A forbid has no @\(key): what it says is no, whoever agrees."
            note("obligation", line: place(key).line, column: place(key).column, id, message)
        }
        if let message = policy.annotation("message"), message.isEmpty || message.utf8Count > PolicyLimits.messageBytesMax {
            let said = "A message has 1 to \(PolicyLimits.messageBytesMax) bytes."
            note("annotation", line: place("message").line, column: place("message").column, id, said)
        }
        if let shadow = policy.annotation("shadow"), !shadow.isEmpty {
            note("annotation", line: place("shadow").line, column: place("shadow").column, id, "@shadow says nothing but its name.")
        }
        let approval = obligation("approval", policy, id, place("approval")) { text throws(ObligationError) in
            try ApprovalObligation(parsing: text)
        }
        let limits = obligation("limit", policy, id, place("limit")) { text throws(ObligationError) in try LimitObligation.parse(text) }
        let tools = schema.tools(of: policy.action)
        let bound = bind(limits ?? [], policy, id, tools, place("limit"))
        rules.append(
            PolicyRule(
                id: id, file: file.name, line: start.line, column: start.column, effect: policy.effect == .permit ? .permit : .forbid,
                text: PolicyFormatter.format([policy]),
                annotations: policy.annotations.map { PolicyRule.Annotation(name: $0.key.string, value: $0.value.string) },
                isShadow: policy.annotation("shadow") != nil, message: policy.annotation("message")?.string,
                policy: policy.identified(as: id), source: file.text, approval: approval, limits: limits ?? [], bound: bound,
                tools: Set(tools.map(\.definition.name))))
    }

    private mutating func id(of policy: Policy, _ number: Int, _ place: AnnotationPlaces.Place) -> String {
        guard let id = policy.annotation("id")?.string else { return "\(file.name)#\(number)" }
        if id.isEmpty || id.utf8.count > PolicyLimits.ruleIDBytesMax || !id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            let message = "An id has 1 to \(PolicyLimits.ruleIDBytesMax) printable ASCII characters, and no blank."
            note("id", line: place.line, column: place.column, SafeText.shown(id), message)
        } else if Self.reserved.contains(where: { id.hasPrefix($0) }) {
            note("id", line: place.line, column: place.column, id, "Ids that begin like \(id) are the supervisor's own.")
        }
        return id
    }

    private mutating func obligation<Obligation>(
        _ key: String, _ policy: Policy, _ id: String, _ place: AnnotationPlaces.Place,
        _ parse: (String) throws(ObligationError) -> Obligation
    ) -> Obligation? {
        guard policy.effect == .permit, let text = policy.annotation(ExactString(key)) else { return nil }
        guard text.utf8Count <= PolicyLimits.obligationBytesMax else {
            let message = "@\(key) has at most \(PolicyLimits.obligationBytesMax) bytes."
            note("obligation", line: place.line, column: place.column, id, message)
            return nil
        }
        do { return try parse(text.string) } catch {
            note("obligation", line: place.line, column: place.column + error.offset, id, "@\(key): \(error.message).")
            return nil
        }
    }

    private mutating func bind(
        _ limits: [LimitObligation], _ policy: Policy, _ id: String, _ tools: [PolicySchema.Tool], _ place: AnnotationPlaces.Place
    ) -> [String: [BoundLimit]] {
        var bound: [String: [BoundLimit]] = [:]
        var said: Set<Int> = []
        for tool in tools {
            for limit in limits {
                do { bound[tool.definition.name, default: []].append(try BoundLimit(limit, rule: id, tool: tool)) } catch {
                    // One tool shows it; the others of a group would say the same.
                    guard said.insert(limit.offset).inserted else { continue }
                    note("obligation", line: place.line, column: place.column + error.offset, id, "@limit: \(error.message).")
                }
            }
        }
        return bound
    }
}
