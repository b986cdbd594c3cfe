extension ExprParser {
    /// Reads a primary, or puts what stands before one on the stack.
    mutating func operand() throws(ParseError) {
        let token = reader.token
        switch token.kind {
        case .symbol(.leftParenthesis):
            try reader.advance()
            try open(.bracket(open: token), at: token.range)
        case .symbol(.leftBracket):
            try reader.advance()
            if reader.token.isSymbol(.rightBracket) {
                let end = try reader.advance().range.end
                try emit(.set(0), first: nodes.count, depth: 0, from: token.range.start, to: end)
            } else {
                try open(.set(elements(from: token.range.start)), at: token.range)
            }
        case .symbol(.leftBrace):
            try reader.advance()
            if reader.token.isSymbol(.rightBrace) {
                let end = try reader.advance().range.end
                try emit(.record([]), first: nodes.count, depth: 0, from: token.range.start, to: end)
            } else {
                let key = try recordKey(after: [])
                try open(.record([key], elements(from: token.range.start)), at: token.range)
            }
        case .symbol(.not), .symbol(.minus):
            try prefix()
        case .number:
            try reader.advance()
            try emitLeaf(.literal(.long(try Self.integer(token, negative: false))), token.range)
        case .string:
            try reader.advance()
            try emitLeaf(.literal(.string(try Unescape.string(token))), token.range)
        case .slot:
            throw ParseError("`?\(token.text)` may only stand in the scope of a template, not in a condition", at: token.range)
        case .identifier:
            try word()
        default:
            throw reader.unexpected("expected an expression")
        }
    }

    // MARK: - Prefixes and numbers

    private mutating func prefix() throws(ParseError) {
        let first = reader.token
        let isNot = first.isSymbol(.not)
        var times = 0
        while reader.token.kind == first.kind {
            try reader.advance()
            times += 1
            guard times <= 4 else { throw ParseError("more than four `\(first.text)` in a row; use parentheses", at: first.range) }
        }
        guard !reader.token.isSymbol(isNot ? .minus : .not) else {
            throw ParseError("`!` and `-` may not stand side by side; use parentheses", at: reader.token.range)
        }
        // A minus directly before a bare number belongs to the number: only so can the least integer be written.
        if !isNot, reader.token.kind == .number {
            let next = try reader.peek()
            if !next.isSymbol(.dot), !next.isSymbol(.leftBracket) {
                times -= 1
                let number = try reader.advance()
                let value = try Self.integer(number, negative: true)
                try emitLeaf(.literal(.long(value)), SourceRange(start: first.range.start, end: number.range.end), level: .unary)
            }
        }
        if times > 0 { frames.append(.prefix(isNot ? .not : .negate, times: times, open: first)) }
    }

    private static func integer(_ token: Token, negative: Bool) throws(ParseError) -> Int64 {
        var value: Int64 = 0
        for byte in token.bytes {
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            // Counted downwards, because the least integer has no positive counterpart.
            let (next, overflowToo) = shifted.subtractingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !overflow, !overflowToo else { throw outOfRange(token) }
            value = next
        }
        if negative { return value }
        guard value != .min else { throw outOfRange(token) }
        return -value
    }

    private static func outOfRange(_ token: Token) -> ParseError {
        ParseError("the number is out of range; integers go from -9223372036854775808 to 9223372036854775807", at: token.range)
    }

    // MARK: - Words

    private mutating func word() throws(ParseError) {
        let token = reader.token
        if token.isWord("true") || token.isWord("false") {
            try reader.advance()
            return try emitLeaf(.literal(.bool(token.isWord("true"))), token.range)
        }
        if token.isWord("if") {
            guard frames.last?.allowsConditional ?? false else {
                throw ParseError("an `if` inside an operator needs parentheses around it", at: token.range)
            }
            try reader.advance()
            return try open(.test(elements(from: token.range.start)), at: token.range)
        }
        let components = try reader.pathComponents("as the beginning of an expression")
        let range = SourceRange(start: token.range.start, end: reader.lastEnd)
        if reader.token.isSymbol(.doubleColon) {
            try reader.advance()
            let id = try reader.string("as the id of the entity after `::`")
            let uid = EntityUID(type: TypeName(components: components), id: id)
            return try emitLeaf(.literal(.entity(uid)), SourceRange(start: range.start, end: reader.lastEnd))
        }
        if reader.token.isSymbol(.leftParenthesis) { return try function(components, range) }
        guard components.count == 1, let variable = Expr.Variable(rawValue: components[0].string) else {
            throw ParseError(Self.complaint(about: components), at: range)
        }
        try emitLeaf(.variable(variable), range)
    }

    /// About a name that is neither a variable nor the type of an entity.
    private static func complaint(about components: [ExactString]) -> String {
        let name = TypeName(components: components)
        if let type = name.namespace { return "the id of an entity is a string: `\(type)::\(Escape.quoted(name.basename))`" }
        if name.text == "null" { return "there is no null; whether there is a value is asked with `has`" }
        return """
            `\(name)` is not known here; there are `principal`, `action`, `resource` and `context`, and an entity is written \
            `\(name)::"id"`
            """
    }

    private mutating func function(_ components: [ExactString], _ range: SourceRange) throws(ParseError) {
        guard components.count == 1, let function = ExtensionFunction(rawValue: components[0].string) else {
            let name = TypeName(components: components)
            throw ParseError("there is no function `\(name)`; known are `ip`, `decimal`, `datetime` and `duration`", at: range)
        }
        guard function.isConstructor else {
            throw ParseError("`\(function.rawValue)` is a method; write `x.\(function.rawValue)(…)`", at: range)
        }
        let parenthesis = try reader.advance()
        let list = elements(from: range.start)
        if reader.token.isSymbol(.rightParenthesis) {
            try reader.advance()
            return try emit(.call(function, 0), first: nodes.count, depth: 0, from: range.start, to: reader.lastEnd)
        }
        try open(.function(function, list), at: parenthesis.range)
    }

    /// A key and its colon.
    mutating func recordKey(after keys: [ExactString]) throws(ParseError) -> ExactString {
        let token = reader.token
        let key = token.kind == .string ? try reader.string("") : try reader.identifier("or a string as the key of a record")
        guard keys.count < SyntaxLimits.recordKeys else {
            throw ParseError("the record has more than \(SyntaxLimits.recordKeys) keys", at: token.range)
        }
        guard !keys.contains(key) else { throw ParseError("the record has the key \(Escape.quoted(key)) twice", at: token.range) }
        try reader.expect(.colon, "after the key of a record")
        return key
    }
}
