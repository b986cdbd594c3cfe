internal import JSON
internal import Supervisor

extension PolicyTestRunner.Result {
    var json: JSONValue {
        [
            "name": .string(name), "file": .string(file), "passed": .bool(passed),
            "message": difference.map { .string($0) } ?? .null,
        ]
    }
}

extension PolicyTestRunner.Coverage {
    var json: JSONValue {
        ["rule": .string(rule), "matched": .integer(Int64(matched)), "not_matched": .integer(Int64(notMatched))]
    }
}

extension PolicyReplay.Said {
    var json: JSONValue {
        ["decision": .string(decision.rawValue), "rule": .string(rule), "code": code.map { .string($0) } ?? .null]
    }

    /// `deny (no-cross-tenant)`.
    var text: String { "\(decision.rawValue) (\(rule))" }

    /// As a record's details have it; nil for what is none.
    init?(ruling: JSONValue) {
        guard let text = ruling["decision"]?.stringValue, let decision = ShadowRuling.Decision(rawValue: text),
            let rule = ruling["rule"]?.stringValue
        else { return nil }
        self.init(decision: decision, rule: rule, code: ruling["code"]?.stringValue)
    }
}
