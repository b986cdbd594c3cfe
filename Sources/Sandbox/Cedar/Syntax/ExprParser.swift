/// Reads one expression, with a stack of its own: however deep the text nests, no call does.
///
/// It alternates between two states. Where an operand is due, a primary is read or a bracket or operator is put on the stack.
/// After an operand, the next token binds it: more tightly than what is on the stack, or the stack is reduced first.
struct ExprParser {
    /// How tightly what is written binds; the levels of the grammar, tightest first.
    enum Level: Int, Comparable {
        case member, unary, product, sum, relation, conjunction, disjunction, expression
        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// A finished operand: the nodes from `first` to the end of the array.
    struct Operand {
        let first: Int
        let depth: Int32
        /// With the brackets around it.
        let range: SourceRange
        let level: Level
    }

    /// What waits for operands.
    enum Frame {
        case root
        case bracket(open: Token)
        case set(Elements)
        case record([ExactString], Elements)
        case function(ExtensionFunction, Elements)
        case method(Method, Elements)
        case test(Elements)
        case then(Elements)
        case otherwise(Elements)
        case and(Elements)
        case or(Elements)
        case binary(Expr.BinaryOperator, negated: Bool, level: Level, left: Operand)
        case isTypeIn(TypeName, left: Operand)
        case prefix(Expr.UnaryOperator, times: Int, open: Token)

        /// The level of an operator; nil for what a closing token ends.
        var level: Level? {
            switch self {
            case .prefix: .unary
            case .binary(_, _, let level, _): level
            case .isTypeIn: .relation
            case .and: .conjunction
            case .or: .disjunction
            default: nil
            }
        }

        /// Whether an `if` may begin here.
        var allowsConditional: Bool { level == nil }
    }

    /// The operands that a frame has so far.
    struct Elements {
        var count = 0
        var depth: Int32 = 0
        let first: Int
        let start: SourcePosition

        mutating func add(_ operand: Operand) {
            count += 1
            depth = max(depth, operand.depth)
        }
    }

    /// What may stand between a dot and a bracket.
    enum Method {
        case binary(Expr.BinaryOperator)
        case isEmpty
        case call(ExtensionFunction)
    }

    var reader: TokenReader
    var frames: [Frame] = [.root]
    var nodes: [Expr.Node] = []
    /// The operand that was just finished; nil while one is due.
    var current: Operand?
    private var openBrackets = 0

    init(_ reader: TokenReader) { self.reader = reader }

    /// Reads an expression and leaves the first token that does not belong to it in the reader.
    static func parse(_ reader: inout TokenReader) throws(ParseError) -> Expr {
        var parser = ExprParser(reader)
        while true {
            if let operand = parser.current {
                guard try parser.goOn(after: operand) else { break }
            } else {
                try parser.operand()
            }
        }
        reader = parser.reader
        return Expr(nodes: parser.nodes[...])
    }

    // MARK: - Nodes

    /// Puts a node over everything from `first` on.
    mutating func emit(
        _ kind: Expr.Kind, first: Int, depth: Int32, from start: SourcePosition, to end: SourcePosition, level: Level = .member
    ) throws(ParseError) {
        let range = SourceRange(start: start, end: end)
        guard depth < SyntaxLimits.depth else { throw tooDeep(range) }
        nodes.append(Expr.Node(kind: kind, count: Int32(nodes.count - first + 1), depth: depth + 1, range: range))
        current = Operand(first: first, depth: depth + 1, range: range, level: level)
    }

    mutating func emitLeaf(_ kind: Expr.Kind, _ range: SourceRange, level: Level = .member) throws(ParseError) {
        try emit(kind, first: nodes.count, depth: 0, from: range.start, to: range.end, level: level)
    }

    /// The same operand with the brackets around it.
    mutating func bracketed(_ operand: Operand, from open: SourcePosition, to end: SourcePosition) {
        current = Operand(
            first: operand.first, depth: operand.depth, range: SourceRange(start: open, end: end), level: .member)
    }

    /// Puts a frame that a closing token ends on the stack.
    mutating func open(_ frame: Frame, at range: SourceRange) throws(ParseError) {
        openBrackets += 1
        guard openBrackets <= SyntaxLimits.depth else { throw tooDeep(range) }
        frames.append(frame)
        current = nil
    }

    mutating func close() {
        openBrackets -= 1
        frames.removeLast()
    }

    private func tooDeep(_ range: SourceRange) -> ParseError {
        ParseError("the expression is nested more than \(SyntaxLimits.depth) levels deep", at: range)
    }

    func elements(from start: SourcePosition) -> Elements { Elements(first: nodes.count, start: start) }
}
