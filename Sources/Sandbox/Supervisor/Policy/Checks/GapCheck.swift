internal import Cedar

/// The ranges of numeric arguments that no permit covers.
///
/// Only arguments that a permit compares are looked at, and each alone: that a permit asks more than the argument is not a gap.
struct GapCheck {
    private(set) var findings: [PolicyFinding] = []

    init(_ analyses: [RuleAnalysis], _ schema: PolicySchema) {
        let permits = analyses.filter { $0.rule.effect == .permit && !$0.rule.isShadow }
        for tool in schema.tools {
            let boxes = permits.flatMap { $0.boxes[tool.definition.name] ?? [] }
            let compared = Set(boxes.flatMap { $0.domains.keys }).filter { $0.argument != nil }.sorted()
            for access in compared { find(access, boxes, tool) }
        }
    }

    private mutating func find(_ access: AttributeAccess, _ boxes: [ConditionBox], _ tool: PolicySchema.Tool) {
        guard case .number(let numbers)? = tool.domain(of: access), numbers.values == nil, let whole = numbers.range else { return }
        var covered: [ClosedRange<Int64>] = []
        for box in boxes {
            // A permit that does not ask covers all.
            guard case .number(let domain)? = box.domains[access] else { return }
            if let range = domain.range { covered.append(range) }
        }
        covered.sort { $0.lowerBound < $1.lowerBound }
        var next: Int64? = whole.lowerBound
        for range in covered {
            guard let start = next else { return }
            if range.lowerBound > start {
                let (end, overflow) = range.lowerBound.subtractingReportingOverflow(numbers.step)
                note(start, overflow ? start : max(start, end), whole, numbers, access, tool)
            }
            guard range.upperBound >= start else { continue }
            let (after, overflow) = range.upperBound.addingReportingOverflow(numbers.step)
            next = overflow || range.upperBound == .max ? nil : after
        }
        if let start = next, start <= whole.upperBound { note(start, whole.upperBound, whole, numbers, access, tool) }
    }

    private mutating func note(
        _ lower: Int64, _ upper: Int64, _ whole: ClosedRange<Int64>, _ numbers: NumberDomain, _ access: AttributeAccess,
        _ tool: PolicySchema.Tool
    ) {
        let range: String
        if upper >= whole.upperBound, lower > whole.lowerBound {
            range = "above \(numbers.shown(lower - numbers.step))"
        } else if lower <= whole.lowerBound, upper < whole.upperBound {
            range = "below \(numbers.shown(upper + numbers.step))"
        } else {
            range = lower == upper ? "exactly \(numbers.shown(lower))" : "from \(numbers.shown(lower)) to \(numbers.shown(upper))"
        }
        let message = "\(tool.definition.name): \(access.shown) \(range): no permit, so denied."
        findings.append(PolicyFinding(.info, "gap", message: message))
    }
}
