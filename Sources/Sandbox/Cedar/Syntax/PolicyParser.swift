/// Reads policies and templates.
struct PolicyParser {
    var reader: TokenReader

    /// Reads a whole text. Ids are `policy0`, `policy1` and so on.
    static func parse(_ text: String) throws(ParseError) -> [Policy] {
        var parser = PolicyParser(reader: try TokenReader(text))
        return try parser.all()
    }

    /// Reads to the end of the text.
    mutating func all() throws(ParseError) -> [Policy] {
        var policies: [Policy] = []
        while reader.token.kind != .end { policies.append(try policy(id: "policy\(policies.count)")) }
        return policies
    }

    private mutating func policy(id: String) throws(ParseError) -> Policy {
        let start = reader.token.range.start
        let annotations = try annotations()
        guard reader.token.kind == .identifier, let effect = Policy.Effect(rawValue: reader.token.text.string) else {
            throw reader.unexpected("expected `permit` or `forbid`")
        }
        try reader.advance()
        let here = reader.token.range
        var parts = Policy.Parts(
            id: id, effect: effect, annotations: annotations, principalRange: here, actionRange: here, resourceRange: here)
        try scope(into: &parts)
        while reader.token.isWord("when") || reader.token.isWord("unless") { parts.conditions.append(try condition()) }
        try reader.expect(
            .semicolon, parts.conditions.isEmpty ? "or a condition after the scope" : "or another condition at the end of the policy")
        return Policy(parts, range: SourceRange(start: start, end: reader.lastEnd))
    }

    private mutating func annotations() throws(ParseError) -> [Policy.Annotation] {
        var annotations: [Policy.Annotation] = []
        var keys: Set<ExactString> = []
        while try reader.take(.at) {
            // Any word is a key, reserved ones too.
            guard reader.token.kind == .identifier else { throw reader.unexpected("expected a name after `@`") }
            let token = try reader.advance()
            guard keys.insert(token.text).inserted else {
                throw ParseError("the annotation `@\(token.text)` stands here twice", at: token.range)
            }
            var value: ExactString = ""
            if try reader.take(.leftParenthesis) {
                value = try reader.string("as the value of the annotation")
                try reader.expect(.rightParenthesis, "after the value of the annotation")
            }
            annotations.append(Policy.Annotation(key: token.text, value: value))
        }
        return annotations
    }

    private mutating func condition() throws(ParseError) -> Policy.Condition {
        let kind: Policy.Condition.Kind = try reader.advance().isWord("when") ? .when : .unless
        try reader.expect(.leftBrace, "after `\(kind.rawValue)`")
        guard !reader.token.isSymbol(.rightBrace) else { throw reader.unexpected("expected an expression in the braces") }
        let body = try ExprParser.parse(&reader)
        try reader.expect(.rightBrace, "to close the braces of `\(kind.rawValue)`")
        return Policy.Condition(kind: kind, body: body)
    }
}
