/// The token in hand and the way to the next. Shared by the parsers of policies, expressions and schemas.
struct TokenReader {
    private(set) var lexer: Lexer
    /// The token in hand: read, not yet used.
    private(set) var token: Token
    /// Where the last used token ended.
    private(set) var lastEnd = SourcePosition.start

    init(_ text: String, keepsComments: Bool = false) throws(ParseError) {
        var lexer = try Lexer(text)
        lexer.keepsComments = keepsComments
        token = try lexer.next()
        self.lexer = lexer
    }

    /// Uses the token in hand and takes the next.
    @discardableResult
    mutating func advance() throws(ParseError) -> Token {
        let used = token
        lastEnd = used.range.end
        token = try lexer.next()
        return used
    }

    /// The token after the one in hand.
    func peek() throws(ParseError) -> Token {
        var ahead = lexer
        ahead.keepsComments = false
        return try ahead.next()
    }

    /// Uses the token in hand if it is this symbol.
    mutating func take(_ symbol: Token.Symbol) throws(ParseError) -> Bool {
        guard token.isSymbol(symbol) else { return false }
        try advance()
        return true
    }

    /// Uses the token in hand if it is this word.
    mutating func take(word: StaticString) throws(ParseError) -> Bool {
        guard token.isWord(word) else { return false }
        try advance()
        return true
    }

    /// Uses the token in hand, which must be this symbol.
    @discardableResult
    mutating func expect(_ symbol: Token.Symbol, _ purpose: String) throws(ParseError) -> Token {
        guard token.isSymbol(symbol) else { throw unexpected("expected `\(symbol.rawValue)` \(purpose)") }
        return try advance()
    }

    /// Uses a string and reads its escapes.
    mutating func string(_ purpose: String) throws(ParseError) -> ExactString {
        guard token.kind == .string else { throw unexpected("expected a string in double quotes \(purpose)") }
        return try Unescape.string(try advance())
    }

    /// Uses an identifier that may stand in a name: no reserved word.
    mutating func identifier(_ purpose: String) throws(ParseError) -> ExactString {
        guard token.kind == .identifier else { throw unexpected("expected a name \(purpose)") }
        let name = token.text
        guard !ReservedWord.contains(name) else {
            throw ParseError("`\(name)` is a reserved word and cannot be a name here", at: token.range)
        }
        try advance()
        return name
    }

    /// Uses a path of identifiers up to a part that is none; the double colon before that part stays unused.
    mutating func path(_ purpose: String) throws(ParseError) -> TypeName {
        TypeName(components: try pathComponents(purpose))
    }

    mutating func pathComponents(_ purpose: String) throws(ParseError) -> [ExactString] {
        var components = [try identifier(purpose)]
        while token.isSymbol(.doubleColon), try peek().kind == .identifier {
            try advance()
            components.append(try identifier("after `::`"))
        }
        return components
    }

    /// A fault at the token in hand.
    func unexpected(_ expectation: String) -> ParseError {
        ParseError("\(expectation), found \(token.spoken)\(hint)", at: token.range)
    }

    /// What authors who come from other languages need to hear.
    private var hint: String {
        switch token.kind {
        case .symbol(.assign): "; equality is written `==`"
        case .symbol(.slash), .symbol(.percent): "; the language has no division"
        case .identifier where token.isWord("and"): "; write `&&`"
        case .identifier where token.isWord("or"): "; write `||`"
        case .identifier where token.isWord("not"): "; write `!`"
        default: ""
        }
    }
}
