public import JSON

extension PolicyExplanation {
    private typealias Parts = (decision: String, rule: String, code: String?, message: String?)

    private var parts: Parts {
        switch ruling.verdict {
        case .allow(let rule): ("allow", rule, nil, nil)
        case .deny(let refusal): ("deny", refusal.rule, refusal.code, refusal.message)
        case .needsApproval(let demand): ("approval", demand.rule, nil, nil)
        }
    }

    /// For programs: `{"tool", "decision", "rule", "code"?, "message"?, "approval"?, "limits", "policy", "rules", "errors", "considered":
    /// [{"rule", "effect", "file", "line", "outcome", "clause"?, "values"?, "error"?, "obligations"?, "shadow"?}], "shadow"?}`.
    public var json: JSONValue {
        let parts = parts
        var object = JSONObject([
            ("tool", .string(tool)), ("decision", .string(parts.decision)), ("rule", .string(parts.rule)),
        ])
        object["code"] = parts.code.map { .string($0) }
        object["message"] = parts.message.map { .string($0) }
        if case .needsApproval(let demand) = ruling.verdict { object["approval"] = Self.json(demand) }
        object["limits"] = .array(ruling.limits.map(Self.json))
        object["policy"] = .string(version)
        object["rules"] = .array((ruling.basis?.rules ?? []).map { .string($0) })
        object["errors"] = .array((ruling.basis?.errors ?? []).map { .string($0) })
        object["considered"] = .array(considered.map(Self.json))
        if let shadow = ruling.shadow {
            object["shadow"] = [
                "decision": .string(shadow.decision.rawValue), "rule": .string(shadow.rule), "policy": .string(shadow.version),
            ]
        }
        return .object(object)
    }

    private static func json(_ demand: ApprovalDemand) -> JSONValue {
        [
            "rule": .string(demand.rule), "quorum": .integer(Int64(demand.quorum)),
            "from": .array(demand.from.map { .array($0.map { .string($0.text) }) }),
            "timeout_seconds": .integer(demand.timeout.components.seconds),
        ]
    }

    private static func json(_ limit: LimitDemand) -> JSONValue {
        [
            "id": .string(limit.id), "rule": .string(limit.rule), "text": .string(limit.text), "amount": .integer(limit.amount),
            "cap": .integer(limit.cap), "places": .integer(Int64(limit.places)), "period": .string(limit.period.rawValue),
        ]
    }

    private static func json(_ considered: Considered) -> JSONValue {
        var object = JSONObject([
            ("rule", .string(considered.rule)), ("effect", .string(considered.effect.rawValue)), ("file", .string(considered.file)),
            ("line", .integer(Int64(considered.line))), ("outcome", .string(considered.outcome.rawValue)),
        ])
        object["clause"] = considered.clause.map { .string($0) }
        if !considered.readings.isEmpty {
            object["values"] = .object(JSONObject(considered.readings.map { ($0.access, .string($0.value)) }))
        }
        object["error"] = considered.error.map { .string($0) }
        if !considered.obligations.isEmpty { object["obligations"] = .array(considered.obligations.map { .string($0) }) }
        if considered.isShadow { object["shadow"] = true }
        return .object(object)
    }

    /// For people. Rules about other tools are only counted.
    public var text: String {
        let parts = parts
        var lines = ["\(tool): \(parts.decision) by \(parts.rule)" + (parts.code.map { " (\($0))" } ?? "")]
        if let message = parts.message { lines.append("  \(message)") }
        if case .needsApproval(let demand) = ruling.verdict {
            let lists = demand.from.map { $0.map(\.text).joined(separator: " or ") }.joined(separator: "; and of those: ")
            lines.append("  needs \(demand.quorum) of \(lists), within \(demand.timeout.components.seconds) seconds")
        }
        for limit in ruling.limits { lines.append("  counts against \(limit.text) (\(limit.rule))") }
        if let shadow = ruling.shadow {
            lines.append("  with the rules that are only tried: \(shadow.decision.rawValue) by \(shadow.rule)")
        }
        lines.append("policy \(version)")
        for rule in considered where rule.outcome != .outOfScope || rule.clause != "action" { lines += Self.lines(rule) }
        let others = considered.count { $0.outcome == .outOfScope && $0.clause == "action" }
        if others > 0 { lines.append("\(others) rules are about other tools.") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(_ rule: Considered) -> [String] {
        let said: String =
            switch rule.outcome {
            case .outOfScope: "is about others"
            case .notSatisfied: "is not satisfied"
            case .satisfied: "is satisfied"
            case .error: "has no value: \(rule.error ?? "")"
            }
        let shadow = rule.isShadow ? ", only tried" : ""
        var lines = ["\(rule.rule) (\(rule.effect.rawValue), \(rule.file):\(rule.line)\(shadow)) \(said)"]
        if let clause = rule.clause { lines.append("    \(clause)") }
        for reading in rule.readings { lines.append("    where \(reading.access) = \(reading.value)") }
        if rule.outcome == .satisfied { lines += rule.obligations.map { "    \($0)" } }
        return lines
    }
}
