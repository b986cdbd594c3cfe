extension ExprParser {
    /// Looks at the token after an operand. False when the whole expression is finished and the token is not part of it.
    mutating func goOn(after operand: Operand) throws(ParseError) -> Bool {
        let token = reader.token
        switch token.kind {
        case .symbol(.dot), .symbol(.leftBracket):
            guard operand.level == .member else {
                throw reader.unexpected("an attribute or method needs parentheses around what stands before it")
            }
            try access(operand)
        case .symbol(.star):
            try binary(.multiply, .product)
        case .symbol(.plus):
            try binary(.add, .sum)
        case .symbol(.minus):
            try binary(.subtract, .sum)
        case .symbol(.equal):
            try binary(.equal, .relation)
        case .symbol(.notEqual):
            try binary(.equal, .relation, negated: true)
        case .symbol(.less):
            try binary(.less, .relation)
        case .symbol(.lessOrEqual):
            try binary(.lessOrEqual, .relation)
        case .symbol(.greater):
            try binary(.lessOrEqual, .relation, negated: true)
        case .symbol(.greaterOrEqual):
            try binary(.less, .relation, negated: true)
        case .symbol(.and):
            try chain(.conjunction)
        case .symbol(.or):
            try chain(.disjunction)
        case .identifier where token.isWord("in"):
            try binary(.in, .relation)
        case .identifier where token.isWord("has"):
            try has()
        case .identifier where token.isWord("like"):
            try like()
        case .identifier where token.isWord("is"):
            try isType()
        default:
            return try finish()
        }
        return true
    }

    // MARK: - Operators

    private mutating func binary(_ operation: Expr.BinaryOperator, _ level: Level, negated: Bool = false) throws(ParseError) {
        let left = level == .relation ? try relationOperand() : try reduce(through: level)
        guard left.level <= level else { throw reader.unexpected("parentheses are needed before this operator") }
        try reader.advance()
        frames.append(.binary(operation, negated: negated, level: level, left: left))
        current = nil
    }

    /// The left operand of a comparison, `has`, `like`, `is` or `in`, of which there is one at most.
    private mutating func relationOperand() throws(ParseError) -> Operand {
        let left = try reduce(through: .sum)
        guard left.level < .relation, frames.last?.level != .relation else {
            throw ParseError("comparisons cannot be chained; put parentheses around the first one", at: reader.token.range)
        }
        return left
    }

    private mutating func chain(_ level: Level) throws(ParseError) {
        let left = try reduce(through: level == .conjunction ? .relation : .conjunction)
        try reader.advance()
        current = nil
        switch (level, frames.last) {
        case (.conjunction, .and(var elements)):
            elements.add(left)
            frames[frames.count - 1] = .and(elements)
        case (.disjunction, .or(var elements)):
            elements.add(left)
            frames[frames.count - 1] = .or(elements)
        default:
            let elements = chainStart(level, left)
            frames.append(level == .conjunction ? .and(elements) : .or(elements))
        }
    }

    /// A bracketed chain on the left side of its own operator is the beginning of one chain.
    private mutating func chainStart(_ level: Level, _ left: Operand) -> Elements {
        var elements = Elements(first: left.first, start: left.range.start)
        switch (level, nodes.last?.kind) {
        case (.conjunction, .and(let count)), (.disjunction, .or(let count)):
            nodes.removeLast()
            elements.count = count
            elements.depth = left.depth - 1
        default:
            elements.add(left)
        }
        return elements
    }

    private mutating func has() throws(ParseError) {
        let left = try relationOperand()
        try reader.advance()
        var path: [ExactString] = []
        if reader.token.kind == .string {
            path = [try reader.string("")]
        } else {
            path = [try reader.identifier("or a string after `has`")]
            while try reader.take(.dot) {
                guard path.count < SyntaxLimits.hasPath else {
                    throw ParseError("a `has` goes \(SyntaxLimits.hasPath) attributes deep at most", at: reader.token.range)
                }
                path.append(try reader.identifier("after `.`"))
            }
        }
        try emit(.has(path), first: left.first, depth: left.depth, from: left.range.start, to: reader.lastEnd, level: .relation)
    }

    private mutating func like() throws(ParseError) {
        let left = try relationOperand()
        try reader.advance()
        guard reader.token.kind == .string else { throw reader.unexpected("expected a pattern in double quotes after `like`") }
        let pattern = try Unescape.pattern(try reader.advance())
        try emit(.like(pattern), first: left.first, depth: left.depth, from: left.range.start, to: reader.lastEnd, level: .relation)
    }

    private mutating func isType() throws(ParseError) {
        let left = try relationOperand()
        try reader.advance()
        let type = try reader.path("of an entity type after `is`")
        if try reader.take(word: "in") {
            frames.append(.isTypeIn(type, left: left))
            current = nil
        } else {
            try emit(
                .isType(type), first: left.first, depth: left.depth, from: left.range.start, to: reader.lastEnd, level: .relation)
        }
    }

    // MARK: - Reduction

    /// Finishes every operator on the stack that binds as tightly as `level`; what remains is the operand of the next one.
    @discardableResult
    mutating func reduce(through level: Level) throws(ParseError) -> Operand {
        while let top = frames.last, let own = top.level, own <= level, let right = current {
            frames.removeLast()
            try reduce(top, right)
        }
        guard let current else { throw reader.unexpected("expected an expression") }
        return current
    }

    private mutating func reduce(_ frame: Frame, _ right: Operand) throws(ParseError) {
        let end = right.range.end
        switch frame {
        case .prefix(let operation, let times, let open):
            for count in 0..<times {
                let depth = right.depth + Int32(count)
                try emit(.unary(operation), first: right.first, depth: depth, from: open.range.start, to: end, level: .unary)
            }
        case .binary(let operation, let negated, let level, let left):
            let depth = max(left.depth, right.depth)
            try emit(.binary(operation), first: left.first, depth: depth, from: left.range.start, to: end, level: level)
            if negated {
                try emit(.unary(.not), first: left.first, depth: depth + 1, from: left.range.start, to: end, level: level)
            }
        case .isTypeIn(let type, let left):
            let depth = max(left.depth, right.depth)
            try emit(.isTypeIn(type), first: left.first, depth: depth, from: left.range.start, to: end, level: .relation)
        case .and(var elements):
            elements.add(right)
            try emit(
                .and(elements.count), first: elements.first, depth: elements.depth, from: elements.start, to: end, level: .conjunction)
        case .or(var elements):
            elements.add(right)
            try emit(
                .or(elements.count), first: elements.first, depth: elements.depth, from: elements.start, to: end, level: .disjunction)
        default:
            break
        }
    }
}
