extension ExprParser {
    // MARK: - Attributes and methods

    /// `.name`, `.name(…)` or `["name"]` after an operand.
    mutating func access(_ receiver: Operand) throws(ParseError) {
        if try reader.take(.leftBracket) {
            let name = try reader.string("as the name of the attribute")
            try reader.expect(.rightBracket, "after the name of the attribute")
            return try attribute(name, receiver)
        }
        try reader.advance()
        let range = reader.token.range
        guard reader.token.kind != .number else {
            throw ParseError("there are no fractions; write `decimal(\"1.5\")`", at: range)
        }
        if reader.token.kind == .identifier, ReservedWord.contains(reader.token.text) {
            throw ParseError("`\(reader.token.text)` is a reserved word; write `[\"\(reader.token.text)\"]`", at: range)
        }
        let name = try reader.identifier("of an attribute or method after `.`")
        guard reader.token.isSymbol(.leftParenthesis) else { return try attribute(name, receiver) }
        let method = try Self.method(name, range)
        try reader.advance()
        var arguments = Elements(first: receiver.first, start: receiver.range.start)
        arguments.add(receiver)
        if try reader.take(.rightParenthesis) {
            try finish(method, arguments, range)
        } else {
            try open(.method(method, arguments), at: range)
        }
    }

    private mutating func attribute(_ name: ExactString, _ receiver: Operand) throws(ParseError) {
        try emit(.attribute(name), first: receiver.first, depth: receiver.depth, from: receiver.range.start, to: reader.lastEnd)
    }

    private static func method(_ name: ExactString, _ range: SourceRange) throws(ParseError) -> Method {
        if name == "isEmpty" { return .isEmpty }
        if let operation = Expr.BinaryOperator(rawValue: name.string), operation.isMethod { return .binary(operation) }
        guard let function = ExtensionFunction(rawValue: name.string) else {
            throw ParseError("there is no method `\(name)`; a text is compared with `like`, a set asked with `contains`", at: range)
        }
        guard !function.isConstructor else { throw ParseError("`\(name)` is a function; write `\(name)(…)`", at: range) }
        return .call(function)
    }

    /// The methods of the core take a fixed number of arguments; those of extensions are counted when they are evaluated.
    private mutating func finish(_ method: Method, _ arguments: Elements, _ range: SourceRange) throws(ParseError) {
        let kind: Expr.Kind
        switch method {
        case .isEmpty:
            guard arguments.count == 1 else { throw ParseError("`isEmpty` takes no argument", at: range) }
            kind = .unary(.isEmpty)
        case .binary(let operation):
            guard arguments.count == 2 else { throw ParseError("`\(operation.rawValue)` takes exactly one argument", at: range) }
            kind = .binary(operation)
        case .call(let function):
            kind = .call(function, arguments.count)
        }
        try emit(kind, first: arguments.first, depth: arguments.depth, from: arguments.start, to: reader.lastEnd)
    }

    // MARK: - Closing

    /// Finishes the operators on the stack, then does what the bracket or `if` under them expects. False at the root.
    mutating func finish() throws(ParseError) -> Bool {
        let operand = try reduce(through: .disjunction)
        guard let frame = frames.last else { return false }
        switch frame {
        case .bracket(let open):
            try reader.expect(.rightParenthesis, "to close the parenthesis of \(open.range.start)")
            close()
            bracketed(operand, from: open.range.start, to: reader.lastEnd)
        case .set(var elements):
            elements.add(operand)
            if try another(.rightBracket, "after an element of a set") {
                replaceTop(.set(elements))
            } else {
                close()
                try emit(.set(elements.count), elements)
            }
        case .record(let keys, var elements):
            elements.add(operand)
            if try another(.rightBrace, "after a value of a record") {
                let key = try recordKey(after: keys)
                replaceTop(.record(keys + [key], elements))
            } else {
                close()
                try emit(.record(keys), elements)
            }
        case .function(let function, var elements):
            elements.add(operand)
            if try another(.rightParenthesis, "after an argument") {
                replaceTop(.function(function, elements))
            } else {
                close()
                try emit(.call(function, elements.count), elements)
            }
        case .method(let method, var elements):
            elements.add(operand)
            if try another(.rightParenthesis, "after an argument") {
                replaceTop(.method(method, elements))
            } else {
                close()
                try finish(method, elements, SourceRange(start: elements.start, end: reader.lastEnd))
            }
        case .test(var elements):
            guard try reader.take(word: "then") else { throw reader.unexpected("expected `then` after the test of an `if`") }
            elements.add(operand)
            replaceTop(.then(elements))
        case .then(var elements):
            guard try reader.take(word: "else") else {
                throw reader.unexpected("expected `else`; an `if` without it would have no value")
            }
            elements.add(operand)
            replaceTop(.otherwise(elements))
        case .otherwise(var elements):
            elements.add(operand)
            close()
            try emit(
                .conditional, first: elements.first, depth: elements.depth, from: elements.start, to: operand.range.end,
                level: .expression)
        default:
            return false
        }
        return true
    }

    /// Whether another element follows: a comma that is not the last before the closing symbol.
    private mutating func another(_ closing: Token.Symbol, _ purpose: String) throws(ParseError) -> Bool {
        if try reader.take(.comma) {
            guard try !reader.take(closing) else { return false }
            return true
        }
        guard try reader.take(closing) else { throw reader.unexpected("expected `,` or `\(closing.rawValue)` \(purpose)") }
        return false
    }

    private mutating func emit(_ kind: Expr.Kind, _ elements: Elements) throws(ParseError) {
        try emit(kind, first: elements.first, depth: elements.depth, from: elements.start, to: reader.lastEnd)
    }

    private mutating func replaceTop(_ frame: Frame) {
        frames[frames.count - 1] = frame
        current = nil
    }
}
