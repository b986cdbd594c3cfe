/// Reads the subset of regular expressions that ``LinearPattern`` documents. Its recursion is bounded.
struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    /// Where the closing `$` stands.
    private var end = 0

    init(_ source: String) { scalars = Array(source.unicodeScalars) }

    mutating func parse() throws(PatternError) -> PatternTree {
        guard scalars.first == "^", scalars.count >= 2, scalars.last == "$" else {
            throw PatternError(message: "begins with ^ and ends with $")
        }
        position = 1
        end = scalars.count - 1
        let tree = try parseChoice(depth: 1)
        guard position == end else { throw error() }
        // ^a|b$ means (^a)|(b$) elsewhere; here it would mean ^(a|b)$.
        if case .choice = tree { throw PatternError(message: "a choice stands in a group: ^(a|b)$") }
        return tree
    }

    private func error() -> PatternError { PatternError(message: "cannot be read at character \(position + 1)") }

    private var current: Unicode.Scalar? { position < end ? scalars[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    private mutating func parseChoice(depth: Int) throws(PatternError) -> PatternTree {
        guard depth <= LinearPattern.depthMax else { throw PatternError(message: "nests too deeply") }
        var branches = [try parseSequence(depth: depth)]
        while take("|") { branches.append(try parseSequence(depth: depth)) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func parseSequence(depth: Int) throws(PatternError) -> PatternTree {
        var parts: [PatternTree] = []
        while let scalar = current, scalar != "|", scalar != ")" { parts.append(try parseRepetition(depth: depth)) }
        return .sequence(parts)
    }

    private mutating func parseRepetition(depth: Int) throws(PatternError) -> PatternTree {
        let part = try parseAtom(depth: depth)
        let tree: PatternTree
        switch current {
        case "*": tree = .repetition(part, minimum: 0, maximum: nil)
        case "+": tree = .repetition(part, minimum: 1, maximum: nil)
        case "?": tree = .repetition(part, minimum: 0, maximum: 1)
        case "{": tree = try parseCount(of: part)
        default: return part
        }
        position += 1
        // Lazy, possessive and stacked quantifiers are outside the subset.
        if let scalar = current, "*+?{".unicodeScalars.contains(scalar) { throw error() }
        return tree
    }

    /// `{n}`, `{n,}`, `{n,m}`; leaves the position at the closing brace.
    private mutating func parseCount(of part: PatternTree) throws(PatternError) -> PatternTree {
        position += 1
        guard let minimum = try parseNumber() else { throw error() }
        var maximum: Int? = minimum
        if take(",") { maximum = try parseNumber() }
        guard current == "}", maximum.map({ $0 >= minimum && $0 > 0 }) ?? true else { throw error() }
        return .repetition(part, minimum: minimum, maximum: maximum)
    }

    private mutating func parseNumber() throws(PatternError) -> Int? {
        var number: Int?
        while let scalar = current, ("0"..."9").contains(scalar) {
            number = (number ?? 0) * 10 + Int(scalar.value - 0x30)
            position += 1
            guard (number ?? 0) <= LinearPattern.statesMax else { throw PatternError(message: "the pattern is too large") }
        }
        return number
    }

    private mutating func parseAtom(depth: Int) throws(PatternError) -> PatternTree {
        guard let scalar = current else { throw error() }
        position += 1
        switch scalar {
        case "(":
            // `(?` would be a look-around or a flag.
            guard current != "?" else { throw error() }
            let tree = try parseChoice(depth: depth + 1)
            guard take(")") else { throw error() }
            return tree
        case "[": return .scalar(try parseClass())
        case ".": return .scalar(.any)
        case "\\": return .scalar(try parseEscape())
        case "*", "+", "?", "{", "}", "]", "^", "$":
            position -= 1
            throw error()
        default: return .scalar(ScalarSet(ranges: [scalar.value...scalar.value]))
        }
    }

    private mutating func parseEscape() throws(PatternError) -> ScalarSet {
        guard let scalar = current else { throw error() }
        switch scalar {
        case "d": position += 1; return .digit
        case "w": position += 1; return .word
        case "s": position += 1; return .space
        default:
            // A letter or a digit after a backslash has a meaning that is not in the subset.
            guard scalar.isASCII, !SafeText.isLetter(UInt8(scalar.value)), !SafeText.isDigit(UInt8(scalar.value)) else { throw error() }
            position += 1
            return ScalarSet(ranges: [scalar.value...scalar.value])
        }
    }

    private mutating func parseClass() throws(PatternError) -> ScalarSet {
        var set = ScalarSet(ranges: [], isNegated: take("^"))
        while !take("]") {
            let low = try parseClassAtom()
            if low.count == 1, let first = low.first, first.count == 1, current == "-", position + 1 < end, scalars[position + 1] != "]" {
                position += 1
                let high = try parseClassAtom()
                guard high.count == 1, let last = high.first, last.count == 1, first.lowerBound <= last.lowerBound else { throw error() }
                set.ranges.append(first.lowerBound...last.lowerBound)
            } else {
                set.ranges += low
            }
        }
        guard !set.ranges.isEmpty else { throw error() }
        return set
    }

    private mutating func parseClassAtom() throws(PatternError) -> [ClosedRange<UInt32>] {
        guard let scalar = current, scalar != "[" else { throw error() }
        position += 1
        guard scalar == "\\" else { return [scalar.value...scalar.value] }
        return try parseEscape().ranges
    }
}
