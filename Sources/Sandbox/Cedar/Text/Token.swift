/// A word of the policy or schema language.
struct Token {
    enum Kind: Equatable {
        /// An identifier or a reserved word.
        case identifier
        /// Digits.
        case number
        /// A string with its quotes; its escapes are not looked at yet, because a pattern reads them differently.
        case string
        /// A question mark and an identifier.
        case slot
        /// One of `Lexer.punctuation`.
        case symbol(Symbol)
        /// From two slashes to the end of the line; no parser sees one.
        case comment
        /// The end of the text.
        case end
    }

    enum Symbol: String {
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case leftBrace = "{"
        case rightBrace = "}"
        case leftBracket = "["
        case rightBracket = "]"
        case comma = ","
        case semicolon = ";"
        case colon = ":"
        case doubleColon = "::"
        case dot = "."
        case at = "@"
        case question = "?"
        case assign = "="
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case and = "&&"
        case or = "||"
        case not = "!"
        case plus = "+"
        case minus = "-"
        case star = "*"
        case slash = "/"
        case percent = "%"
    }

    let kind: Kind
    let range: SourceRange
    /// The bytes of the text it stands for; those of a string without the quotes, those of a slot without the mark.
    let bytes: ArraySlice<UInt8>

    var text: ExactString { ExactString(utf8: bytes) }

    /// Whether it is this identifier or reserved word.
    func isWord(_ word: StaticString) -> Bool {
        guard kind == .identifier, bytes.count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { $0.elementsEqual(bytes) }
    }

    func isSymbol(_ symbol: Symbol) -> Bool { kind == .symbol(symbol) }

    /// How a message names it.
    var spoken: String {
        switch kind {
        case .end: "the end of the text"
        case .string: "a string"
        case .comment: "a comment"
        case .number: "the number `\(text)`"
        case .slot: "`?\(text)`"
        case .identifier: "`\(text)`"
        case .symbol(let symbol): "`\(symbol.rawValue)`"
        }
    }
}
