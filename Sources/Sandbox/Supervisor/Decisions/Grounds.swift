internal import JSON

/// What is known of a call on its way, for its record: the ruling, the room in its limits, and the approval.
struct Grounds: Sendable {
    var ruling: Ruling?
    /// How many calls of the session were recorded when the ruling was asked for: ``SessionTurns/recorded(in:)``.
    var turn = 0
    /// Of the limits that were asked for room.
    var readings: [LimitReading] = []
    /// The approval that was asked for, whatever came of it.
    var asked: String?
    /// The approval that the call is made under.
    var approval: String?

    /// The rule that lets the call be made.
    var rule: String {
        switch ruling?.verdict {
        case .allow(let rule)?: rule
        case .needsApproval(let demand)?: demand.rule
        case .deny(let refusal)?: refusal.rule
        case nil: ""
        }
    }

    /// Canonical JSON of at most ``SupervisorLimits/recordedDetailsBytesMax``, without card numbers; nil before there is a ruling.
    var details: String? {
        guard let ruling else { return nil }
        var object = JSONObject([("ruling", ruling.json)])
        if let basis = ruling.basis {
            object["policy"] = .string(basis.version)
            object["inputs"] = CardNumbers.masked(.object(basis.inputs))
        }
        if !ruling.limits.isEmpty { object["limits"] = .array(ruling.limits.map { limit($0) }) }
        if let shadow = ruling.shadow { object["shadow"] = shadow.json }
        if let asked { object["approval"] = .string(asked) }
        for left in [[], ["inputs"], ["inputs", "limits", "ruling"]] {
            var shorter = object
            for member in left { shorter[member] = nil }
            if !left.isEmpty { shorter["truncated"] = true }
            let bytes = JSONValue.object(shorter).canonicalBytes
            if bytes.count <= SupervisorLimits.recordedDetailsBytesMax { return String(decoding: bytes, as: UTF8.self) }
        }
        return nil
    }

    private func limit(_ demand: LimitDemand) -> JSONValue {
        var object = JSONObject([
            ("id", .string(demand.id)), ("limit", .string(demand.text)), ("rule", .string(demand.rule)),
            ("max", .string(FixedPoint.text(demand.cap, places: demand.places))),
            ("amount", .string(FixedPoint.text(demand.amount, places: demand.places))),
        ])
        if let reading = readings.first(where: { $0.demand == demand }) {
            object["used"] = .string(FixedPoint.text(reading.used, places: demand.places))
        }
        return .object(object)
    }
}

extension Ruling {
    fileprivate var json: JSONValue {
        let (decision, rule): (String, String) =
            switch verdict {
            case .allow(let rule): ("allow", rule)
            case .deny(let refusal): ("deny", refusal.rule)
            case .needsApproval(let demand): ("approval", demand.rule)
            }
        return .object(
            JSONObject([
                ("decision", .string(decision)), ("rule", .string(rule)),
                ("rules", .array((basis?.rules ?? []).map { .string($0) })), ("errors", .array((basis?.errors ?? []).map { .string($0) })),
            ]))
    }
}

extension ShadowRuling {
    fileprivate var json: JSONValue {
        .object(JSONObject([("version", .string(version)), ("decision", .string(decision.rawValue)), ("rule", .string(rule))]))
    }
}

extension FixedPoint {
    /// The decimal text of a scaled integer, without zeros that say nothing.
    static func text(_ scaled: Int64, places: Int) -> String {
        let sign = scaled < 0 ? "-" : ""
        var digits = String(scaled.magnitude)
        guard places > 0 else { return sign + digits }
        if digits.utf8.count <= places { digits = String(repeating: "0", count: places + 1 - digits.utf8.count) + digits }
        var fraction = digits.suffix(places)
        while fraction.last == "0" { fraction.removeLast() }
        let whole = digits.dropLast(places)
        return sign + whole + (fraction.isEmpty ? "" : "." + fraction)
    }
}
