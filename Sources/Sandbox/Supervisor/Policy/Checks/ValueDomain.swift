internal import Cedar

/// The values that one attribute may still have, as far as comparisons with literals and the tool's schema tell.
enum ValueDomain: Sendable, Hashable {
    case number(NumberDomain)
    case text(TextDomain)
    case flag(Set<Bool>)

    var isEmpty: Bool {
        switch self {
        case .number(let numbers): numbers.isEmpty
        case .text(let texts): texts.isEmpty
        case .flag(let flags): flags.isEmpty
        }
    }

    /// The values of both; of two kinds the first, because a validated policy does not mix them.
    func intersection(_ other: ValueDomain) -> ValueDomain {
        switch (self, other) {
        case (.number(let left), .number(let right)): .number(left.intersection(right))
        case (.text(let left), .text(let right)): .text(left.intersection(right))
        case (.flag(let left), .flag(let right)): .flag(left.intersection(right))
        default: self
        }
    }

    /// Whether each of its values is one of `other`; false where that is not certain.
    func isSubset(of other: ValueDomain) -> Bool {
        switch (self, other) {
        case (.number(let left), .number(let right)): left.isSubset(of: right)
        case (.text(let left), .text(let right)): left.isSubset(of: right)
        case (.flag(let left), .flag(let right)): left.isSubset(of: right)
        default: false
        }
    }
}

/// Numbers between two bounds, of a step, without some. In units: ten thousandths of a decimal, milliseconds of a moment.
struct NumberDomain: Sendable, Hashable {
    enum Unit: Sendable, Hashable {
        case integer
        /// So many places are shown.
        case decimal(places: Int)
        case moment
    }

    var unit = Unit.integer
    var lower = Int64.min
    var upper = Int64.max
    /// Every value is a multiple of it.
    var step: Int64 = 1
    var excluded: Set<Int64> = []
    /// Only these, of a schema with `enum`.
    var values: Set<Int64>?

    /// The bounds moved inwards to multiples of the step.
    private var aligned: (lower: Int64, upper: Int64) {
        guard step > 1 else { return (lower, upper) }
        func floor(_ value: Int64) -> Int64 {
            let remainder = value % step
            // Near the least number there is no multiple below.
            let (down, overflow) = value.subtractingReportingOverflow(remainder < 0 ? remainder + step : remainder)
            return overflow ? .min : down
        }
        let low = floor(lower == .min ? .min + step : lower)
        let first = low < lower ? (low.addingReportingOverflow(step).overflow ? .max : low + step) : low
        return (lower == .min ? .min : first, upper == .max ? .max : floor(upper))
    }

    var isEmpty: Bool {
        if let values { return !values.contains(where: contains) }
        let (lower, upper) = aligned
        guard lower <= upper else { return true }
        let (span, overflow) = upper.subtractingReportingOverflow(lower)
        guard !overflow, span / step < Int64(excluded.count) else { return false }
        return stride(from: lower, through: upper, by: Int(step)).allSatisfy(excluded.contains)
    }

    private func contains(_ value: Int64) -> Bool { lower <= value && value <= upper && !excluded.contains(value) }

    func intersection(_ other: NumberDomain) -> NumberDomain {
        var both = self
        both.lower = max(lower, other.lower)
        both.upper = min(upper, other.upper)
        both.step = max(step, other.step)
        both.excluded.formUnion(other.excluded)
        if let values = other.values { both.values = both.values?.intersection(values) ?? values }
        if other.unit != .integer, unit == .integer { both.unit = other.unit }
        return both
    }

    func isSubset(of other: NumberDomain) -> Bool {
        if let values { return values.filter(contains).allSatisfy { other.contains($0) && (other.values?.contains($0) ?? true) } }
        guard other.values == nil else { return false }
        let (lower, upper) = aligned
        let left = other.excluded.subtracting(excluded).filter { lower <= $0 && $0 <= upper }
        return other.lower <= lower && upper <= other.upper && left.isEmpty
    }

    /// The aligned range; nil when empty.
    var range: ClosedRange<Int64>? {
        if let values {
            let left = values.filter(contains)
            guard let least = left.min(), let greatest = left.max() else { return nil }
            return least...greatest
        }
        let (lower, upper) = aligned
        return lower <= upper ? lower...upper : nil
    }

    func shown(_ value: Int64) -> String {
        switch unit {
        case .integer: return String(value)
        case .moment: return UTCText.text(value)
        case .decimal(let places):
            let text = Value.Decimal(tenThousandths: value).text
            let fraction =
                text.utf8.count
                - (text.utf8.firstIndex(of: UInt8(ascii: ".")).map { text.utf8.distance(from: text.startIndex, to: $0) } ?? 0) - 1
            return text + String(repeating: "0", count: max(0, places - fraction))
        }
    }
}

/// Texts: some, or all but some.
struct TextDomain: Sendable, Hashable {
    /// Nil is any.
    var allowed: Set<ExactString>?
    var excluded: Set<ExactString> = []

    var isEmpty: Bool { allowed.map { $0.isSubset(of: excluded) } ?? false }

    func intersection(_ other: TextDomain) -> TextDomain {
        var both = TextDomain(allowed: allowed, excluded: excluded.union(other.excluded))
        if let allowed = other.allowed { both.allowed = both.allowed?.intersection(allowed) ?? allowed }
        return both
    }

    func isSubset(of other: TextDomain) -> Bool {
        if let allowed {
            let left = allowed.subtracting(excluded)
            return left.isDisjoint(with: other.excluded) && (other.allowed.map { left.isSubset(of: $0) } ?? true)
        }
        return other.allowed == nil && other.excluded.isSubset(of: excluded)
    }
}
